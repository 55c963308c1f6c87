"""Linear maps between irreps, block by block: by Schur's lemma different irreps never mix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.kernels.bank import FilterBank


@dataclass(frozen=True)
class SchurBlock:
    """One irrep: its channels on both sides, and which segment of the weights maps them.

    Attributes:
        start, stop: input channels.
        out_size: number of output channels.
        segment: index of the weights, or -1 where the input lacks the irrep.
        fields: ``(m_out, m_in)``.
        dim: dimension of the irrep.
        real: whether the irrep is of real type, so that its components never mix.
    """

    start: int
    stop: int
    out_size: int
    segment: int
    fields: tuple[int, int]
    dim: int
    real: bool


def schur_plan(bank: FilterBank) -> tuple[SchurBlock, ...] | None:
    """Blocks of a one-point map in the order of the output channels, or ``None`` if a type is not split into irreps."""
    for part in (*bank.out_parts, *bank.in_parts):
        if not (part.rep.is_irrep and part.contiguous):
            return None
    if len(bank.out_parts) < 2 or len(bank.in_parts) < 2:
        return None
    blocks = []
    for a, out in sorted(enumerate(bank.out_parts), key=lambda p: p[1].channels[0, 0]):
        found = [(n, s) for n, s in enumerate(bank.segments) if s.out_part == a]
        real = out.rep.group.irrep_info(out.rep.irreps[0]).type == 1
        if not found:
            blocks.append(SchurBlock(0, 0, out.channels.size, -1, (len(out.channels), 0), out.rep.size, real))
            continue
        n, segment = found[0]
        into = bank.in_parts[segment.in_part]
        start = int(into.channels[0, 0])
        blocks.append(SchurBlock(start, start + into.channels.size, out.channels.size, n,
                                 (len(out.channels), len(into.channels)), out.rep.size, real))
    return tuple(blocks)


def schur_map(x: Tensor, weights: list[Tensor], banks: list[Tensor], blocks: tuple[SchurBlock, ...]) -> Tensor:
    """Apply the blocks to ``x [B, C, *S]``.

    Args:
        x: input.
        weights: ``[m_out * m_in, c]`` for each segment.
        banks: ``[c, d * d]`` commutant bases for each segment.
        blocks: from :func:`schur_plan`.

    Returns:
        ``[B, C_out, *S]``.
    """
    space = x.shape[2:]
    parts = []
    for b in blocks:
        if b.segment < 0:
            parts.append(x.new_zeros(x.shape[0], b.out_size, *space))
            continue
        piece = x[:, b.start : b.stop]
        w, bank = weights[b.segment], banks[b.segment]
        m_out, m_in = b.fields
        if b.real and len(space) and b.dim > 1:  # the same matrix for every component: more columns, fewer rows
            matrix = (w * bank[0, 0]).view(m_out, m_in)
            y = torch.matmul(matrix, piece.unflatten(1, (m_in, b.dim)).flatten(2))
        else:
            matrix = (w @ bank).view(m_out, m_in, b.dim, b.dim).transpose(1, 2).reshape(m_out * b.dim, m_in * b.dim)
            y = torch.matmul(matrix, piece.flatten(2)) if len(space) else piece @ matrix.T
        parts.append(y.reshape(x.shape[0], b.out_size, *space))
    return torch.cat(parts, 1)
