"""Linear maps of coefficients: copies of an irrep are mixed, different irreps never meet, all components are alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def mix_copies(
    x: Tensor,
    shapes: Sequence[tuple[int, int, int]],
    numbers: Tensor,
    into: Tensor,
    out: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """One small matrix for each irrep, in place of a large one that is nearly empty.

    Args:
        x: ``[B, C_in, *S]``.
        shapes: for each irrep the rows and columns of its matrix, and the number of components that it acts on alike.
        numbers: the entries of all matrices, one after the other.
        into: the input channels ``[sum columns * components]`` that they read, components last.
        out: where each output channel stands in their answers ``[sum rows * components]``; one past the end: zero.
        bias: ``[C_out]`` or ``None``.

    Returns:
        ``[B, C_out, *S]``.
    """
    x = x.transpose(0, 1)
    around = x.shape[1:]
    rows = x.flatten(1).index_select(0, into)  # samples last: a matrix meets all of them and all components at once
    matrices = numbers.split([n * m for n, m, _ in shapes])
    parts = rows.split([m * d for _, m, d in shapes])
    found = [(w.view(n, m) @ p.view(m, -1)).view(n * d, -1) for (n, m, d), w, p in zip(shapes, matrices, parts)]
    y = torch.cat(found) if found else rows
    y = F.pad(y, (0, 0, 0, 1)).index_select(0, out)
    if bias is not None:
        y = y + bias[:, None]
    return y.unflatten(1, around).transpose(0, 1)
