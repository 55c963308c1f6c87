"""Normalisation by field: equivariance, agreement with torch, statistics, tooling."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

import steerable as st
from steerable.nn.eager_norm import EagerFieldNorm
from steerable.nn.group_norm import GroupNorm, InstanceNorm, group_norm
from steerable.nn.layer_norm import LayerNorm
from steerable.nn.norm import BatchNorm

spec = importlib.util.spec_from_file_location("layer_checks", Path(__file__).with_name("layer_checks.py"))
checks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checks)
C4, C5, D3, TYPES, PERMUTATIONS = checks.C4, checks.C5, checks.D3, checks.TYPES, checks.PERMUTATIONS
channel_error, draw, randomise, tooling = checks.channel_error, checks.draw, checks.randomise, checks.tooling

ALL = {**TYPES, **{f"{k} permutation": v for k, v in PERMUTATIONS.items()}, "uniform": 3 * D3.regular}
LAYERS = {
    "BatchNorm": BatchNorm,
    "BatchNorm no affine": lambda t: BatchNorm(t, affine=False),
    "LayerNorm": LayerNorm,
    "GroupNorm": lambda t: GroupNorm(t, 1),
    "InstanceNorm": InstanceNorm,
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ALL)
def test_commutes_with_the_group(layer: str, name: str) -> None:
    type = ALL[name]
    norm = randomise(LAYERS[layer](type))
    for shape in [(4, 3), ()]:
        x = draw(type, *shape)
        assert channel_error(norm.eval(), type, type, x) < 1e-10
        assert channel_error(norm.train(), type, type, x) < 1e-10


@pytest.mark.parametrize("name", TYPES)
def test_law_catches_statistics_per_channel(name: str) -> None:
    type = TYPES[name]
    assert channel_error(nn.BatchNorm2d(type.size).double(), type, type, draw(type, 4, 3)) > 1e-2
    assert channel_error(nn.GroupNorm(1, type.size).double(), type, type, draw(type, 4, 3)) > 1e-2


def test_law_catches_a_bias_on_a_turning_field() -> None:
    type = TYPES["C5"]
    norm = BatchNorm(type).double()
    bias = draw(type, batch=1)[0, :, None, None]
    assert channel_error(lambda x: norm(x) + bias, type, type, draw(type, 4, 3)) > 1e-2


@pytest.mark.parametrize("name", ALL)
def test_batch_norm_normalises_each_field(name: str) -> None:
    type = ALL[name]
    y = BatchNorm(type).double()(draw(type, 5, 5) * 3)
    for b in type.blocks:
        v = y[:, b.start : b.stop].unflatten(1, b.shape).transpose(0, 1).flatten(3)
        torch.testing.assert_close(v.square().mean((1, 2, 3)), torch.ones(b.multiplicity).double(), rtol=1e-3, atol=0)
        along = b.rep.invariants if not b.rep.is_permutation else torch.ones(1, b.rep.size).double()
        assert (torch.einsum("nd,mbdp->mnbp", along, v).mean((2, 3)).abs() < 1e-10).all()


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 2)])
def test_equals_torch_on_trivial_fields(momentum: float | None, track: bool, shape: tuple[int, ...]) -> None:
    type = 4 * C4.trivial
    twin = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[len(shape)]
    theirs = twin(4, momentum=momentum, track_running_stats=track).double()
    ours = BatchNorm(type, momentum=momentum, track_running_stats=track).double()
    for seed in range(3):
        x = draw(type, *shape, seed=seed)
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=0, atol=1e-12)


def test_sample_norms_equal_torch_on_trivial_fields() -> None:
    type = 6 * C4.trivial
    x = draw(type, 4, 3)
    torch.testing.assert_close(GroupNorm(type, 2).double()(x), nn.GroupNorm(2, 6).double()(x))
    torch.testing.assert_close(InstanceNorm(type).double()(x), nn.InstanceNorm2d(6).double()(x))
    theirs = nn.LayerNorm(6).double()(x.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(LayerNorm(type).double()(x), theirs)


def test_group_norm_general_path_equals_the_library() -> None:
    norm = randomise(GroupNorm(4 * C5.regular, 2))
    x = draw(norm.in_type, 4, 3)
    general = group_norm(x, norm.along, norm.run, *norm.affine_per_channel(), norm.groups, norm.eps)
    torch.testing.assert_close(norm(x), general, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_running_statistics_converge_to_those_of_the_data(name: str) -> None:
    type = ALL[name]
    norm = BatchNorm(type, momentum=1.0).double()
    x = draw(type, 40, 40)
    y = norm(x)
    torch.testing.assert_close(norm.eval()(x), y, rtol=0, atol=2e-3)  # unbiased against biased variance


@pytest.mark.parametrize("name", ["C5", "uniform"])
def test_empty_batch_leaves_the_statistics_alone(name: str) -> None:
    type = ALL[name]
    norm = randomise(BatchNorm(type)).train()
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    y = norm(draw(type, 4, 3)[:0])
    assert y.shape == (0, type.size, 4, 3)
    y.sum().backward()
    for k, v in norm.state_dict().items():
        torch.testing.assert_close(v, before[k], rtol=0, atol=0)


def test_one_value_per_field_is_refused() -> None:
    with pytest.raises(ValueError, match="one value per field"):
        BatchNorm(3 * C4.trivial)(torch.zeros(1, 3))
    BatchNorm(3 * C4.regular)(torch.randn(1, 12))


@pytest.mark.parametrize("name", ["C5", "uniform"])
def test_low_precision_keeps_float32_statistics(name: str) -> None:
    type = ALL[name]
    norm = BatchNorm(type)
    x = draw(type, 8, 8).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = norm(x.bfloat16())
    assert y.dtype == torch.bfloat16 and norm.running_var.dtype == torch.float32
    exact = BatchNorm(type)
    torch.testing.assert_close(y.float(), exact(x), rtol=0.03, atol=0.05)
    torch.testing.assert_close(norm.running_var, exact.running_var, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["uniform", "C5"])
@pytest.mark.parametrize("layer", ["BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm"])
def test_tooling(layer: str, name: str) -> None:
    tooling(randomise(LAYERS[layer](ALL[name])), draw(ALL[name], 2, 2))


@pytest.mark.parametrize("name", ["uniform", "C5"])
def test_training_step_compiles_and_differentiates_twice(name: str) -> None:
    type = ALL[name]
    norm = randomise(BatchNorm(type)).train()
    x = draw(type, 2, 2)
    compiled = torch.compile(norm, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), norm(x), rtol=0, atol=1e-10)
    assert torch.autograd.gradgradcheck(norm, (x.clone().requires_grad_(),), atol=1e-5)


@pytest.mark.parametrize("shape", [(), (3,), (3, 2), (2, 2, 2)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("name", [*TYPES, "D4 permutation"])
def test_eager_path_equals_the_definition(name: str, affine: bool, shape: tuple[int, ...]) -> None:
    type = ALL[name]
    norm = randomise(BatchNorm(type, affine=affine)).train()
    x = draw(type, *shape).requires_grad_()
    wanted = [x, *norm.parameters()]
    g = draw(type, *shape, seed=3)
    y, mean, var = norm.by_blocks(x, norm.weight, norm.bias)
    fast = EagerFieldNorm.apply(x, norm.weight, norm.bias, norm)
    for a, b in zip(fast, (y, mean, var), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    pairs = zip(torch.autograd.grad(fast[0], wanted, g), torch.autograd.grad(y, wanted, g), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["C5", "uniform"])
def test_any_memory_format(name: str) -> None:
    x = draw(ALL[name], 4, 3).requires_grad_()
    g = draw(ALL[name], 4, 3, seed=2)
    norm = BatchNorm(ALL[name]).double()
    y = norm(x)
    (want,) = torch.autograd.grad(y, x, g)
    formats = (lambda v: v.contiguous(memory_format=torch.channels_last), lambda v: v.mT.contiguous().mT)
    for first in formats:
        for second in (*formats, lambda v: v):
            other = first(x.detach()).requires_grad_()
            z = norm(other)
            torch.testing.assert_close(z, y, rtol=0, atol=1e-12)
            torch.testing.assert_close(torch.autograd.grad(z, other, second(g))[0], want, rtol=0, atol=1e-12)


def test_bake_folds_into_the_convolution_before() -> None:
    type = 3 * D3.regular
    net = nn.Sequential(nn.Conv2d(2, type.size, 3), randomise(BatchNorm(type))).double().eval()
    baked = st.nn.bake(net)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    assert [m.__class__ for m in baked] == [nn.Conv2d]
    torch.testing.assert_close(baked(x), net(x), rtol=0, atol=1e-10)
    chain = nn.Sequential(nn.Linear(2, type.size), randomise(BatchNorm(type))).double().eval()
    assert [m.__class__ for m in st.nn.bake(chain)] == [nn.Linear]
    torch.testing.assert_close(st.nn.bake(chain)(x[..., 0, 0]), chain(x[..., 0, 0]), rtol=0, atol=1e-10)


def test_errors_name_the_mend() -> None:
    type = TYPES["C5"]
    with pytest.raises(ValueError, match="expects 17"):
        BatchNorm(type)(torch.zeros(2, 3, 4, 4))
    with pytest.raises(TypeError, match="FieldType"):
        LayerNorm(16)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="divide the 6 fields"):
        GroupNorm(type, 4)
    with pytest.raises(ValueError, match="track_running_stats"):
        BatchNorm(type, track_running_stats=False).bake()


@pytest.mark.parametrize("two", [False, True])
def test_compiled_training_equals_eager(two: bool) -> None:
    """Compilers take the moments from the channels: same output, gradients and running statistics."""
    group = st.C(8)
    kind = 4 * group.regular + (3 * group.trivial + 2 * group.irrep("1") if two else 2 * group.regular)
    eager = st.nn.BatchNorm(kind).double()
    with torch.no_grad():
        for p in eager.parameters():
            p.normal_(generator=torch.Generator().manual_seed(0))
    other = copy.deepcopy(eager)
    compiled = torch.compile(other, backend="aot_eager", fullgraph=True)
    x = (3 * torch.randn(5, kind.size, 7, 6, dtype=torch.float64) + 2).requires_grad_()
    for _ in range(2):
        y, z = eager(x), compiled(x)
        grad = torch.randn_like(y)
        pairs = zip(
            (y, *torch.autograd.grad(y, (x, *eager.parameters()), grad), *eager.buffers()),
            (z, *torch.autograd.grad(z, (x, *other.parameters()), grad), *other.buffers()),
            strict=True,
        )
        for a, b in pairs:
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
