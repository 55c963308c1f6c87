"""The largest eigenvalues of a sparse symmetric matrix."""

from __future__ import annotations

import torch
from torch import Tensor

# matrices up to this size are decomposed whole
DENSE = 2000


def largest_pairs(rows: Tensor, columns: Tensor, values: Tensor, size: int, k: int) -> tuple[Tensor, Tensor]:
    """The `k` largest eigenvalues, falling, and unit eigenvectors ``[size, k]``.

    Args:
        rows, columns, values: entries of a symmetric matrix.
        size: its number of rows.
        k: how many.

    Raises:
        ValueError: for `k` below 1 or above what the method gives.
    """
    most = size if size <= DENSE else size // 3
    if not 1 <= k <= most:
        raise ValueError(f"eigenmaps: k is {k} of {size} samples; expected 1 to {most}")
    matrix = torch.sparse_coo_tensor(torch.stack([rows, columns]), values, (size, size), check_invariants=False)
    if size <= DENSE:
        found, vectors = torch.linalg.eigh(matrix.to_dense())
        return found.flip(0)[:k], vectors.flip(1)[:, :k]
    start = torch.randn(size, min(k + 8, most), dtype=values.dtype, generator=torch.Generator().manual_seed(0))
    found, vectors = torch.lobpcg(matrix.coalesce(), X=start, largest=True, niter=500, tol=1e-9)
    return found[:k], vectors[:, :k]
