"""The Fourier activation: its definition, its lean form, its error as a function of the number of samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from steerable.nn.functional import fourier_act
from steerable.nn.functional.fourier_act import formula_backward, lean_backward, lean_forward, plain_fourier_act
from steerable.nn.functional.pointwise_functions import POINTWISE_FUNCTIONS

FUNCTIONS = sorted(POINTWISE_FUNCTIONS)


def circle(band: int, samples: int) -> tuple[Tensor, Tensor]:
    """Sampling matrix of real Fourier series up to `band` at equispaced angles, and its pseudo-inverse."""
    angle = 2 * math.pi * torch.arange(samples, dtype=torch.float64) / samples
    columns = [torch.ones_like(angle)]
    for k in range(1, band + 1):
        columns += [math.sqrt(2) * torch.cos(k * angle), math.sqrt(2) * torch.sin(k * angle)]
    sample = torch.stack(columns, 1)
    return sample, sample.T / samples


def turn(band: int, angle: float) -> Tensor:
    """How the coefficients turn."""
    parts = [torch.ones(1, 1, dtype=torch.float64)]
    for k in range(1, band + 1):
        c, s = math.cos(k * angle), math.sin(k * angle)
        parts.append(torch.tensor([[c, -s], [s, c]], dtype=torch.float64))
    return torch.block_diag(*parts)


def inputs(*space: int, batch: int = 2, fields: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, fields, 5, *space, generator=generator, dtype=torch.float64)
    return x, *circle(2, 12), torch.randn(x.shape, generator=generator, dtype=torch.float64)


def equivariance_error(band: int, samples: int, *angles: float, function: str = "relu") -> float:
    """The largest relative error over the angles."""
    sample, project = circle(band, samples)
    v = torch.randn(1, 1, 2 * band + 1, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    errors = []
    for rho in (turn(band, angle) for angle in angles):
        after = rho @ fourier_act(v, sample, project, function)
        errors.append(((fourier_act(rho @ v, sample, project, function) - after).norm() / after.norm()).item())
    return max(errors)


def test_exact_on_the_grid_and_convergent_off_it() -> None:
    for band in (1, 3):
        assert equivariance_error(band, 4 * band + 4, math.pi / 2) < 1e-14
        errors = [
            equivariance_error(band, n, 0.1, 0.377, 0.7, 1.3)
            for n in (2 * band + 1, 4 * band + 4, 8 * band + 8, 16 * band + 16)
        ]
        assert errors[0] > 0.15, "planted fault: at the critical rate the law must fail"
        assert errors[1] < 0.06
        # ReLU leaves coefficients that fall as 1/k^2: twice the samples, at least half the error.
        assert errors[2] < errors[1] / 2 and errors[3] < errors[2] / 2


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("space", [(), (5,), (4, 3), (90, 90)])
def test_lean_equals_definition(function: str, space: tuple[int, ...]) -> None:
    x, sample, project, grad = inputs(*space)
    torch.testing.assert_close(
        lean_forward(x, sample, project, function), plain_fourier_act(x, sample, project, function)
    )
    leaf = x.clone().requires_grad_()
    wanted = torch.autograd.grad(plain_fourier_act(leaf, sample, project, function), leaf, grad)[0]
    torch.testing.assert_close(lean_backward(x, sample, project, grad, function), wanted)
    torch.testing.assert_close(formula_backward(x, sample, project, grad, function), wanted)


def test_lean_equals_definition_over_many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    import steerable.nn.functional.tiles as module

    x, sample, project, grad = inputs(200)
    wanted = plain_fourier_act(x, sample, project, "relu"), formula_backward(x, sample, project, grad, "relu")
    for elements in (1, 500, 3000, 20000):
        monkeypatch.setattr(module, "_ELEMENTS", elements)
        torch.testing.assert_close(lean_forward(x, sample, project, "relu"), wanted[0])
        torch.testing.assert_close(lean_backward(x, sample, project, grad, "relu"), wanted[1])


@pytest.mark.parametrize("layout", ["channels_last", "transposed", "sliced", "expanded"])
def test_any_strides(layout: str) -> None:
    x, sample, project, grad = inputs(6, 4)
    given = {
        "channels_last": lambda t: t.flatten(1, 2).contiguous(memory_format=torch.channels_last).unflatten(1, (3, 5)),
        "transposed": lambda t: t.mT.contiguous().mT,
        "sliced": lambda t: torch.cat([t, t], 1)[:, 1:4],
        "expanded": lambda t: t[:1].expand(2, -1, -1, -1, -1),
    }[layout](x)
    a, b = given.detach().requires_grad_(), given.contiguous().detach().requires_grad_()
    y, wanted = fourier_act(a, sample, project), plain_fourier_act(b, sample, project, "relu")
    torch.testing.assert_close(y, wanted)
    for g in (grad, grad.sum().expand_as(grad)):
        torch.testing.assert_close(
            torch.autograd.grad(y, a, g, retain_graph=True)[0], torch.autograd.grad(wanted, b, g, retain_graph=True)[0]
        )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradcheck(function: str) -> None:
    x, sample, project, _ = inputs(2, fields=1)
    x.requires_grad_()
    f = lambda x: fourier_act(x, sample, project, function)  # noqa: E731
    assert gradcheck(f, (x,), check_batched_grad=True, check_forward_ad=True)
    assert gradgradcheck(f, (x,))


def test_learned_matrices_and_callables() -> None:
    x, sample, project, _ = inputs(2, fields=1)
    assert gradcheck(lambda a, b: fourier_act(x, a, b, torch.sin), (sample.requires_grad_(), project.requires_grad_()))
    assert gradcheck(lambda a, b: fourier_act(x, a, b, "tanh"), (sample, project))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    x, sample, project, grad = inputs(5, 4)
    wanted = fourier_act(x.to(dtype).double(), sample, project)
    a = x.to(dtype).requires_grad_()
    for y in (
        fourier_act(a, sample.float(), project.float()),
        plain_fourier_act(a, sample.float(), project.float(), "relu"),
    ):
        assert y.dtype == dtype
        torch.testing.assert_close(y.double(), wanted, rtol=4 * torch.finfo(dtype).eps, atol=4 * torch.finfo(dtype).eps)
        assert torch.autograd.grad(y, a, grad.to(dtype))[0].dtype == dtype


def test_autocast_keeps_the_matrices() -> None:
    x, sample, project, _ = (t.float() for t in inputs(5, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(fourier_act(x, sample, project), plain_fourier_act(x, sample, project, "relu"))
        assert fourier_act(x, sample, project).dtype == torch.float32


def test_vmap_and_jvp() -> None:
    x, sample, project, tangent = inputs(3)
    f = lambda x: fourier_act(x, sample, project, "silu")  # noqa: E731
    torch.testing.assert_close(torch.vmap(f)(torch.stack([x, 2 * x])), torch.stack([f(x), f(2 * x)]))
    h = 1e-6
    slope = torch.func.jvp(f, (x,), (tangent,))[1]
    torch.testing.assert_close(slope, (f(x + h * tangent) - f(x - h * tangent)) / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_fullgraph(dynamic: bool) -> None:
    x, sample, project, grad = inputs(4, 3)
    x.requires_grad_()
    f = lambda x: fourier_act(x, sample, project)  # noqa: E731
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    torch.testing.assert_close(compiled(x), f(x))
    torch.testing.assert_close(torch.autograd.grad(compiled(x), x, grad)[0], torch.autograd.grad(f(x), x, grad)[0])
    last = x.detach().flatten(1, 2).contiguous(memory_format=torch.channels_last).unflatten(1, (3, 5))
    torch.testing.assert_close(compiled(last), f(last))


def test_operators_are_well_formed() -> None:
    x, sample, project, _ = inputs(4, 3)
    torch.library.opcheck(torch.ops.steerable.fourier_act.default, (x.requires_grad_(), sample, project, "relu"))


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sample, project = circle(2, 12)
        self.register_buffer("sample", sample, persistent=False)
        self.register_buffer("project", project, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return fourier_act(x.unflatten(1, (3, 5)), self.sample, self.project).flatten(1, 2)


@pytest.mark.parametrize("strict", [False, True])
def test_export_has_ordinary_operators(strict: bool) -> None:
    layer, x = Layer(), inputs(4, 3)[0].flatten(1, 2)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},), strict=strict)
    bigger = torch.cat([x, x, x])
    torch.testing.assert_close(program.module()(bigger), layer(bigger))
    assert not any("steerable" in str(node.target) for node in program.graph.nodes)


def test_empty_batch_and_saved_input() -> None:
    x, sample, project, _ = inputs(4, 3)
    empty = x[:0].clone().requires_grad_()
    fourier_act(empty, sample, project).sum().backward()
    assert empty.grad is not None and empty.grad.shape == empty.shape
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        fourier_act(x.requires_grad_(), sample, project)
    assert sum(t.numel() for t in kept) == x.numel() + sample.numel() + project.numel()


def test_errors_teach() -> None:
    x, sample, project, _ = inputs(4)
    with pytest.raises(ValueError, match=r"\[B, m, 5, \*S\]"):
        fourier_act(x.flatten(1, 2), sample, project)
    with pytest.raises(ValueError, match=r"\[N, d\] and \[d, N\]"):
        fourier_act(x, sample, sample)
    with pytest.raises(ValueError, match="silu"):
        fourier_act(x, sample, project, "swish")
