"""The law of permutations: an axis whose order means nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated, tolerance


def permutation_error(module: nn.Module, x: Tensor, dim: int = 0) -> float:
    """Relative error of ``f(permuted x) = permuted f(x)`` along one axis: samples of a batch, points of a cloud."""
    order = torch.randperm(x.shape[dim], generator=torch.Generator().manual_seed(1)).to(x.device)
    order = order.roll(1) if torch.equal(order, torch.arange(len(order), device=x.device)) else order
    with evaluated(module) as call:
        return relative_error(call(x.index_select(dim, order)), call(x).index_select(dim, order))


def batch_error(module: nn.Module, x: Tensor) -> float:
    """Largest relative error between a sample in a batch and the same sample alone, in eval."""
    with evaluated(module) as call:
        together = call(x)
        return max(relative_error(call(x[i : i + 1]), together[i : i + 1]) for i in range(len(x)))


def assert_permutation_equivariant(module: nn.Module, x: Tensor, dim: int = 0, atol: float | None = None) -> None:
    """Fail unless permuting an axis of the input permutes that of the output.

    Raises:
        AssertionError: naming the axis and the error.
    """
    error, limit = permutation_error(module, x, dim), tolerance(x) if atol is None else atol
    if not error <= limit:
        raise AssertionError(
            f"{type(module).__name__} depends on the order along axis {dim}: relative error {error:.1e}, "
            f"allowed {limit:.0e}"
        )


def assert_batch_independent(module: nn.Module, x: Tensor, atol: float | None = None) -> None:
    """Fail unless every sample gives the same result alone and in a batch, in eval.

    Raises:
        AssertionError: with the error.
    """
    error, limit = batch_error(module, x), tolerance(x) if atol is None else atol
    if not error <= limit:
        raise AssertionError(
            f"{type(module).__name__}: a sample gives another result alone than in its batch of {len(x)}: "
            f"relative error {error:.1e}, allowed {limit:.0e}"
        )
