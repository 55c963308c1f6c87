"""Frames that turn along the way: a kernel and a transport together as scalar functions of a pair.

On a curved surface ``out_i = sum_j w_j kappa(x_ij) rho(t_ij) f_j``. With ``kappa = sum_F Y_F T_F``, angular functions
``Y = R(r) (cos m psi, sin m psi)`` and ``rho(t) = cos(n t) + sin(n t) J`` on an irrep of frequency n, this is again a
sum of scalar functions times fixed matrices: of ``R cos(m psi +- n t)`` and ``R sin(m psi +- n t)``. Every contraction
of scalar functions then serves for fields with frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from steerable.fields.type import FieldType
from steerable.kernels.filters import Filters


class Reading(NamedTuple):
    """The matrices ``[o, c, K]`` of new functions, as a linear function of a filter ``[C_out, C_in, F]``.

    Attributes:
        first: place of each entry in the filter, ``[o, c, K]``.
        second: another place that is added, or ``None``.
        p: factor of the first ``[K]``.
        q: factor of the second ``[c, K]``.
    """

    first: np.ndarray
    second: np.ndarray | None
    p: np.ndarray | None
    q: np.ndarray | None


def read_filter(filter: Tensor, first: Tensor, second: Tensor | None, p: Tensor | None, q: Tensor | None) -> Tensor:
    """The matrices of a :class:`Reading` whose arrays are tensors; differentiable."""
    flat = filter.reshape(-1)
    found = flat.index_select(0, first.flatten()).view(first.shape)
    if second is None:
        return found
    return found * p + flat.index_select(0, second.flatten()).view(first.shape) * q


@dataclass(frozen=True, eq=False)
class Carried:
    """Channels of one frequency each, and the functions of a pair that join them.

    The k-th new function is ``p Y_a cos(n t) + q Y_b sin(n t)``, its matrix ``h (p T_a + q T_b J)``.

    Attributes:
        frequency: n, of the input.
        outputs: output channels ``[o]``.
        channels: input channels ``[c]``.
        partner: the channel that J takes each from, ``[c]``, times a sign; unused where n = 0.
        sign: ``[c]``.
        a, b: numbers of the old functions, ``[K]``.
        p, q, h: factors, ``[K]``.
    """

    frequency: int
    outputs: np.ndarray
    channels: np.ndarray
    partner: np.ndarray
    sign: np.ndarray
    a: np.ndarray
    b: np.ndarray
    p: np.ndarray
    q: np.ndarray
    h: np.ndarray

    def values(self, values: Tensor, transport: Tensor) -> Tensor:
        """The new functions ``[E, K]`` from the old ones ``[E, F]`` and the angle of each pair ``[E]``."""
        if self.frequency == 0:
            return values[:, self.a]
        p, q = torch.from_numpy(self.p).to(values), torch.from_numpy(self.q).to(values)
        angle = self.frequency * transport[:, None]
        found = values[:, self.a].mul_(p).mul_(angle.cos())  # in place: tables of many pairs are large
        return found.add_(values[:, self.b].mul_(q).mul_(angle.sin()))

    def reading(self, shape: tuple[int, int, int]) -> Reading:
        """Where the matrices of the new functions are read in a filter of a shape ``[C_out, C_in, F]``."""
        place = np.arange(shape[0] * shape[1] * shape[2]).reshape(shape)
        first = place[np.ix_(self.outputs, self.channels, self.a)]
        if self.frequency == 0:
            return Reading(first, None, None, None)
        second = place[np.ix_(self.outputs, self.partner, self.b)]
        return Reading(first, second, self.p * self.h, self.sign[:, None] * self.q * self.h)

    def only(self, kept: np.ndarray) -> Carried:
        """The same with some of the functions, ``[K]`` boolean."""
        return replace(self, **{name: getattr(self, name)[kept] for name in ("a", "b", "p", "q", "h")})


def carried(in_type: FieldType, out_type: FieldType, filters: Filters, filter: Tensor) -> tuple[Carried, ...]:
    """Split a layer by the frequencies of both sides, with the functions that its kernels can have.

    Args:
        in_type: a type in irreps of SO2, O2 or of the trivial group.
        out_type: of the same group.
        filters: the scalar functions of the layer, in pieces of one angular degree.
        filter: one with random weights ``[C_out, C_in, F]``: what vanishes in it always vanishes.
    """
    size, shape = float(filter.abs().max()) if filter.numel() else 0.0, (out_type.size, in_type.size, filters.count)
    found = []
    for n, channels in _frequencies(in_type):
        for _, outputs in _frequencies(out_type):
            whole = _carried(n, outputs, channels, in_type, filters)
            reading = (None if v is None else torch.from_numpy(v) for v in whole.reading(shape))
            part = whole.only((read_filter(filter, *reading).abs().amax((0, 1)) > 1e-9 * size).numpy())  # type: ignore[arg-type]
            if len(part.a):
                found.append(part)
    return tuple(found)


def _frequencies(type: FieldType) -> list[tuple[int, np.ndarray]]:
    """Channels of each frequency, 0 for all irreps of one dimension."""
    found: dict[int, list[int]] = {}
    for block in type.blocks:
        for start in range(block.start, block.stop, block.rep.size):
            for (s, t), id in zip(block.rep.irrep_slices, block.rep.irreps, strict=True):
                info = type.group.irrep_info(id)
                found.setdefault(info.frequency if info.dim == 2 else 0, []).extend(range(start + s, start + t))
    return [(n, np.array(found[n])) for n in sorted(found)]


def _carried(
    frequency: int, outputs: np.ndarray, channels: np.ndarray, in_type: FieldType, filters: Filters
) -> Carried:
    """All new functions: two for a radial function, four for a pair of a cosine and a sine."""
    rows: list[tuple[int, int, float, float, float]] = []
    for piece in filters.pieces(in_type.group):
        c, s = piece.start, piece.stop - 1
        if frequency == 0:
            rows += [(k, k, 1.0, 0.0, 1.0) for k in range(piece.start, piece.stop)]
        elif s == c:
            rows += [(c, c, 1.0, 0.0, 1.0), (c, c, 0.0, 1.0, 1.0)]
        else:
            rows += [(c, s, 1.0, -1.0, 0.5), (c, s, 1.0, 1.0, 0.5), (s, c, 1.0, 1.0, 0.5), (s, c, 1.0, -1.0, 0.5)]
    a, b, p, q, h = (np.array(column) for column in zip(*rows, strict=True))
    partner, sign = channels, np.ones(len(channels))
    if frequency:  # (T J)_1 = T_2 and (T J)_2 = -T_1
        partner = channels.reshape(-1, 2)[:, ::-1].flatten()
        sign = np.tile([1.0, -1.0], len(channels) // 2)
    return Carried(frequency, outputs, channels, partner, sign, a, b, p, q, h)
