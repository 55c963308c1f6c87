"""The filter of a whole layer as one linear function of its weights: matrix products, one permutation of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from steerable.fields.type import FieldType
from steerable.groups.representation import Representation
from steerable.kernels.filters import Filters
from steerable.kernels.harmonic import Over, orbit_bank, sampled_basis


@dataclass(frozen=True, eq=False)
class Part:
    """All fields of a type that share one solver: representation and channels ``[m, d]``."""

    rep: Representation
    channels: np.ndarray

    @property
    def contiguous(self) -> bool:
        """Whether the channels are one run in order."""
        flat = self.channels.reshape(-1)
        return bool((np.diff(flat) == 1).all())


@dataclass(frozen=True, eq=False)
class Segment:
    """Weights of one pair of parts: ``[count, K] @ bank [K, width]`` gives ``count * width / area`` rows of the filter.

    Attributes:
        count: number of weight rows.
        bank: basis, or moved copies of filters.
        fan: weights that reach one output channel, each of unit effect.
        out_part, in_part: indices of the parts it joins.
    """

    count: int
    bank: np.ndarray
    fan: float
    out_part: int
    in_part: int

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.count * len(self.bank)


@dataclass(frozen=True, eq=False)
class FilterBank:
    """How the weights of a layer become its filter ``[C_out, C_in, *kernel]``.

    Attributes:
        segments: in the order of the weights.
        index: ``[C_out * C_in]`` row of the stacked products that each entry takes, ``None`` for the identity.
        inverse: where each row goes.
        holes: whether some entries are zero (their index is one past the last row).
        out_parts, in_parts: how the types were split.
    """

    segments: tuple[Segment, ...]
    index: np.ndarray | None
    inverse: np.ndarray
    holes: bool
    out_parts: tuple[Part, ...]
    in_parts: tuple[Part, ...]

    @property
    def num_weights(self) -> int:
        """Total number of weights."""
        return sum(s.weights for s in self.segments)


def split_parts(type: FieldType, filters: Filters) -> tuple[Part, ...]:
    """Gather equal representations; fields fall apart as the filters say, as a rule into their irreps."""
    found: dict[Representation, list[np.ndarray]] = {}
    for block in type.blocks:
        channels = np.arange(block.start, block.stop).reshape(block.shape)
        for start, stop, rep in filters.parts(block.rep):
            found.setdefault(rep, []).append(channels[:, start:stop])
    return tuple(Part(rep, np.concatenate(c)) for rep, c in found.items())


@lru_cache(maxsize=512)
def filter_bank(
    in_type: FieldType, out_type: FieldType, filters: Filters, kernel_size: int, groups: int = 1, over: Over = "points"
) -> FilterBank:
    """Bank of one layer; ``in_type`` and ``out_type`` are those of one group of a grouped convolution.

    Pairs of regular and trivial fields of a finite group use moved copies of small filters, all others the solved
    basis. With ``over="functions"`` the last axis of the filter runs over the scalar functions, not over a stencil.
    """
    out_parts, in_parts = split_parts(out_type, filters), split_parts(in_type, filters)
    area = kernel_size ** max(filters.dimension, 1) if over == "points" else filters.count
    index = np.full((groups, out_type.size, in_type.size), -1, dtype=np.int64)
    segments, offset = [], 0
    for a, out in enumerate(out_parts):
        for b, into in enumerate(in_parts):
            bank, rows, fan = _pair(into.rep, out.rep, filters, kernel_size, over)
            if not len(bank):
                continue
            m_out, m_in = len(out.channels), len(into.channels)
            free = bank.shape[1] // area  # rows of one product
            per_pair = int(rows.max()) + 1
            count = groups * m_out * m_in * per_pair // free
            first = offset + per_pair * np.arange(groups * m_out * m_in).reshape(groups, m_out, m_in, 1, 1)
            index[:, out.channels[:, None, :, None], into.channels[None, :, None, :]] = first + rows
            segments.append(Segment(count, bank, fan * m_in, a, b))
            offset += count * free
    inverse = np.zeros(offset, dtype=np.int32)
    flat = index.reshape(-1)
    filled = flat >= 0
    inverse[flat[filled]] = np.flatnonzero(filled)
    holes = not filled.all()
    flat[~filled] = offset
    identity = not holes and bool((flat == np.arange(flat.size)).all())
    return FilterBank(tuple(segments), None if identity else flat.astype(np.int32), inverse, holes, out_parts, in_parts)


def _pair(
    source: Representation, target: Representation, filters: Filters, kernel_size: int, over: Over
) -> tuple[np.ndarray, np.ndarray, float]:
    """Bank ``[K, width]``, the row ``[d_out, d_in]`` of each entry within a pair of fields, and the fan of one field.

    Rows of a pair are numbered as the product gives them; a pair of regular fields takes ``|G|`` weight rows.
    """
    group = source.group
    order = group.order or 0
    regular = group.regular if group.is_finite else None
    flags = (
        source == regular,
        target == regular,
        source.is_trivial and source.size == 1,
        target.is_trivial and target.size == 1,
    )
    if group.is_finite and order > 1 and (flags[0] or flags[1]) and (flags[0] or flags[2]) and (flags[1] or flags[3]):
        bank = orbit_bank(group, filters, kernel_size, over)
        functions = len(bank)
        bank = bank.reshape(functions, -1)
        g = np.arange(order)
        if flags[0] and flags[1]:  # row u * |G| + g holds phi_u moved by g; entry (g, h) takes u = g^-1 h
            inverse_g = group.inverse(group.elements).numpy()
            u = group.compose(group.elements.new_tensor(inverse_g)[:, None], group.elements[None]).numpy()
            return bank, u * order + g[:, None], float(order * functions)
        rows = g[:, None] if flags[1] else g[None, :]
        return bank, rows, float(functions if flags[1] else order * functions)
    basis = sampled_basis(source, target, filters, kernel_size, over)
    rows = np.arange(target.size * source.size).reshape(target.size, source.size)
    return basis.reshape(len(basis), rows.size * basis.shape[-1]), rows, len(basis) / target.size
