"""The norm activation: its definition, its lean form, and every transform that must see through it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from steerable.nn.functional import norm_act, norm_act_blocks, norm_act_irreps
from steerable.nn.functional.layout import channels, norms, runs
from steerable.nn.functional.norm_act import formula_backward, plain_norm_act
from steerable.nn.functional.norm_act_eager import norm_act_backward, norm_act_forward
from steerable.nn.functional.norm_functions import NORM_FUNCTIONS

# Two blocks of different representations: irreps of unequal dimensions that interleave, and a run that does not.
LAYOUT = ((2, (1, 2, 2, 1)), (3, (3,)))
FUNCTIONS = sorted(NORM_FUNCTIONS)
EPS = 1e-5


def inputs(*space: int, batch: int = 2, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels(LAYOUT), *space, generator=generator, dtype=dtype)
    bias = 0.7 * torch.randn(norms(LAYOUT), generator=generator, dtype=dtype)
    return x, bias, torch.randn(x.shape, generator=generator, dtype=dtype)


def test_definition_on_numbers() -> None:
    v = torch.tensor([3.0, 4.0], dtype=torch.float64).view(1, 1, 2)
    shorter = norm_act(v, torch.tensor([-2.0], dtype=torch.float64), eps=0.0)
    torch.testing.assert_close(shorter, v * 3 / 5)
    assert norm_act(v, torch.tensor([-6.0], dtype=torch.float64)).abs().max() == 0
    squashed = norm_act(v, torch.zeros(1, dtype=torch.float64), "squash", eps=0.0)
    assert squashed.norm().item() == pytest.approx(25 / 26)
    soft = norm_act(v, torch.ones(1, dtype=torch.float64), "softplus", eps=0.0)
    assert soft.norm().item() == pytest.approx(math.log1p(math.exp(6.0)))


def test_runs_gather_equal_neighbours() -> None:
    assert [(r.start, r.stop, r.dim, r.count, r.first, r.last) for r in runs((1, 2, 2, 2))] == [
        (0, 1, 1, 1, 0, 1),
        (1, 7, 2, 3, 1, 4),
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_turns_with_its_input(function: str) -> None:
    x, bias, _ = inputs(3)
    q = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    turn = torch.eye(channels(LAYOUT), dtype=torch.float64)
    for field in range(3):
        turn[12 + 3 * field : 15 + 3 * field, 12 + 3 * field : 15 + 3 * field] = q
    before = norm_act_blocks(torch.einsum("ij,bjp->bip", turn, x), LAYOUT, bias, function)
    after = torch.einsum("ij,bjp->bip", turn, norm_act_blocks(x, LAYOUT, bias, function))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-12)


def test_law_catches_a_bias_on_components() -> None:
    """Planted fault: one bias per component instead of one per irrep must break the law above."""
    x, _, _ = inputs(3)
    bias = torch.linspace(-1, 1, 21, dtype=torch.float64)
    broken = (1, (1,) * channels(LAYOUT))
    turn = torch.eye(21, dtype=torch.float64)
    turn[1:3, 1:3] = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    before = norm_act_blocks(torch.einsum("ij,bjp->bip", turn, x), (broken,), bias)
    after = torch.einsum("ij,bjp->bip", turn, norm_act_blocks(x, (broken,), bias))
    assert (before - after).abs().max() > 1e-2


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("space", [(), (5,), (4, 3), (70, 70)])
def test_lean_equals_definition(function: str, space: tuple[int, ...]) -> None:
    x, bias, grad = inputs(*space, batch=3)
    torch.testing.assert_close(
        norm_act_forward(x, bias, LAYOUT, function, EPS),
        plain_norm_act(x, bias, LAYOUT, function, EPS),
        rtol=1e-11,
        atol=1e-12,
    )
    x.requires_grad_(), bias.requires_grad_()
    wanted = torch.autograd.grad(plain_norm_act(x, bias, LAYOUT, function, EPS), (x, bias), grad)
    for form in (norm_act_backward, formula_backward):
        found = form(x.detach(), bias.detach(), grad, LAYOUT, function, EPS)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_lean_equals_definition_over_many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """With tiny tiles every cut is made: batches, fields and points."""
    import steerable.nn.functional.tiles as module

    x, bias, grad = inputs(200, batch=3)
    wanted = norm_act_forward(x, bias, LAYOUT, "relu", EPS), *norm_act_backward(x, bias, grad, LAYOUT, "relu", EPS)
    for elements in (1, 500, 3000, 20000):
        monkeypatch.setattr(module, "_ELEMENTS", elements)
        found = norm_act_forward(x, bias, LAYOUT, "relu", EPS), *norm_act_backward(x, bias, grad, LAYOUT, "relu", EPS)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("layout", ["channels_last", "transposed", "strided", "expanded"])
def test_any_strides(layout: str) -> None:
    x, bias, grad = inputs(6, 4)
    given = {
        "channels_last": lambda t: t.contiguous(memory_format=torch.channels_last),
        "transposed": lambda t: t.mT.contiguous().mT,
        "strided": lambda t: torch.cat([t, t], 3)[..., :4],
        "expanded": lambda t: t[:1].expand(2, -1, -1, -1),
    }[layout](x)
    for g in (grad, grad.contiguous(memory_format=torch.channels_last), grad.sum().expand_as(grad)):
        a, b = given.detach().requires_grad_(), given.contiguous().detach().requires_grad_()
        y, wanted = norm_act_blocks(a, LAYOUT, bias), plain_norm_act(b, bias, LAYOUT, "relu", EPS)
        torch.testing.assert_close(y, wanted)
        torch.testing.assert_close(torch.autograd.grad(y, a, g)[0], torch.autograd.grad(wanted, b, g)[0])
    if layout == "channels_last":
        assert norm_act_blocks(given, LAYOUT, bias).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradcheck(function: str) -> None:
    x, bias, _ = inputs(2, batch=1)
    x.requires_grad_(), bias.requires_grad_()
    f = lambda x, b: norm_act_blocks(x, LAYOUT, b, function)  # noqa: E731
    assert gradcheck(f, (x, bias), check_batched_grad=True, check_forward_ad=True)
    assert gradgradcheck(f, (x, bias), gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    x, bias, grad = inputs(5, 4)
    wanted = norm_act_blocks(x.to(dtype).double(), LAYOUT, bias)
    a = x.to(dtype).requires_grad_()
    for y in (norm_act_blocks(a, LAYOUT, bias.float()), plain_norm_act(a, bias.float(), LAYOUT, "relu", EPS)):
        assert y.dtype == dtype
        torch.testing.assert_close(y.double(), wanted, rtol=4 * torch.finfo(dtype).eps, atol=4 * torch.finfo(dtype).eps)
        assert torch.autograd.grad(y, a, grad.to(dtype))[0].dtype == dtype


@pytest.mark.parametrize("function", FUNCTIONS)
def test_finite_at_zero(function: str) -> None:
    x = torch.zeros(2, channels(LAYOUT), 3, requires_grad=True)
    bias = torch.linspace(-1, 1, norms(LAYOUT)).requires_grad_()
    y = norm_act_blocks(x, LAYOUT, bias, function)
    first = torch.autograd.grad(y.sum(), (x, bias), create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, bias))
    assert all(t.isfinite().all() for t in (y, *first, *second))


def test_vmap_and_jvp() -> None:
    x, bias, tangent = inputs(3)
    f = lambda x: norm_act_blocks(x, LAYOUT, bias)  # noqa: E731
    stacked = torch.stack([x, 2 * x])
    torch.testing.assert_close(torch.vmap(f)(stacked), torch.stack([f(x), f(2 * x)]))
    value, slope = torch.func.jvp(f, (x,), (tangent,))
    torch.testing.assert_close(value, f(x))
    h = 1e-6
    torch.testing.assert_close(slope, (f(x + h * tangent) - f(x - h * tangent)) / (2 * h), rtol=1e-6, atol=1e-7)
    per_sample = torch.vmap(torch.func.grad(lambda x: norm_act_blocks(x[None], LAYOUT, bias).square().sum()))(x)
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(per_sample, torch.autograd.grad(f(leaf).square().sum(), leaf)[0])


@pytest.mark.parametrize("function", ["relu", "sigmoid"])
def test_compile_fullgraph(function: str) -> None:
    x, bias, grad = inputs(4, 3)
    x.requires_grad_(), bias.requires_grad_()
    f = lambda x, b: norm_act_blocks(x, LAYOUT, b, function)  # noqa: E731
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, bias), f(x, bias))
    for a, b in zip(
        torch.autograd.grad(compiled(x, bias), (x, bias), grad),
        torch.autograd.grad(f(x, bias), (x, bias), grad),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, bias), f(x, bias))


def test_compiled_transforms() -> None:
    x, bias, _ = inputs(3)
    f = torch.vmap(lambda x: norm_act_blocks(x, LAYOUT, bias))
    stacked = torch.stack([x, 2 * x])
    torch.testing.assert_close(torch.compile(f, fullgraph=True, backend="aot_eager")(stacked), f(stacked))


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.linspace(-1, 1, norms(LAYOUT)))

    def forward(self, x: Tensor) -> Tensor:
        return norm_act_blocks(x, LAYOUT, self.bias)


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict: bool) -> None:
    layer, x = Layer(), inputs(4, 3, dtype=torch.float32)[0]
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: batch},), strict=strict)
    bigger = torch.cat([x, x, x])
    torch.testing.assert_close(program.module()(bigger), layer(bigger))


def test_empty_batch_and_no_gradient() -> None:
    bias = torch.zeros(norms(LAYOUT), requires_grad=True)
    x = torch.zeros(0, channels(LAYOUT), 4, 4, requires_grad=True)
    y = norm_act_blocks(x, LAYOUT, bias)
    y.sum().backward()
    assert y.shape == x.shape and x.grad is not None and x.grad.shape == x.shape
    assert bias.grad is not None and bias.grad.abs().max() == 0
    x, bias, _ = inputs(4)
    assert not norm_act_blocks(x, LAYOUT, bias).requires_grad


def test_without_bias_relu_is_the_identity() -> None:
    x = inputs(4)[0]
    torch.testing.assert_close(norm_act_blocks(x, LAYOUT), x)
    assert norm_act_irreps(x.unflatten(1, (3, 7)), (1, 2, 4), None, "sigmoid").shape == (2, 3, 7, 4)


def test_saves_its_input_only() -> None:
    x, bias, _ = inputs(8, 8)
    x.requires_grad_()
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        norm_act_blocks(x, LAYOUT, bias)
    assert sum(t.numel() for t in kept) == x.numel() + bias.numel()


def test_errors_teach() -> None:
    x = torch.zeros(2, 21, 3)
    with pytest.raises(ValueError, match=r"\(2, 20, 3\).*21"):
        norm_act_blocks(torch.zeros(2, 20, 3), LAYOUT)
    with pytest.raises(ValueError, match="relu, sigmoid, softplus, squash"):
        norm_act_blocks(x, LAYOUT, function="rleu")
    with pytest.raises(ValueError, match="one per irrep"):
        norm_act_blocks(x, LAYOUT, torch.zeros(3))
    with pytest.raises(ValueError, match="unflatten"):
        norm_act(torch.zeros(2, 3))
