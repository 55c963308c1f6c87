"""Invariants of permuted fields: the largest, or the mean, of the values that the group permutes."""

from __future__ import annotations

from torch import Tensor


def _check(name: str, x: Tensor) -> None:
    if x.dim() < 3:
        raise ValueError(
            f"{name}: x has shape {tuple(x.shape)}; expected [B, m, n, *S] with n permuted values per field."
        )


def group_max_pool(x: Tensor) -> Tensor:
    """The largest of the permuted values of each field.

    Where several values tie the gradient is shared evenly among them, so that the gradient is equivariant too
    (a choice of the first one would depend on the order of the group's elements).

    Args:
        x: ``[B, m, n, *S]``.

    Returns:
        ``[B, m, *S]``.

    Source: Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016, section 6.3.
    """
    _check("group_max_pool", x)
    return x.amax(dim=2)


def group_mean_pool(x: Tensor) -> Tensor:
    """The mean of the permuted values of each field: ``[B, m, n, *S] -> [B, m, *S]``."""
    _check("group_mean_pool", x)
    return x.mean(dim=2)
