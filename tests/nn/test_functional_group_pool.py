"""The maximum over permuted values: its eager gradient equals the library's, also at ties, in every layout."""

from __future__ import annotations

import pytest
import torch

from steerable.nn.functional.group_pool import formula_backward, group_max_pool

SHAPES = [(2, 3, 8, 5, 7), (4, 16, 8, 32, 32), (3, 2, 5), (2, 4, 6, 9), (1, 1, 4, 3, 3, 3)]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_equals_the_library_at_ties(shape: tuple[int, ...], dtype: torch.dtype, channels_last: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 3, shape, generator=generator).to(dtype)  # few values: many ties
    if channels_last and len(shape) == 5:
        x = x.flatten(1, 2).to(memory_format=torch.channels_last).unflatten(1, shape[1:3])
    x.requires_grad_()
    y = group_max_pool(x)
    grad = torch.randn(y.shape, generator=generator).to(dtype)
    (ours,) = torch.autograd.grad(y, x, grad)
    (theirs,) = torch.autograd.grad(x.amax(2), x, grad)
    assert torch.equal(y, x.amax(2)) and torch.equal(ours, theirs)
    torch.testing.assert_close(formula_backward(x, y, grad), theirs)


def test_second_derivatives_and_empty_batches() -> None:
    x = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(group_max_pool, x) and torch.autograd.gradgradcheck(group_max_pool, x)
    empty = torch.zeros(0, 3, 4, 5, 5, requires_grad=True)
    group_max_pool(empty).sum().backward()
    assert empty.grad is not None and empty.grad.shape == empty.shape


def test_compiled_and_batched_gradients() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    compiled = torch.compile(lambda z: group_max_pool(z), backend="aot_eager", fullgraph=True)
    (traced,) = torch.autograd.grad(compiled(x).sum(), x)
    (eager,) = torch.autograd.grad(group_max_pool(x).sum(), x)
    torch.testing.assert_close(traced, eager)
    many = torch.ones(3, 2, 3, 5)
    (batched,) = torch.autograd.grad(group_max_pool(x), x, many, is_grads_batched=True)
    torch.testing.assert_close(batched, eager.expand(3, -1, -1, -1, -1))
