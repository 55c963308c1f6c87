"""How a convolution on the sphere is computed: by modes along rings, or over a list of pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from steerable.aggregate.pairs import PairRows, pair_rows, pair_sums
from steerable.aggregate.ring import RingTerm, ring_blocks, ring_conv, ring_tables
from steerable.aggregate.transport import Carried, Reading, read_filter
from steerable.domains.spectral.precision import widened
from steerable.domains.sphere import RingSphere, Sphere
from steerable.domains.sphere.local_weights import local_weights
from steerable.domains.sphere.meridian import meridian_pairs
from steerable.groups.eager import runs_eagerly
from steerable.nn.constants import ConstantModule

#: scalar functions ``[E, F]`` of offsets ``[E, 2]``, with their weights ``[E]``
Functions = Callable[[Tensor, Tensor], Tensor]


class SphereContraction(ConstantModule):
    """``y_i = sum_j Y(x_ij) T rho(t_ij) x_j`` for fixed functions Y and given matrices T.

    Args:
        sphere: samples of the input.
        targets: samples of the output.
        parts: channels and functions.
        sizes: number of output and of input channels.
    """

    def __init__(self, sphere: Sphere, targets: Sphere, parts: tuple[Carried, ...], sizes: tuple[int, int]) -> None:
        super().__init__()
        self.sphere, self.targets, self.parts, self.sizes = sphere, targets, parts, sizes
        runs: dict[bytes, int] = {}
        self._run = [runs.setdefault(p.outputs.tobytes(), len(runs)) for p in parts]
        chosen = [next(p.outputs for p, r in zip(parts, self._run, strict=True) if r == k) for k in range(len(runs))]
        missing = np.setdiff1d(np.arange(sizes[0]), np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]))
        self._runs = [len(c) for c in chosen]
        self._missing = len(missing)
        order = np.argsort(np.concatenate([*chosen, missing]).astype(np.int64), kind="stable")
        self._sorted = bool((order == np.arange(len(order))).all())
        self.register_buffer("_order", torch.from_numpy(order), persistent=False)
        for k, part in enumerate(parts):
            whole = len(part.channels) == sizes[1]
            channels = None if whole else torch.from_numpy(part.channels)
            self.register_buffer(f"_channels{k}", channels, persistent=False)

    def _register_reading(self, name: str, part: Carried, functions: int) -> None:
        """Hold where the matrices of a part stand in the filter: nothing of it is worked out in forward."""
        for key, value in part.reading((*self.sizes, functions))._asdict().items():
            if value is None:
                self.register_buffer(f"_{key}{name}", None, persistent=False)
            else:
                self.register_constant(f"_{key}{name}", value)

    def _matrices(self, name: str, filter: Tensor) -> Tensor:
        """The matrices ``[o, c, K]`` of a part."""
        return read_filter(filter, *(getattr(self, f"_{key}{name}") for key in Reading._fields))

    def _gathered(self, y: Tensor) -> Tensor:
        """Channels of the runs ``[B, C', ...]`` in the order of the type; those that nothing reaches are zero."""
        if self._missing:
            y = torch.cat([y, y.new_zeros(y.shape[0], self._missing, *y.shape[2:])], 1)
        return y if self._sorted else y.index_select(1, self._order)

    def fixed(self) -> SphereContraction:
        """The same for a filter that is not learned, in few operators: this one, where it has few."""
        return self

    def extra_repr(self) -> str:
        """Both samplings."""
        return f"{self.sphere!r} -> {self.targets!r}"


class RingContraction(SphereContraction):
    """By Fourier modes along circles of latitude.

    Args:
        radius: of the neighbourhoods, in radians.
        functions: the scalar functions.
        quadrature: degree of the offset up to which local integrals are exact; 0 for the weights of the sampling.
    """

    def __init__(
        self,
        sphere: RingSphere,
        targets: RingSphere,
        parts: tuple[Carried, ...],
        sizes: tuple[int, int],
        radius: float,
        functions: Functions,
        quadrature: int = 0,
    ) -> None:
        super().__init__(sphere, targets, parts, sizes)
        pairs = meridian_pairs(sphere, targets, radius)
        self._turns, self._rings = pairs.turns, targets.shape[0] * pairs.turns
        target = torch.from_numpy(pairs.ring)
        weight = local_weights(pairs.offset, pairs.weight, target, self._rings, radius, quadrature)
        values = functions(pairs.offset, weight)
        self._blocks = ring_blocks(pairs.ring, pairs.source, self._rings, sphere.shape[0])
        frequencies = sorted({p.frequency for p in parts})
        channels = [next(p.channels for p in parts if p.frequency == n) for n in frequencies]
        self._input, self._sizes = [frequencies.index(p.frequency) for p in parts], [len(c) for c in channels]
        order = np.concatenate([*channels, np.zeros(0, dtype=np.int64)])
        whole = bool((order == np.arange(len(order))).all()) and len(order) == sizes[1]
        self.register_buffer("_channels", None if whole else torch.from_numpy(order), persistent=False)
        self._terms: list[tuple[int, bool, str]] = []  # part, whether odd, name of its tensors
        place = (pairs.ring, pairs.source, pairs.step)
        for k, part in enumerate(parts):
            new = part.values(values, pairs.transport).numpy()
            for odd, used, table in ring_tables(place, new, sphere.shape[1], self._blocks):
                name = f"{k}{'odd' if odd else 'even'}"
                self._terms.append((k, odd, name))
                self.register_constant(f"_table{name}", table)
                self._register_reading(name, part.only(used), values.shape[1])

    def forward(self, x: Tensor, filter: Tensor) -> Tensor:
        """``[B, C_in, S, P]`` and ``[C_out, C_in, F]`` to ``[B, C_out, T, Q]``."""
        if self._channels is not None:
            x = x.index_select(1, self._channels)
        outputs: list[list[RingTerm]] = [[] for _ in self._runs]
        for k, odd, name in self._terms:
            table, matrices = widened(getattr(self, f"_table{name}")), widened(self._matrices(name, filter))
            outputs[self._run[k]].append(RingTerm(self._input[k], table, matrices, odd))
        y = ring_conv(widened(x), self._sizes, self._blocks, outputs, self._rings)  # torch has no shorter modes
        y = self._gathered(y.to(x.dtype))
        if self._turns > 1:
            return y.unflatten(2, (-1, self._turns)).transpose(3, 4).flatten(3)
        stride = self.sphere.shape[1] // self.targets.shape[1]
        return y[..., ::stride] if stride > 1 else y


class PairContraction(SphereContraction):
    """Over all pairs, for samplings of any kind.

    Args:
        radius: of the neighbourhoods, in radians.
        functions: the scalar functions.
        quadrature: degree of the offset up to which local integrals are exact, ``None`` for one that suits the number
            of neighbours; 0 for the weights of the sampling.
    """

    def __init__(
        self,
        sphere: Sphere,
        targets: Sphere,
        parts: tuple[Carried, ...],
        sizes: tuple[int, int],
        radius: float,
        functions: Functions,
        quadrature: int | None = 0,
    ) -> None:
        super().__init__(sphere, targets, parts, sizes)
        g = sphere.neighbours(radius, targets)
        weight = g.offset.new_ones(g.num_edges) if g.weight is None else g.weight
        weight = local_weights(g.offset, weight, g.target, g.num_targets, radius, quadrature)
        values = functions(g.offset, weight)
        for name, tensor in pair_rows(g.target, g.source, g.num_targets, g.num_sources)._asdict().items():
            self.register_buffer(f"_{name}", tensor, persistent=False)
        for k, part in enumerate(parts):
            self.register_constant(f"_values{k}", part.values(values, _no_turn(g.transport, weight)).T.contiguous())
            self._register_reading(str(k), part, values.shape[1])

    def forward(self, x: Tensor, filter: Tensor) -> Tensor:
        """``[B, C_in, *sphere.shape]`` and ``[C_out, C_in, F]`` to ``[B, C_out, *targets.shape]``."""
        rows = PairRows(self._start, self._source, self._target, self._column_start, self._by_column)
        batch, count = x.shape[0], self.targets.num_points
        flat = x.flatten(2).permute(2, 0, 1)  # [M, B, C]
        totals = [flat.new_zeros(count, batch, n) for n in self._runs]
        for k in range(len(self.parts)):
            channels, matrices = getattr(self, f"_channels{k}"), self._matrices(str(k), filter)
            near = flat if channels is None else flat.index_select(2, channels)
            columns = near.reshape(near.shape[0], -1)
            for j, values in enumerate(getattr(self, f"_values{k}")):
                moved = pair_sums(values, columns, rows).view(count, batch, -1)
                totals[self._run[k]] = totals[self._run[k]] + moved @ matrices[:, :, j].mT
        return self._shaped(totals)

    def _shaped(self, totals: list[Tensor]) -> Tensor:
        """Sums ``[N, B, C']`` of the runs to ``[B, C_out, *targets.shape]``."""
        y = torch.cat(totals, 2).permute(1, 2, 0)
        return self._gathered(y).reshape(y.shape[0], -1, *self.targets.shape)

    def fixed(self) -> SphereContraction:
        """Over padded neighbourhoods, where padding less than doubles them: no scatter, one product for each part."""
        most = int((self._start[1:] - self._start[:-1]).max()) if len(self._source) else 0
        if not self.parts or not 0 < self.targets.num_points * most < 2 * len(self._source):
            return self
        return PaddedContraction(self, most).to(self._values0)


class PaddedContraction(SphereContraction):
    """A contraction over pairs that compilers and exporters see with as many neighbours for each sample.

    One gather and one batched product for all functions of a part, in place of a gather and a scatter for each. In
    eager mode sums stay sparse, which is faster. Spare neighbours are the first one again and weigh nothing.

    Args:
        pairs: the same contraction over pairs.
        most: neighbours of a sample.
    """

    def __init__(self, pairs: PairContraction, most: int) -> None:
        super().__init__(pairs.sphere, pairs.targets, pairs.parts, pairs.sizes)
        rows, count = pairs._target, self.targets.num_points
        place = rows * most + torch.arange(len(rows), device=rows.device) - pairs._start[rows]
        self.pairs, self.most = pairs, most
        first = pairs._source[pairs._start[:-1].clamp_max(len(rows) - 1)]
        near = first.repeat_interleave(most).index_copy(0, place, pairs._source)
        self.register_buffer("_near", near, persistent=False)
        for k in range(len(self.parts)):
            values = torch.from_numpy(pairs._exact[f"_values{k}"])
            padded = values.new_zeros(len(values), count * most).index_copy(1, place.cpu(), values)
            self.register_constant(f"_values{k}", padded.view(-1, count, most).transpose(0, 1).contiguous())

    def forward(self, x: Tensor, filter: Tensor) -> Tensor:
        """``[B, C_in, *sphere.shape]`` and ``[C_out, C_in, F]`` to ``[B, C_out, *targets.shape]``."""
        if not torch.compiler.is_compiling() and runs_eagerly(x, filter):
            return self.pairs(x, filter)
        batch, count = x.shape[0], self.targets.num_points
        flat = x.flatten(2).permute(2, 0, 1)  # [M, B, C]
        totals = [flat.new_zeros(count, batch, n) for n in self._runs]
        for k in range(len(self.parts)):
            channels, matrices = getattr(self, f"_channels{k}"), self.pairs._matrices(str(k), filter)  # [o, c, J]
            columns = (flat if channels is None else flat.index_select(2, channels)).flatten(1)
            near = columns.index_select(0, self._near).view(count, self.most, columns.shape[1])
            sums = torch.bmm(getattr(self, f"_values{k}"), near).unflatten(2, (batch, -1))  # [N, J, B, c]
            moved = sums.transpose(1, 2).flatten(2) @ matrices.permute(2, 1, 0).flatten(0, 1)
            totals[self._run[k]] = totals[self._run[k]] + moved
        return self.pairs._shaped(totals)


def _no_turn(transport: Tensor | None, weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if transport is None else transport
