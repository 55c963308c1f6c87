"""Invariants of irreducible fields: their lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.aggregate.paths import accumulation_dtype
from steerable.nn.functional.layout import merge_dims, runs

EPS = 1e-8


def norm_pool(x: Tensor, dims: tuple[int, ...] | None = None, eps: float = EPS) -> Tensor:
    """``sqrt(|v|^2 + eps)`` of each irrep of each field.

    Args:
        x: ``[B, m, D, *S]``.
        dims: dimensions of the irreps of one field, which add up to D; None for one irrep of dimension D.
        eps: keeps the gradient at v = 0 finite (it is zero there).

    Returns:
        ``[B, m * len(dims), *S]``, field by field.

    Raises:
        ValueError: if the dimensions do not add up.
    """
    dims = (x.shape[2],) if dims is None and x.dim() > 2 else tuple(dims or ())
    if x.dim() < 3 or x.shape[2] != sum(dims):
        raise ValueError(
            f"norm_pool: x has shape {tuple(x.shape)}; expected [B, m, {sum(dims)}, *S] for dimensions {dims}."
        )
    dtype = accumulation_dtype(x)
    lengths = [torch.sqrt(run.split(x).to(dtype).square().sum(3) + eps) for run in runs(dims)]
    return merge_dims(lengths[0] if len(lengths) == 1 else torch.cat(lengths, 2), 1).to(x.dtype)
