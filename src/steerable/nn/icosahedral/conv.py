"""Gauge equivariant convolution on the icosahedron: over neighbours, or as one ``conv2d`` over five flat charts."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.aggregate.hexagon import MEAN, HexFrames, chart_frames, chart_places, hex_frames, padded_charts
from steerable.domains.sphere import IcosahedralSphere
from steerable.fields.type import FieldType
from steerable.kernels.hexagons import Hexagons
from steerable.nn.constants import ConstantModule, on_processor
from steerable.nn.icosahedral.gather import MovedGather, require_sixths, turn_matrices
from steerable.nn.init import initialise
from steerable.nn.module import require_same_group
from steerable.nn.sphere.conv import check_sphere
from steerable.nn.steerable_map import SteerableMap

IcoCorners = Literal["zero", "invariant"]
Path = Literal["gather", "atlas"]
HEXAGON = Hexagons(3)
#: slots (6: the centre) in the order in which ``conv2d`` sums over the pixels 1 to 7 of the square of side 3
_SLOTS = [2, 1, 3, 6, 0, 4, 5]


class IcoConv(SteerableMap):
    r"""Convolution over hexagons: ``out_v = K_0 f_v + sum_k K_k rho(t_vk) f_(neighbour k of v)``.

    The kernel is the one of :class:`Conv2d` on a hexagonal lattice, ``K_(k+1) = rho_out(60) K_k rho_in(60)^-1``, and
    ``t_vk`` counts the sixths of a turn between frames. Exactly equivariant under the 60 rotations of the icosahedron
    (with types of D(6) under all 120 symmetries), and free of the choice of frames; under other rotations
    only as far as features vary slowly. With types of C(1) there is no transport and the kernels are free: held by the
    charts, as a plain network is.

    Args:
        in_type: type of the input ``[B, in_type.size, V]``, of C(6), D(6) or C(1): regular, trivial, irreps, mixed.
        out_type: type of the output.
        sphere: ``10 4^r + 2`` vertices of a divided icosahedron, r at least 1, or ``"icosahedral(r)"``.
        gauges: where the first axis of each frame points, int64 ``[V]``; default those of the charts.
        corners: the 12 corners have five neighbours and no frame. ``"zero"``: they are not read and become zero, as in
            the paper. ``"invariant"``: they hold invariants, and are read and filled as such (constants stay constant).
        bias: learned bias along the invariant vectors of the output fields.
        path: ``"gather"`` columns and one matrix product, or ``"atlas"``: one ``conv2d`` over five charts. Both sum the
            same products in the same order, so that in the default frames they often agree bit for bit in float64, and
            always to 1e-14: at the edges of its blocks a matrix product adds in another order. Default the faster one,
            which is the atlas at every size that was measured.
        init: ``"he"`` or ``"delta"``.

    Raises:
        TypeError: for another sampling.
        ValueError: for types of another group, level 0, gauges that do not fit, unknown words.

    Source: Cohen, Weiler, Kicanaoglu and Welling, "Gauge Equivariant Convolutional Networks and the Icosahedral CNN",
    ICML 2019, arXiv 1902.04615.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        sphere: IcosahedralSphere | str,
        gauges: Tensor | None = None,
        corners: IcoCorners = "zero",
        bias: bool = True,
        path: Path | None = None,
        init: str = "he",
    ) -> None:
        require_sixths("IcoConv", in_type)
        require_sixths("IcoConv", out_type)
        require_same_group("IcoConv", in_type, out_type)
        check_words(corners=(corners, ("zero", "invariant")), path=(path or "atlas", ("gather", "atlas")))
        frames = hex_frames(sphere, gauges)
        super().__init__(in_type, out_type, HEXAGON, 3, 2, 1, bias)
        initialise(self, init)
        self.sphere, self.corners, self.path = frames.sphere, corners, path or "atlas"
        self.contraction = HexContraction(in_type, out_type, frames, corners, self.path)

    @property
    def frames(self) -> HexFrames:
        """The frames that its fields refer to."""
        return self.contraction.frames

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, V]`` to ``[B, out_type.size, V]``.

        Raises:
            ValueError: for other channels or another number of vertices.
        """
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        return self.contraction(x, self.filter(), self.expanded_bias())

    def extra_repr(self) -> str:
        """Types, sampling, corners and path."""
        return f"{self.in_type!r} -> {self.out_type!r}, {self.sphere!r}, corners={self.corners}, path={self.path}"

    def bake(self) -> nn.Module:
        """A plain module with a fixed filter."""
        return PlainIcoConv(self.contraction, self.filter(), self.expanded_bias())


class HexContraction(ConstantModule):
    """The sum of :class:`IcoConv` for a given filter.

    Args:
        in_type, out_type: types of both sides.
        frames: where the fields refer to.
        corners: ``"zero"`` or ``"invariant"``.
        path: ``"gather"`` or ``"atlas"``.
    """

    @on_processor
    def __init__(
        self, in_type: FieldType, out_type: FieldType, frames: HexFrames, corners: IcoCorners, path: Path
    ) -> None:
        super().__init__()
        self.frames, self.path, self.invariant = frames, path, corners == "invariant"
        count, level = frames.sphere.num_points, frames.sphere.level
        here = torch.arange(count)
        source = torch.cat([frames.neighbours, here[:, None]], 1)[:, _SLOTS]
        turn = torch.cat([frames.transport, here[:, None] * 0], 1)[:, _SLOTS]
        if path == "gather":
            self.columns = MovedGather(in_type, *self._read(source.T, turn.T, mute=True), count)
        else:
            n, ahead = 2**level, chart_frames(level).against(frames)
            padded, seam = padded_charts(level)
            self.columns = MovedGather(in_type, *self._read(padded, (ahead[padded.clamp(min=0)] + seam) % 6), count)
            place = chart_places(level, 2)
            place[:12] = -1
            self.back = MovedGather(out_type, place, -ahead % 6, (5 * n + 8) * 2 * n)
        inside = torch.ones(count)
        inside[:12] = 0
        self.register_constant("_inside", inside)
        if self.invariant:
            self.around = MovedGather(in_type, *self._read(source[:12].T, turn[:12].T), count)
            self.register_constant("_mean", turn_matrices(out_type)[MEAN])
            self.register_constant("_weight", torch.tensor([1.2] * 5 + [0.0, 1.0], dtype=torch.float64)[_SLOTS])

    def _read(self, source: Tensor, turn: Tensor, mute: bool = False) -> tuple[Tensor, Tensor]:
        """Corners as they are to be read; ``mute`` gives columns of zeros where the target is one."""
        corner = (source >= 0) & (source < 12)
        source = torch.where(corner, source if self.invariant else -1, source)
        if mute:
            source = torch.where(torch.arange(source.shape[-1]) < 12, -1, source)
        return source, torch.where(corner, MEAN, turn)

    def forward(self, x: Tensor, filter: Tensor, bias: Tensor | None) -> Tensor:
        """``[B, C_in, V]`` and ``[C_out, C_in, 3, 3]`` to ``[B, C_out, V]``."""
        if self.path == "gather":
            y = _product(self.columns(x), filter)
        else:
            y = self.back(F.conv2d(self.columns(x).flatten(2, 3), filter).flatten(2))
        if bias is not None:
            y = y + bias[:, None] * self._inside.to(bias.dtype)
        if not self.invariant:
            return y
        at = self.around(x) * self._weight.to(x.dtype)[:, None]  # five neighbours stand for six
        found = self._mean.to(x.dtype) @ _product(at, filter)
        return torch.cat([found if bias is None else found + bias[:, None], y[:, :, 12:]], 2)

    def extra_repr(self) -> str:
        """Sampling and path."""
        return f"{self.frames.sphere!r}, path={self.path}"


class PlainIcoConv(nn.Module):
    """A convolution over hexagons with a fixed filter ``[C_out, C_in, 3, 3]``."""

    def __init__(self, contraction: HexContraction, filter: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.contraction = contraction
        self.weight = nn.Parameter(filter.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C_in, V]`` to ``[B, C_out, V]``."""
        return self.contraction(x, self.weight, self.bias)


def _product(columns: Tensor, filter: Tensor) -> Tensor:
    """``[B, C_in, 7, V]`` and ``[C_out, C_in, 3, 3]`` to ``[B, C_out, V]``."""
    return filter.flatten(2)[:, :, 1:8].flatten(1) @ columns.flatten(1, 2)


def check_words(**given: tuple[str, tuple[str, ...]]) -> None:
    """Refuse a word that is none of those allowed.

    Raises:
        ValueError: naming the argument and the words.
    """
    for name, (word, words) in given.items():
        if word not in words:
            raise ValueError(f"icosahedral layer: {name} is {word!r}; expected {' or '.join(map(repr, words))}")
