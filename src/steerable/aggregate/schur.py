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
        source: which piece of the input it reads, -1 where the input lacks the irrep.
        out_size: number of output channels.
        segment: index of the weights, or -1 likewise.
        fields: ``(m_out, m_in)``.
        dim: dimension of the irrep.
        real: whether the irrep is of real type, so that its components never mix.
    """

    source: int
    out_size: int
    segment: int
    fields: tuple[int, int]
    dim: int
    real: bool


@dataclass(frozen=True)
class SchurPlan:
    """The blocks in the order of the output channels, and the sizes of the pieces that tile the input channels."""

    sizes: tuple[int, ...]
    blocks: tuple[SchurBlock, ...]


def schur_plan(bank: FilterBank) -> SchurPlan | None:
    """How to apply a one-point map block by block, or ``None`` if a type is not split into irreps."""
    for part in (*bank.out_parts, *bank.in_parts):
        if not (part.rep.is_irrep and part.contiguous):
            return None
    if len(bank.out_parts) < 2 or len(bank.in_parts) < 2:
        return None
    order = sorted(range(len(bank.in_parts)), key=lambda n: bank.in_parts[n].channels[0, 0])
    blocks = []
    for a, out in sorted(enumerate(bank.out_parts), key=lambda p: p[1].channels[0, 0]):
        found = [(n, s) for n, s in enumerate(bank.segments) if s.out_part == a]
        real = out.rep.group.irrep_info(out.rep.irreps[0]).type == 1
        if not found:
            blocks.append(SchurBlock(-1, out.channels.size, -1, (len(out.channels), 0), out.rep.size, real))
            continue
        n, segment = found[0]
        into = bank.in_parts[segment.in_part]
        blocks.append(
            SchurBlock(
                order.index(segment.in_part),
                out.channels.size,
                n,
                (len(out.channels), len(into.channels)),
                out.rep.size,
                real,
            )
        )
    return SchurPlan(tuple(bank.in_parts[n].channels.size for n in order), tuple(blocks))


def schur_map(x: Tensor, weights: list[Tensor], banks: list[Tensor], plan: SchurPlan) -> Tensor:
    """Apply the blocks to ``x [B, C, *S]``.

    Args:
        x: input.
        weights: ``[m_out * m_in, c]`` for each segment.
        banks: ``[c, d * d]`` commutant bases for each segment.
        plan: from :func:`schur_plan`.

    Returns:
        ``[B, C_out, *S]``.
    """
    batch, space = x.shape[0], x.shape[2:]
    pieces = x.split(plan.sizes, 1)  # one split: its gradient is one concatenation, where slices would add up zeros
    parts = []
    for b in plan.blocks:
        if b.segment < 0:
            parts.append(x.new_zeros(batch, b.out_size, *space))
            continue
        piece = pieces[b.source]
        w, bank = weights[b.segment], banks[b.segment]
        m_out, m_in = b.fields
        if b.real and len(space) and b.dim > 1:  # the same matrix for every component: more columns, fewer rows
            matrix = (w * bank[0, 0]).view(m_out, m_in)
            y = _multiply(matrix, piece.unflatten(1, (m_in, b.dim)).flatten(2))
        elif b.real and b.dim > 1:  # vectors: a component of every sample is a row
            matrix = (w * bank[0, 0]).view(m_out, m_in)
            rows = piece.reshape(batch, m_in, b.dim).transpose(1, 2).reshape(batch * b.dim, m_in)
            y = (rows @ matrix.T).view(batch, b.dim, m_out).transpose(1, 2)
        else:
            matrix = (w @ bank).view(m_out, m_in, b.dim, b.dim).transpose(1, 2).reshape(m_out * b.dim, m_in * b.dim)
            y = _multiply(matrix, piece.flatten(2)) if len(space) else piece @ matrix.T
        parts.append(y.reshape(batch, b.out_size, *space))
    return torch.cat(parts, 1)


def _multiply(matrix: Tensor, columns: Tensor) -> Tensor:
    """``[n, m] @ [B, m, s]`` as a batched product: ``matmul`` would transpose and copy the columns first."""
    return torch.bmm(matrix.expand(columns.shape[0], -1, -1), columns)
