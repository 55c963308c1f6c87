"""The transform of scalar fields as complex coefficients ``[..., l, m]`` with m >= 0."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, Constants, from_orders, to_orders
from steerable.domains.spectral.legendre import Legendre, from_rows, to_rows
from steerable.domains.spectral.precision import full_precision, widened
from steerable.domains.spectral.spin import transposed
from steerable.groups.eager import runs_eagerly


class Block(NamedTuple):
    """One block of Legendre functions and what it is multiplied with.

    Attributes:
        table: the functions ``[2 (q - p), rings, K]``.
        start, end: orders and parities.
        top, bottom: rings.
        first, last: rows of the result.
    """

    table: Tensor
    start: int
    end: int
    top: int
    bottom: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class ShtTables:
    """What :func:`sht` and :func:`isht` share: one set of Legendre functions for both directions.

    Attributes:
        circles: where the samples lie.
        legendre: the sums over colatitude.
        constants: fixed tensors.
        blocks: the Legendre functions; none if they are computed on the way.
    """

    circles: Circles
    legendre: Legendre
    constants: Constants
    blocks: tuple[Tensor, ...]

    @property
    def band(self) -> int:
        """L."""
        return self.legendre.band

    @property
    def nbytes(self) -> int:
        """Bytes of the Legendre functions."""
        return sum(b.numel() * b.element_size() for b in self.blocks)

    @cached_property
    def short(self) -> tuple[int, int, Tensor, Tensor, int, tuple[Block, ...]]:
        """What the short ways ask for in every run.

        Northern rings, samples of a ring, their weights ``[H, 1, 1]``, places of the rows, number of rows, blocks.
        """
        plan, circles, first, blocks = self.legendre, self.circles, 0, []
        half = len(circles.count) // 2
        for table, (p, q, _), (top, bottom), count in zip(self.blocks, plan.spans, plan.reach, plan.rows, strict=True):
            blocks.append(Block(table, 2 * p, 2 * q, top, bottom, first, first + count))
            first += count
        weights = self.constants["weights"][:half, :, None]
        return half, circles.lengths[0], weights, self.constants["place"], first, tuple(blocks)

    @cached_property
    def is_usual(self) -> bool:
        """Whether rings are symmetric, even in number, of one length, start at longitude zero, and tables are there."""
        circles = self.circles
        return circles.folds_first and len(circles.count) % 2 == 0 and not circles.first.any() and bool(self.blocks)

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> ShtTables:
        """The same in another dtype: computed again in float64, then cast."""
        place = torch.device(device)
        constants = {k: v.to(place, dtype if v.is_floating_point() else v.dtype) for k, v in _constants(self).items()}
        blocks = self.legendre.tables(dtype, place) if self.blocks else ()
        return replace(self, constants=constants, blocks=blocks)


def sht_tables(
    circles: Circles,
    band: int,
    csphase: bool = True,
    precompute: bool = True,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> ShtTables:
    """Tables of the transform of scalars, built in float64.

    Args:
        circles: of the sampling, ``Circles.of(sphere)``.
        band: L.
        csphase: with the Condon-Shortley phase.
        precompute: hold the tables, about ``L^2 (L + 16) / 4`` numbers on L Gauss rings; otherwise both directions
            compute them block by block each time they run, and memory grows as L^2 only.
        dtype: of the data.
        device: of the data.
    """
    m = np.arange(band)
    scale = (
        np.where(m > 0, np.sqrt(0.5), 1.0) / np.sqrt(4 * np.pi) * np.where(m % 2 == 1, -1.0 if csphase else 1.0, 1.0)
    )
    plan = Legendre(circles.colatitude[circles.mirrored[0]], m, 0 * m, band, scale, 1)
    empty = (torch.zeros(0),) if precompute else ()
    return ShtTables(circles, plan, {}, empty).to(dtype, device)


def _constants(tables: ShtTables) -> dict[str, Tensor]:
    plan, band = tables.legendre, tables.band
    degree, order = plan.degrees, plan.m[plan.pairs]
    real = np.flatnonzero(degree >= 0)
    place = np.full((band, band), len(degree))  # the row of zeros
    place[degree[real], order[real]] = real
    origin = np.append(np.where(degree >= 0, degree * band + order, 0), 0)
    found = {"place": place.ravel(), "origin": origin}
    found |= tables.circles.constants(band)
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in found.items()}


def sht(x: Tensor, tables: ShtTables) -> Tensor:
    """Coefficients of real scalar fields: ``c_lm = sum_points w f conj(Y_lm)`` with orthonormal harmonics.

    Args:
        x: ``[..., *shape]``; half precision is computed in float32.
        tables: of the sampling and the band.

    Returns:
        Complex ``[..., L, L]`` in the order l, m for m >= 0 (a permuted view), zero for ``m > l``; the others are
        ``c_(l, -m) = (-1)^m conj c_lm``. ``torch.view_as_real`` and so on want ``.contiguous()``.

    Raises:
        ValueError: for samples of another shape.
    """
    shape = tables.circles.shape
    if x.shape[x.dim() - len(shape) :] != shape:
        raise ValueError(f"sht: samples have shape {list(x.shape)}; expected [..., {', '.join(map(str, shape))}]")
    lead = x.shape[: x.dim() - len(shape)]
    with full_precision(x):
        values = widened(x).reshape(math.prod(lead), 1, *shape)
        if _is_plain(values, tables):
            needed = values.requires_grad and torch.is_grad_enabled()
            done: Any = _Analysis.apply(values, tables) if needed else _short(values, tables)
            return done if len(lead) == 1 else done.reshape(*lead, tables.band, tables.band)
        folded = transposed(to_orders(values, tables.circles, tables.band, tables.constants).flatten(2, 3))
        rows = to_rows(folded, tables.legendre, tables.blocks).index_select(0, tables.constants["place"])
        found = torch.view_as_complex(rows.unflatten(1, (len(values), 2))).unflatten(0, (tables.band, tables.band))
    return found.permute(2, 0, 1).reshape(*lead, tables.band, tables.band)


def _is_plain(x: Tensor, tables: ShtTables) -> bool:
    """Whether the short way of ``_Analysis`` is open: symmetric rings of one length, tables, an ordinary tensor."""
    return tables.is_usual and x.numel() > 0 and not torch.compiler.is_compiling() and runs_eagerly(x)


def _short(x: Tensor, tables: ShtTables) -> Tensor:
    """The same as the plain operators, each result straight into its place, and one buffer used twice.

    ``[B, 1, 2 H, N]`` to complex ``[B, L, L]``.
    """
    batch, band, (half, n, weights, place, size, blocks) = x.shape[0], tables.band, tables.short
    count = 2 * half * batch
    folded = x.new_empty(2, half, batch, n)
    north, south = x.view(batch, 2, half, n).transpose(0, 2).unbind(1)
    south, (even, odd) = south.flip(0), folded.unbind()
    torch.add(north, south, out=even)
    torch.sub(north, south, out=odd)
    columns = torch.fft.rfft(folded.mul_(weights)).view(count, n // 2 + 1)[:, :band].t()
    if 2 * band == n:  # the samples are no longer needed, and their place is of the right size
        data = torch.view_as_complex(folded.view(band, count, 2)).copy_(columns)
    else:
        data = columns.contiguous()
    data = torch.view_as_real(data).view(2 * band, half, 2 * batch)
    rows = x.new_empty(size + 1, 2 * batch)
    rows[-1].zero_()
    for k in blocks:
        part = rows[k.first : k.last].view(k.end - k.start, -1, 2 * batch)
        torch.bmm(k.table.mT, data[k.start : k.end, k.top : k.bottom], out=part)
    return torch.view_as_complex(rows.index_select(0, place).view(band, band, batch, 2)).permute(2, 0, 1)


def _short_back(c: Tensor, tables: ShtTables) -> Tensor:
    """Complex ``[..., L, L]`` to real ``[B, 2 H, N]`` in the same way, without a derivative."""
    band, (half, n, _, _, size, blocks) = tables.band, tables.short
    flat = c.reshape(-1, band * band).t().contiguous()
    batch = flat.shape[1]
    rows = torch.view_as_real(flat.index_select(0, tables.constants["origin"])).view(size + 1, 2 * batch)
    data = rows.new_empty(2 * band, half, 2 * batch)
    for k in blocks:
        part = rows[k.first : k.last].view(k.end - k.start, -1, 2 * batch)
        if k.bottom - k.top == half:
            torch.bmm(k.table, part, out=data[k.start : k.end])
        else:
            mine = data[k.start : k.end].zero_()
            mine[:, k.top : k.bottom] = torch.bmm(k.table, part)
    spectrum = torch.view_as_complex(data.view(band, 2 * half * batch, 2)).t().contiguous()
    even, odd = torch.fft.irfft(spectrum, n, norm="forward").view(2, half, batch, n).unbind()
    x = even.new_empty(batch, 2, half, n)
    north, south = x.transpose(0, 2).unbind(1)
    torch.add(even, odd, out=north)
    south.copy_((even - odd).flip(0))
    return x.view(batch, 2 * half, n)


class _Analysis(torch.autograd.Function):
    """:func:`_short` with its transpose as the derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, tables: ShtTables) -> Tensor:
        """``[B, 1, 2 H, N]`` to complex ``[B, L, L]``."""
        ctx.tables = tables
        return _short(x, tables)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """The transpose, in operators that have derivatives."""
        tables = ctx.tables
        orders = torch.arange(tables.band, device=grads[0].device)
        values = isht(grads[0] * torch.where(orders > 0, 0.5, 1.0).to(grads[0].real.dtype), tables)
        return (values * tables.constants["weights"])[:, None], None


def isht(c: Tensor, tables: ShtTables) -> Tensor:
    """Real scalar fields ``[..., *shape]`` of coefficients ``[..., L, L]`` for m >= 0: the inverse of :func:`sht`.

    Raises:
        ValueError: for coefficients of another shape or real ones.
    """
    band = tables.band
    if c.shape[-2:] != (band, band) or not c.is_complex():
        raise ValueError(
            f"isht: coefficients are {str(c.dtype).removeprefix('torch.')} {list(c.shape)}; expected complex "
            f"[..., {band}, {band}]"
        )
    with full_precision(c):
        if _is_plain(c, tables) and not (c.requires_grad and torch.is_grad_enabled()):
            return _short_back(c, tables).view(*c.shape[:-2], *tables.circles.shape)
        flat = c.reshape(math.prod(c.shape[:-2]), band * band).t()
        rows = torch.view_as_real(flat.index_select(0, tables.constants["origin"])).flatten(1)
        values = from_rows(rows, tables.legendre, tables.blocks)
        size, circles = values[0].numel() // 2, values.shape[2]
        spectrum = torch.view_as_complex(values.reshape(band, size, 2)).t().contiguous()
        x = from_orders(spectrum.view(2, circles, flat.shape[1], 1, band), tables.circles, tables.constants)
    return x.reshape(*c.shape[:-2], *tables.circles.shape)
