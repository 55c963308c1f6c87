"""Sums over colatitude: one batched matrix product over orders, with north and south folded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.groups.eager import runs_eagerly
from steerable.groups.profiles import profiles


@dataclass(frozen=True, eq=False)
class Legendre:
    """Which functions of colatitude are summed, and how their tables are cut into blocks.

    A number of a table belongs to a pair of orders, to one of the two parities under the reflection north-south, to a
    circle of latitude in the north, for A and B where there is a spin, and to a degree. So a table has half the entries
    that all circles would need; blocks of orders leave out most of the degrees below the order, and the circles near
    the pole where all functions of the block are below 1e-18.

    Attributes:
        colatitude: of the circles of the north, ``[H]``; those of the south are their mirror images.
        m: orders ``[P]``, sorted so that ``max(m, n)`` does not fall.
        n: the other orders ``[P]``.
        band: L.
        scale: factor of each pair ``[P]``.
        halves: how many functions a number of a column stands for: 1, A alone, for scalars, else 2, A and B.
    """

    colatitude: np.ndarray
    m: np.ndarray
    n: np.ndarray
    band: int
    scale: np.ndarray
    halves: int

    @cached_property
    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """First and last pair and smallest degree of each block."""
        low = np.maximum(self.m, self.n)
        several = bool((self.n != self.n[0]).any())
        small = max(1, min(8, self.band // 32))
        blocks = max(1, min(8, self.band // 4)) if several else small
        edges = sorted({int(e) for e in np.linspace(0, self.band, blocks + 1)})
        cuts = sorted({0, *np.searchsorted(low, edges[1:-1]).tolist(), len(low)})
        return tuple((p, q, int(low[p])) for p, q in itertools.pairwise(cuts))

    @cached_property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """First and last circle of each block: where its lowest order, which reaches farthest, is not negligible."""
        size = len(self.colatitude)
        if len(self.spans) == 1 or (self.n != self.n[0]).any():
            return len(self.spans) * ((0, size),)
        first = np.array([p for p, _, _ in self.spans])
        found = profiles(torch.from_numpy(self.colatitude), self.m[first], self.n[first], 0, self.band)
        seen = torch.stack(found).abs().amax((0, 2)) > 1e-18
        return tuple((int(s.int().argmax()), size - int(s.flip(0).int().argmax())) for s in seen)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Rows of each block."""
        return tuple(2 * (q - p) * ((self.band - start + 1) // 2) for p, q, start in self.spans)

    @cached_property
    def degrees(self) -> np.ndarray:
        """Degree of every row of all blocks, one after the other; -1 for a row of zeros."""
        return np.concatenate([self._degrees(*span).ravel() for span in self.spans])

    @cached_property
    def pairs(self) -> np.ndarray:
        """Number of the pair that each row belongs to."""
        return np.concatenate([np.repeat(np.arange(p, q), r // (q - p)) for (p, q, _), r in zip(self.spans, self.rows)])

    def _degrees(self, p: int, q: int, start: int) -> np.ndarray:
        """``[q - p, 2, K]``: A of degree l is even or odd under the reflection as ``l + m + n`` is."""
        m, n = self.m[p:q, None, None], self.n[p:q, None, None]
        odd = np.arange(2)[None, :, None]
        l = start + (start + m + n + odd) % 2 + 2 * np.arange((self.band - start + 1) // 2)
        return np.where((l < self.band) & (l >= np.maximum(m, n)), l, -1)

    def table(self, block: int, device: torch.device | None = None, dtype: torch.dtype = torch.float64) -> Tensor:
        """One block ``[2 (q - p), H halves, K]``, computed in float64."""
        (p, q, start), (top, end) = self.spans[block], self.reach[block]
        device = torch.device("cpu") if device is None else device
        theta = torch.from_numpy(self.colatitude[top:end].copy()).to(device)
        size, k = self.band - start, (self.band - start + 1) // 2
        out = torch.zeros(q - p, 2, end - top, self.halves, k, dtype=dtype, device=device)
        scale = torch.from_numpy(self.scale[p:q].copy()).to(device)[:, None, None]
        for half, values in enumerate(profiles(theta, self.m[p:q], self.n[p:q], start, self.band)[: self.halves]):
            values *= scale
            for shift in (0, 1):  # pairs whose even functions are those of degrees start, start + 2, ... and the others
                mine = torch.from_numpy(np.flatnonzero((start + self.m[p:q] + self.n[p:q]) % 2 == shift)).to(device)
                for parity in (0, 1):
                    first = (shift + parity) % 2
                    rows = values[mine, first::2].mT
                    out[mine, parity, :, half, : (size - first + 1) // 2] = rows.to(dtype)
        return out.view(2 * (q - p), (end - top) * self.halves, k)  # this way round the product runs faster

    def tables(self, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> tuple[Tensor, ...]:
        """All blocks, computed in float64 and then cast."""
        return tuple(self.table(i, device, dtype) for i in range(len(self.spans)))


def to_rows(folded: Tensor, plan: Legendre, tables: tuple[Tensor, ...]) -> Tensor:
    """Sums over the circles: ``[P, 2, H halves, c]`` to rows ``[R + 1, c]``, the last of them zero.

    Args:
        folded: sums and differences of north and south; for B the other way round.
        plan: the functions.
        tables: ``plan.tables(...)`` in the dtype of the data; none to compute them on the way.
    """
    if not torch.compiler.is_compiling() and runs_eagerly(folded):
        found: Any = _Rows.apply(folded, plan, *tables)
        return found
    found = []
    for table, v in zip(given(plan, tables, folded), _reached(folded, plan), strict=True):
        found.append(torch.bmm(table.mT, v).flatten(0, 1))
    return torch.cat([*found, folded.new_zeros(1, folded.shape[-1])])


def from_rows(rows: Tensor, plan: Legendre, tables: tuple[Tensor, ...]) -> Tensor:
    """The transpose of :func:`to_rows`: ``[R + 1, c]`` to ``[P, 2, H halves, c]``."""
    if not torch.compiler.is_compiling() and runs_eagerly(rows):
        found: Any = _Circles.apply(rows, plan, *tables)
        return found
    return _from_rows(rows, plan, tables)


def _reached(folded: Tensor, plan: Legendre) -> Iterator[Tensor]:
    """The data of each block, on the circles that it reaches."""
    parts, k = folded.split([q - p for p, q, _ in plan.spans]), plan.halves
    for v, (top, end) in zip(parts, plan.reach, strict=True):
        yield v[:, :, top * k : end * k].flatten(0, 1)


def _from_rows(rows: Tensor, plan: Legendre, tables: tuple[Tensor, ...]) -> Tensor:
    found, k = [], plan.halves
    parts = rows.split([*plan.rows, 1])[:-1]
    for table, v, (top, end) in zip(given(plan, tables, rows), parts, plan.reach, strict=True):
        values = torch.bmm(table, v.unflatten(0, (table.shape[0], table.shape[2])))
        rest = (len(plan.colatitude) - end) * k
        found.append(torch.nn.functional.pad(values, (0, 0, top * k, rest)) if top or rest else values)
    return torch.cat(found).unflatten(0, (len(plan.m), 2))


def given(plan: Legendre, tables: tuple[Tensor, ...], like: Tensor) -> Iterator[Tensor]:
    """Tables, or each as it is asked for, computed in the dtype of a tensor where there are none.

    Raises:
        RuntimeError: in a trace, which cannot hold how they are computed.
    """
    if tables:
        yield from tables
        return
    if torch.compiler.is_compiling():
        raise RuntimeError(
            f"tables of band {plan.band} are computed on the way, which cannot be traced: compile or export one "
            f"with precompute=True"
        )
    for i in range(len(plan.spans)):  # one block lives at a time
        yield plan.table(i, like.device, like.dtype)


class _Rows(torch.autograd.Function):
    """Products straight into their place. Blocks that are not given are computed, used and dropped, twice."""

    @staticmethod
    def forward(ctx: Any, folded: Tensor, plan: Legendre, *tables: Tensor) -> Tensor:
        """Sums over the circles."""
        ctx.plan, ctx.tables = plan, tables
        out = folded.new_empty(sum(plan.rows) + 1, folded.shape[-1])
        parts = out.split([*plan.rows, 1])
        parts[-1].zero_()
        for table, v, part in zip(given(plan, tables, folded), _reached(folded, plan), parts[:-1], strict=True):
            torch.bmm(table.mT, v, out=part.view(table.shape[0], table.shape[2], part.shape[1]))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The transpose."""
        return from_rows(grads[0].contiguous(), ctx.plan, ctx.tables), None, *(None for _ in ctx.tables)


class _Circles(torch.autograd.Function):
    """The transpose of ``_Rows``."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, plan: Legendre, *tables: Tensor) -> Tensor:
        """Values on the circles."""
        ctx.plan, ctx.tables = plan, tables
        return _from_rows(rows, plan, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The transpose."""
        return to_rows(grads[0].contiguous(), ctx.plan, ctx.tables), None, *(None for _ in ctx.tables)
