"""Frames of cylinder groups and of other products of a rotation group with a finite one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.groups import FiniteGroup, product
from steerable.nn.frame import frame_type
from steerable.nn.functional.frames import Frames

CS = FiniteGroup.from_matrices([torch.diag(torch.tensor([1.0, 1.0, -1.0]))])
SO2H, O2H = product(st.SO2(), CS), product(st.O2(), CS)
GROUPS = {
    "SO2h": SO2H,
    "O2h": O2H,
    "turned round": product(CS, st.SO2()),
    "SO2xD3": product(st.SO2(), st.D(3)),
    "rotations of a cylinder": st.cylinder(rotations=True),
    "SO2xC4": product(st.SO2(), st.C(4)),
    "SO3xC2": product(st.SO3(), st.C(2)),
}


def white(t: st.FieldType, batch: int = 6, *space: int, seed: int = 1) -> Tensor:
    return torch.randn(batch, t.size, *space, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def error(layer, x: Tensor) -> float:
    y, t = layer(x), layer.in_type
    elements = t.group.sample(5, torch.Generator().manual_seed(2))
    return max(float((layer(t.transform(x, g)) - t.transform(y, g)).norm() / y.norm()) for g in elements)


@pytest.mark.parametrize("share", ["point", "sample"])
@pytest.mark.parametrize("name", GROUPS)
def test_adaptive_sampling_is_exact(name, share):
    """Coefficients up to degree 1, as few samples as hold them; all elements of the finite group are sampled."""
    group = GROUPS[name]
    t = 3 * group.spectral_regular(1)
    samples = {"O2h": 6, "rotations of a cylinder": 6, "SO3xC2": 12}.get(name, 4)
    torch.manual_seed(0)
    layer = snn.FourierAct(t, "relu", samples, frame=snn.Frame(t, share=share)).double()
    for x in (white(t), white(t, 3, 4)):
        assert error(layer, x) < 1e-10
    assert error(snn.FourierAct(t, "relu", samples).double(), white(t)) > 1e-3  # the same samples, held
    assert error(layer.float(), white(t).float().double().float()) < 1e-5
    baked = st.bake(layer.double())
    assert (baked(white(t)) - layer(white(t))).abs().max() < 1e-10


@pytest.mark.parametrize("order", ["so2", "o2", "other"])
def test_vectors_that_the_mirror_negates(order):
    """No vector of the plane is even in x3; an odd one times an odd scalar is."""
    group = {"so2": SO2H, "o2": O2H, "other": GROUPS["turned round"]}[order]
    ids = {"so2": "(0,1) + (1,1)", "o2": "(0e,1) + (1,1) + (1,1)", "other": "(1,0) + (1,1)"}[order]
    rep = group.trivial
    for id in ids.split(" + "):
        rep = rep.direct_sum(group.irrep(id))
    t = 3 * rep
    torch.manual_seed(0)
    layer = snn.FourierAct(t, "elu", 6, "adaptive").double()
    assert layer.frame is not None and layer.frame.twisted
    assert error(layer, white(t)) < 1e-10


def test_a_frame_of_an_odd_vector_alone_is_caught():
    """The planted fault: what the mirror negates is no frame of it."""
    rep = SO2H.trivial.direct_sum(SO2H.irrep("(0,1)")).direct_sum(SO2H.irrep("(1,1)"))
    t = 3 * rep
    torch.manual_seed(0)
    layer = snn.FourierAct(t, "elu", 7, frame="given").double()
    frame = snn.Frame(t).double()
    x = white(t)

    def run(x: Tensor, twisted: bool) -> Tensor:
        frame.twisted = twisted
        return layer(x, frame(x))

    for twisted, least, most in ((True, 0, 1e-10), (False, 1e-3, 10)):
        y = run(x, twisted)
        found = [
            float(((run(t.transform(x, g), twisted) - t.transform(y, g)).norm() / y.norm()).detach())
            for g in SO2H.sample(8, torch.Generator().manual_seed(0))
        ]
        assert least <= max(found) <= most, (twisted, found)


def test_a_mean_over_one_factor_is_not_the_mean():
    """The planted fault of the fallback: the odd scalar stays under frames, and yet is no mean over the group."""
    t = 2 * SO2H.spectral_regular(1)
    layer = snn.FourierAct(t, "elu", 5, "adaptive").double()
    x = white(t)
    x[:, [2, 3, 8, 9]] = 0  # no vectors: (0,0) (0,1) (1,0) (1,0) (1,1) (1,1)
    frames = layer.frames(x)
    assert not frames.weight.any()
    assert error(layer, x) < 1e-10
    runs = layer.plan.blocks[0].runs
    assert [r.mean for r in runs] == [True, False, False] and [r.trivial for r in runs] == [True, True, False]
    broken = tuple(r._replace(mean=r.trivial) for r in runs)
    layer.plan = layer.plan._replace(blocks=(layer.plan.blocks[0]._replace(runs=broken),))
    with pytest.raises((AssertionError, RuntimeError)):
        assert error(layer, x) < 1e-10


@pytest.mark.parametrize("name", ["SO2h", "O2h", "SO3xC2", "rotations of a cylinder"])
def test_smooth_to_where_there_is_no_frame(name):
    """Vectors that vanish or are parallel: the fallback is exact, and gradients are finite."""
    group = GROUPS[name]
    t = 2 * group.spectral_regular(1)
    torch.manual_seed(0)
    layer = snn.FourierAct(t, "elu", 12, "adaptive").double()
    for scale in (0.0, 1e-12, 1e-6, 1e-3):
        x = (scale * white(t, 3)).requires_grad_()
        y = layer(x)
        y.square().sum().backward()
        assert torch.isfinite(y).all() and torch.isfinite(x.grad).all()
        assert error(layer, x.detach()) < 1e-10 or scale == 0.0
    x = white(t, 2).requires_grad_()
    assert torch.autograd.gradcheck(layer, (x,))


def test_frames_that_are_given_and_what_is_left():
    t = 2 * SO2H.spectral_regular(2)
    frame = snn.Frame(2 * SO2H.irrep("(1,0)") + SO2H.trivial)
    x, v = white(t), white(frame.in_type, seed=3)
    act = snn.FourierAct(t, "elu", 8, frame="given").double()
    frames = frame.double()(v)
    assert isinstance(frames, Frames) and frames.elements.shape == (6,)
    y = act(x, frames)
    for g in SO2H.sample(3):
        moved = act(t.transform(x, g), frame(frame.in_type.transform(v, g)))
        assert (moved - t.transform(y, g)).abs().max() < 1e-10
    errors = [
        float(laws.grid_invariance_error(snn.FourierAct(t, "elu", n, "adaptive").double(), x).mean())
        for n in (6, 12, 48)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3


def test_types_without_frames_are_told_what_is_missing():
    for t in (2 * SO2H.irrep("(1,1)") + SO2H.trivial, 2 * SO2H.irrep("(2,0)") + SO2H.trivial):
        with pytest.raises(ValueError, match=r"takes 1 independent vectors \(irrep \(1,0\)\), got 0"):
            frame_type(t)
    torus = product(st.SO2(), st.SO2())
    with pytest.raises(ValueError, match="products with finite groups, got SO2xSO2"):
        frame_type(2 * torus.trivial)
    finite = product(st.C(2), st.D(3))
    with pytest.raises(ValueError, match="leave the frame out"):
        frame_type(2 * finite.regular)


def test_a_network_of_a_cylinder_group_on_voxels():
    """Quarter turns about x3 and the mirror of x3 move voxels to voxels: exact through convolution and activation."""
    hidden = 2 * SO2H.spectral_regular(1)
    torch.manual_seed(0)
    net = snn.Sequential(
        snn.Conv3d(SO2H.trivial.direct_sum(SO2H.irrep("(0,1)")) * 1, hidden, 3, padding=1),
        snn.FourierAct(hidden, "elu", 6, "adaptive"),
        snn.Conv3d(hidden, 1 * SO2H.trivial, 3, padding=1),
    ).double()
    x = torch.randn(2, 2, 5, 5, 5, dtype=torch.float64)
    y = net(x)
    assert (net(torch.rot90(x, 1, (-2, -1))) - torch.rot90(y, 1, (-2, -1))).abs().max() < 1e-10
    mirrored = x.flip(2) * torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None, None, None]  # the second is odd
    assert (net(mirrored) - y.flip(2)).abs().max() < 1e-10
