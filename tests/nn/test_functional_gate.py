"""The gate, and the invariants of fields."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from steerable.nn.functional import gate, group_max_pool, group_mean_pool, norm_pool
from steerable.nn.functional.gate import plain_gate


def inputs(*space: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    both = torch.randn(batch, 3 * 4, *space, generator=generator, dtype=torch.float64)
    scalars, v = (
        both[:, :3].unflatten(1, (3, 1)),
        both[:, 3:].unflatten(1, (3, 3)),
    )  # slices of one tensor, as a layer has them
    return scalars, v, torch.randn(v.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("space", [(), (5,), (4, 3), (150, 150)])
def test_lean_equals_definition(space: tuple[int, ...]) -> None:
    scalars, v, grad = inputs(*space)
    for order in (torch.contiguous_format, torch.channels_last):
        if order is torch.channels_last and len(space) != 2:
            continue
        s, x = (
            t.flatten(1, 2).contiguous(memory_format=order).unflatten(1, t.shape[1:3]).requires_grad_()
            for t in (scalars, v)
        )
        y, wanted = gate(s, x), plain_gate(s, x)
        torch.testing.assert_close(y, wanted)
        for a, b in zip(torch.autograd.grad(y, (s, x), grad), torch.autograd.grad(wanted, (s, x), grad), strict=True):
            torch.testing.assert_close(a, b)


def test_gradcheck() -> None:
    scalars, v, _ = (t.detach().clone().requires_grad_() for t in inputs(2))
    assert gradcheck(gate, (scalars, v), check_batched_grad=True, check_forward_ad=True)
    assert gradgradcheck(gate, (scalars, v))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    scalars, v, grad = (t.to(dtype).requires_grad_() for t in inputs(3, 3))
    y = gate(scalars, v)
    assert y.dtype == dtype
    torch.testing.assert_close(
        y.double(), plain_gate(scalars.double(), v.double()), rtol=4 * torch.finfo(dtype).eps, atol=1e-3
    )
    assert [g.dtype for g in torch.autograd.grad(y, (scalars, v), grad)] == [dtype, dtype]


def test_tools_see_through_the_gate() -> None:
    scalars, v, grad = inputs(3, 3)
    torch.testing.assert_close(
        torch.vmap(gate)(torch.stack([scalars, -scalars]), torch.stack([v, v])),
        torch.stack([gate(scalars, v), gate(-scalars, v)]),
    )
    compiled = torch.compile(gate, fullgraph=True, backend="aot_eager")
    s, x = scalars.detach().requires_grad_(), v.detach().requires_grad_()
    for a, b in zip(
        torch.autograd.grad(compiled(s, x), (s, x), grad), torch.autograd.grad(gate(s, x), (s, x), grad), strict=True
    ):
        torch.testing.assert_close(a, b)
    empty = gate(s[:0], x[:0])
    empty.sum().backward()
    assert empty.shape == (0, 3, 3, 3, 3)


def test_gate_error_teaches() -> None:
    with pytest.raises(ValueError, match="one gate per field"):
        gate(torch.zeros(2, 2, 1, 4), torch.zeros(2, 3, 2, 4))


def test_group_pools() -> None:
    x = torch.tensor([[[1.0, 3.0, 3.0, 2.0]]], dtype=torch.float64, requires_grad=True)
    assert group_max_pool(x).item() == 3 and group_mean_pool(x).item() == 2.25
    # Ties share the gradient: it is permuted with the values.
    gradient = torch.autograd.grad(group_max_pool(x).sum(), x)[0]
    torch.testing.assert_close(gradient, torch.tensor([[[0, 0.5, 0.5, 0]]], dtype=torch.float64))
    y = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    for pool in (group_max_pool, group_mean_pool):
        assert gradcheck(pool, (y,)) and gradgradcheck(pool, (y,))
        assert pool(y[:0]).shape == (0, 3, 5)
        torch.testing.assert_close(pool(y.roll(1, 2)), pool(y))
        with pytest.raises(ValueError, match=pool.__name__):
            pool(torch.zeros(2, 3))


def test_norm_pool() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    y = norm_pool(x, (1, 2, 2))
    assert y.shape == (2, 9, 4)
    torch.testing.assert_close(y[:, 1], x[:, 0, 1:3].norm(dim=1))
    torch.testing.assert_close(norm_pool(x)[:, 2], x[:, 2].norm(dim=1))
    assert gradcheck(lambda x: norm_pool(x, (1, 2, 2)), (x,)) and gradgradcheck(lambda x: norm_pool(x, (1, 2, 2)), (x,))
    zero = torch.zeros(1, 2, 3, requires_grad=True)
    gradient = torch.autograd.grad(norm_pool(zero).sum(), zero)[0]
    assert gradient.abs().max() == 0
    assert norm_pool(x[:0], (1, 2, 2)).shape == (0, 9, 4)
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 4\).*6"):
        norm_pool(x, (2, 4))
