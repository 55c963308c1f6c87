"""The law of permutations: an axis whose order means nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated, tolerance


def one_cycle(groups: Tensor) -> Tensor:
    """A random order ``[n]`` within each group of equal numbers ``groups [n]`` (ascending) that leaves none in place.

    One cycle through all members: a fault that singles out the first one is seen, and so is any in a group of two.
    """
    noise = torch.rand(len(groups), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ring = torch.argsort(groups.double().cpu() + noise * 0.999, stable=True).to(groups.device)
    count = torch.bincount(groups)
    start = (count.cumsum(0) - count)[groups]
    after = start + (torch.arange(len(groups), device=groups.device) + 1 - start) % count[groups]
    return torch.empty_like(ring).index_copy(0, ring, ring[after])


def permutation_error(module: nn.Module, x: Tensor, dim: int = 0) -> float:
    """Relative error of ``f(permuted x) = permuted f(x)`` along one axis: samples of a batch, points of a cloud."""
    order = one_cycle(torch.zeros(x.shape[dim], dtype=torch.int64, device=x.device))
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
