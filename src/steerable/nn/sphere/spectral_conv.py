"""Spherical CNNs of Cohen, Geiger, Koehler and Welling: correlations on the sphere and on SO(3), degree by degree.

A signal is the vector of its coefficients, ``[B, C * D]``, a block of equal representations of SO3. On the sphere a
scalar has one copy of each degree, on SO(3) a function has ``2 l + 1`` copies. Linear equivariant maps mix copies,
never the components of one: a correlation is a small matrix for each degree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from steerable.domains.homogeneous import Homogeneous
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3
from steerable.groups.conversions import convert_rotation
from steerable.groups.spherical import spherical_harmonics
from steerable.groups.wigner import wigner_d
from steerable.nn.baked import Baked
from steerable.nn.constants import on_processor
from steerable.nn.module import EquivariantModule, check_dtype


def sphere_signals(channels: int, band: int) -> FieldType:
    """Scalars on the sphere with degrees below a band, as a type of SO3. Raises ``ValueError`` for a band below 1."""
    _check_band(band)
    return Homogeneous(SO3(), SO2(), band - 1).fields(channels * SO2().trivial).type


def rotation_signals(channels: int, band: int) -> FieldType:
    """Functions on SO(3) with degrees below a band, as a type of SO3. Raises ``ValueError`` for a band below 1."""
    _check_band(band)
    return channels * SO3().spectral_regular(band - 1)


def _check_band(band: int) -> None:
    if band < 1:
        raise ValueError(f"a signal of band {band} has no coefficients; expected 1 or more")


@dataclass(frozen=True)
class RingSupport:
    """Where a kernel is not zero: rings about the north pole, or about the identity of SO(3).

    Attributes:
        max_angle: of the outermost ring, in radians.
        rings: number of rings, at equal steps of the angle, the smallest above 0.
        around: points on each ring.
        turns: for kernels on SO(3): rotations about the own axis of each point, at equal steps.
    """

    max_angle: float = math.pi / 8
    rings: int = 2
    around: int = 6
    turns: int = 6

    def elements(self, on_group: bool) -> Tensor:
        """Quaternions ``[K, 4]`` of ``Rz(a) Ry(b) Rz(c - a)``: near the identity for small b and c."""
        b = self.max_angle * torch.arange(1, self.rings + 1, dtype=torch.float64) / self.rings
        a = 2 * math.pi * torch.arange(self.around, dtype=torch.float64) / self.around
        turns = self.turns if on_group else 1
        c = 2 * math.pi * torch.arange(turns, dtype=torch.float64) / turns
        b, a, c = (v.flatten() for v in torch.meshgrid(b, a, c, indexing="ij"))
        return convert_rotation(torch.stack([a, b, c - a], -1), "euler", "quaternion")


#: two rings of six points, pi / 8 wide
NEAR_IDENTITY = RingSupport()


class _Correlation(EquivariantModule):
    """One parameter for each point of the support and pair of channels; or one for each coefficient."""

    def __init__(self, types: tuple[FieldType, FieldType], bands: tuple[int, int], shape: tuple[int, int]) -> None:
        super().__init__(*types)
        self.band, self.channels = min(bands), shape
        self.bands = bands

    def _start(self, table: Tensor | None, size: int) -> None:
        points = size if table is None else len(table)
        self.weight = nn.Parameter(torch.empty(self.channels[1], self.channels[0], points))
        self.local = table is not None
        if table is not None:
            self.register_constant("table", table / math.sqrt(points))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again: white input of unit variance gives output of unit variance."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.channels[0]))

    def kernel(self) -> Tensor:
        """Coefficients of the kernel ``[C_out, C_in, D]``; see each layer for their scale."""
        return self.weight @ self.table if self.local else self.weight

    def extra_repr(self) -> str:
        """Channels and bands."""
        return f"channels {self.channels[0]} -> {self.channels[1]}, bands {self.bands[0]} -> {self.bands[1]}"


class S2Conv(_Correlation):
    r"""Correlation of scalars on the sphere with a kernel there: a function on SO(3), ``<R psi, f>``.

    ``F^l_mn = f_lm psi_ln / sqrt(2 l + 1)`` in orthonormal functions: an outer product for each degree.

    Args:
        in_channels: of ``[B, in_channels * band_in^2]``, as :class:`SHT` gives them.
        out_channels: functions on SO(3), ``[B, out_channels * D]``.
        band_in: band of the input.
        band_out: band of the output; higher degrees are dropped (or zero).
        support: where the kernel is not zero; ``None``: a free number for each coefficient.

    Source: Cohen, Geiger, Koehler and Welling, "Spherical CNNs", ICLR 2018, arXiv 1801.10130.
    """

    def __init__(
        self, in_channels: int, out_channels: int, band_in: int, band_out: int,
        support: RingSupport | None = NEAR_IDENTITY,
    ) -> None:  # fmt: skip
        types = sphere_signals(in_channels, band_in), rotation_signals(out_channels, band_out)
        super().__init__(types, (band_in, band_out), (in_channels, out_channels))
        table = None
        if support is not None:
            with torch.device("cpu"):  # worked out there, wherever weights are laid
                points = SO3().action(support.elements(False))[..., 2]
                table = math.sqrt(4 * math.pi) * spherical_harmonics(points, range(self.band))
        self._start(table, self.band**2)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * band_in^2]`` to ``[B, out_channels * D]``."""
        self.check_input(x)
        check_dtype(self, x)
        return s2_correlation(x, self.kernel(), self.band, self.bands)

    def bake(self) -> nn.Module:
        """The same with a fixed kernel."""
        return Baked(_s2_baked, self.band, self.bands, kernel=self.kernel())


class SO3Conv(_Correlation):
    r"""Correlation of functions on SO(3): ``integral psi(R^-1 Q) f(Q) dQ``, a matrix product for each degree.

    :meth:`kernel` holds the coefficients of psi over ``sqrt(2 l + 1)``, so that degrees are multiplied as matrices and
    those of a unit mass at g are the entries of ``D^l(g)``.

    Args:
        in_channels, out_channels: functions on SO(3).
        band_in: band of the input.
        band_out: band of the output.
        support: where the kernel is not zero; ``None``: a free number for each coefficient.

    Source: Cohen et al., arXiv 1801.10130.
    """

    def __init__(
        self, in_channels: int, out_channels: int, band_in: int, band_out: int,
        support: RingSupport | None = NEAR_IDENTITY,
    ) -> None:  # fmt: skip
        types = rotation_signals(in_channels, band_in), rotation_signals(out_channels, band_out)
        super().__init__(types, (band_in, band_out), (in_channels, out_channels))
        self._start(_rotations(support, self.band), total(self.band))

    def reset_parameters(self) -> None:
        """Draw the weights again; a free coefficient of degree l meets 2 l + 1 others."""
        super().reset_parameters()
        if not self.local:
            with torch.no_grad():
                for l in range(self.band):
                    self.weight[:, :, total(l) : total(l + 1)] /= math.sqrt(2 * l + 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * D]`` to ``[B, out_channels * D']``."""
        self.check_input(x)
        check_dtype(self, x)
        return so3_correlation(x, self.kernel(), self.band, self.bands)

    def bake(self) -> nn.Module:
        """The same with a fixed kernel."""
        return Baked(_so3_baked, self.band, self.bands, kernel=self.kernel())


class SO3ToS2(_Correlation):
    r"""From functions on SO(3) back to scalars on the sphere: every linear equivariant map, a row for each degree.

    The correlation of :class:`SO3Conv` summed over the second index (over the root of their number), as in the
    segmentation networks of Gerken et al.

    Args:
        in_channels: functions on SO(3).
        out_channels: scalars on the sphere, ``[B, out_channels * band_out^2]``.
        band_in: band of the input.
        band_out: band of the output.
        support: where the kernel is not zero; ``None``: a free number for each coefficient.

    Source: Gerken et al., ICML 2022, arXiv 2202.03990.
    """

    def __init__(
        self, in_channels: int, out_channels: int, band_in: int, band_out: int,
        support: RingSupport | None = NEAR_IDENTITY,
    ) -> None:  # fmt: skip
        types = rotation_signals(in_channels, band_in), sphere_signals(out_channels, band_out)
        super().__init__(types, (band_in, band_out), (in_channels, out_channels))
        table = _rotations(support, self.band)
        if table is not None:  # sum over the second index of each degree
            parts = [
                table[:, total(l) : total(l + 1)].unflatten(1, (2 * l + 1, 2 * l + 1)).sum(2) / math.sqrt(2 * l + 1)
                for l in range(self.band)
            ]
            table = torch.cat(parts, 1)
        self._start(table, self.band**2)

    def reset_parameters(self) -> None:
        """Draw the weights again; a free coefficient of degree l meets 2 l + 1 others."""
        super().reset_parameters()
        if not self.local:
            with torch.no_grad():
                for l in range(self.band):
                    self.weight[:, :, l * l : (l + 1) ** 2] /= math.sqrt(2 * l + 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * D]`` to ``[B, out_channels * band_out^2]``."""
        self.check_input(x)
        check_dtype(self, x)
        return to_s2(x, self.kernel(), self.band, self.bands)

    def bake(self) -> nn.Module:
        """The same with a fixed kernel."""
        return Baked(_to_s2_baked, self.band, self.bands, kernel=self.kernel())


class SO3Mean(EquivariantModule):
    """The mean of functions over SO(3): their coefficient of degree 0, ``[B, C * D]`` to ``[B, C]``."""

    def __init__(self, channels: int, band: int) -> None:
        super().__init__(rotation_signals(channels, band), channels * SO3().trivial)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """The means."""
        self.check_input(x)
        return first_of_each(x, self.channels)

    def bake(self) -> nn.Module:
        """The same function without types."""
        return Baked(first_of_each, self.channels)


def first_of_each(x: Tensor, channels: int) -> Tensor:
    """The first of the coefficients of each channel."""
    return x.unflatten(1, (channels, -1))[:, :, 0]


def total(band: int) -> int:
    """Coefficients of a function on SO(3) below a band: ``sum (2 l + 1)^2``."""
    return band * (4 * band * band - 1) // 3


def s2_correlation(x: Tensor, kernel: Tensor, band: int, bands: tuple[int, int]) -> Tensor:
    """Outer products ``[B, C_out, 2 l + 1 (n), 2 l + 1 (m)]`` of each degree, copies one after the other."""
    f = x.unflatten(1, (kernel.shape[1], -1))
    found = []
    for l in range(band):
        part = slice(l * l, (l + 1) ** 2)
        outer = torch.einsum("bcm,ocn->bonm", f[:, :, part], kernel[:, :, part])
        found.append((outer / math.sqrt(2 * l + 1)).flatten(2))
    return _padded(found, total(bands[1]))


def so3_correlation(x: Tensor, kernel: Tensor, band: int, bands: tuple[int, int]) -> Tensor:
    """Matrix products over input channels and copies, for each degree."""
    f = x.unflatten(1, (kernel.shape[1], -1))
    found = []
    for l in range(band):
        part, square = slice(total(l), total(l + 1)), (2 * l + 1, 2 * l + 1)
        here, psi = f[:, :, part].unflatten(2, square), kernel[:, :, part].unflatten(2, square)
        found.append(torch.einsum("bcnm,ocnk->bokm", here, psi).flatten(2))
    return _padded(found, total(bands[1]))


def to_s2(x: Tensor, kernel: Tensor, band: int, bands: tuple[int, int]) -> Tensor:
    """The same with one copy out."""
    f = x.unflatten(1, (kernel.shape[1], -1))
    found = []
    for l in range(band):
        here = f[:, :, total(l) : total(l + 1)].unflatten(2, (2 * l + 1, 2 * l + 1))
        found.append(torch.einsum("bcnm,ocn->bom", here, kernel[:, :, l * l : (l + 1) ** 2]))
    return _padded(found, bands[1] ** 2)


def _padded(parts: list[Tensor], size: int) -> Tensor:
    """Degrees joined ``[B, C, size]``, zero above the band, as ``[B, C * size]``."""
    y = torch.cat(parts, 2)
    return nn.functional.pad(y, (0, size - y.shape[2])).flatten(1)


@on_processor
def _rotations(support: RingSupport | None, band: int) -> Tensor | None:
    """A unit mass at each point g of the support ``[K, D]``: with it a correlation is ``f(R g)``."""
    if support is None:
        return None
    return torch.cat([d.mT.flatten(1) for d in wigner_d(support.elements(True), range(band))], 1)


def _s2_baked(x: Tensor, band: int, bands: tuple[int, int], kernel: Tensor) -> Tensor:
    return s2_correlation(x, kernel, band, bands)


def _so3_baked(x: Tensor, band: int, bands: tuple[int, int], kernel: Tensor) -> Tensor:
    return so3_correlation(x, kernel, band, bands)


def _to_s2_baked(x: Tensor, band: int, bands: tuple[int, int], kernel: Tensor) -> Tensor:
    return to_s2(x, kernel, band, bands)
