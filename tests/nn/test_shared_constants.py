"""Tables of layers on one sampling: worked out once while a network is built, held once, and not sent by DDP."""

from __future__ import annotations

import copy
import gc

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import steerable as st
from steerable.domains.sphere import remembered
from steerable.domains.sphere.memo import _CURRENT, _Tables, remember
from steerable.kernels.zernike import Zernike
from steerable.nn.constants import shared_array


def net(sphere="healpix(8)"):
    torch.manual_seed(0)
    return st.create_model("sphere_unet", sphere=sphere, widths=(3, 4), num_classes=2)


def test_tables_are_worked_out_once_and_are_the_same(monkeypatch):
    calls = []
    right = Zernike.values
    monkeypatch.setattr(Zernike, "values", lambda self, points: calls.append(len(points)) or right(self, points))
    found = net()
    assert len([n for n in calls if n > 500]) == 4  # two levels, and between them down and up
    calls.clear()
    with monkeypatch.context() as apart:
        apart.setattr(_Tables, "get", lambda self, key, tensors, make: make())
        other = net()
    assert len([n for n in calls if n > 500]) == 6  # six layers
    for a, b in zip(found.modules(), other.modules(), strict=True):
        for name, buffer in a._buffers.items():
            assert buffer is None or torch.equal(buffer, b._buffers[name])
    x = torch.randn(1, 1, 768)
    assert torch.equal(found.eval()(x), other.eval()(x))


def test_nothing_is_held_afterwards_and_no_more_than_allowed():
    made = []

    def table(key):
        return remember(key, (), lambda: made.append(key) or torch.zeros(100, dtype=torch.float64))

    with remembered(limit=2000):
        assert table("a") is table("a") and made == ["a"]
        table("b"), table("c")  # 2400 bytes: the first one goes
        table("c"), table("a")
        with remembered():
            table("a")
    assert made == ["a", "b", "c", "a"] and _CURRENT.get() is None
    assert table("a") is not table("a")
    with remembered():  # tensors are told apart by identity, and are not confused with later ones in their place
        values = [float(remember("sum", (x,), x.sum)) for x in (torch.full((3,), float(k)) for k in range(50))]
    assert values == [3.0 * k for k in range(50)]


def test_equal_tables_have_one_memory_as_long_as_they_live():
    first, second = (np.random.default_rng(0).normal(size=20000) for _ in range(2))
    assert shared_array(first) is first and shared_array(second) is first
    assert shared_array(second.astype(np.float32)) is not first
    small = np.zeros(3)
    assert shared_array(small) is small and shared_array(np.zeros(3)) is not small
    del first
    gc.collect()
    assert shared_array(second) is second
    model = net("healpix(16)")
    arrays = [a for m in model.modules() if isinstance(m, st.nn.ConstantModule) for a in m._exact.values()]
    large = [a for a in arrays if a.nbytes >= 1 << 16]
    assert len({id(a) for a in large}) < len(large)
    first, second = (net("healpix(16)").double() for _ in range(2))
    kept = second.down[0][0].contraction._values0.clone()
    first.down[0][0].contraction._values0.zero_()  # a write into a buffer reaches no other module
    assert torch.equal(second.down[0][0].contraction._values0, kept)
    again = copy.deepcopy(model).double()
    assert again(torch.randn(1, 1, 3072, dtype=torch.float64)).dtype == torch.float64


def test_data_parallel_sends_no_constants(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    model = net("gauss(16)")
    names = st.nn.constant_names(model)
    state = dict(model.named_buffers()).keys() & model.state_dict().keys()
    assert not state & set(names) and state | set(names) == dict(model.named_buffers(remove_duplicate=False)).keys()
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, names)
        ddp = DistributedDataParallel(model)
        assert len(ddp.modules_buffers) == len(state)
        ddp(torch.randn(2, 1, 16, 32)).square().mean().backward()
        assert all(p.grad is not None for p in model.parameters())
    finally:
        dist.destroy_process_group()


def layers():
    wind, c6 = st.SO2().type("2x0 + 2x1"), st.C(6).type("1 regular")
    return {
        "Conv2d": lambda: st.nn.Conv2d(1 * st.C(4).trivial, 2 * st.C(4).regular, 3),
        "PointConv": lambda: st.nn.PointConv(st.SO3().type("1x0"), st.SO3().type("1x0 + 1x1"), cutoff=1.0),
        "SphereConv, rings": lambda: st.nn.SphereConv(wind, wind, "gauss(6)", 1.2),
        "SphereConv, pairs": lambda: st.nn.SphereConv(wind, wind, "healpix(2)", 1.2),
        "SHT": lambda: st.nn.SHT("gauss(5)", wind),
        "S2Conv": lambda: st.nn.S2Conv(1, 2, 3, 3),
        "SO3Conv": lambda: st.nn.SO3Conv(2, 2, 3, 3),
        "SpectralAct": lambda: st.nn.SpectralAct(2, 3),
        "SphereAttention": lambda: st.nn.SphereAttention(st.SO2().type("4x0"), "gauss(4)"),
        "SphereNeighbourAttention": lambda: st.nn.SphereNeighbourAttention(wind, "gauss(6)", 1.2, heads=2),
        "SphereBatchNorm": lambda: st.nn.SphereBatchNorm(wind, "gauss(4)"),
        "SphereH1Loss": lambda: st.nn.SphereH1Loss("gauss(6)"),
        "HealpixConv": lambda: st.nn.HealpixConv(2, 2, "healpix(2, nested)"),
        "IcoConv": lambda: st.nn.IcoConv(c6, c6, "icosahedral(2)"),
        "IcoPool": lambda: st.nn.IcoPool(c6, "icosahedral(2)"),
        "IcoUnpool": lambda: st.nn.IcoUnpool(c6, "icosahedral(1)"),
    }


@pytest.mark.parametrize("name", layers())
def test_a_layer_laid_out_on_the_meta_device_has_its_constants(name):
    """As large networks are built: weights on no device, ``to_empty``, then the weights of a file."""
    make = layers()[name]
    with torch.device("meta"):
        layer = make()
    assert all(p.is_meta for p in layer.parameters())
    layer, right = layer.to_empty(device="cpu"), make()
    layer.load_state_dict(right.state_dict())
    found = dict(layer.named_buffers())
    for key, value in right.named_buffers():
        assert torch.equal(found[key], value), key
