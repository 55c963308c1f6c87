"""What needlet networks are made of: scalars of fields, mixing degree by degree, and the layers between them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains import Homogeneous
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3
from steerable.nn.baked import Baked
from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.needlet import NeedletTransform
from steerable.nn.sphere.sht import spherical_fields
from steerable.nn.sphere.spectral_conv import NEAR_IDENTITY, rotation_signals, sphere_signals

#: where needlets live: functions on SO(3), as in the source, or on the sphere, with axisymmetric kernels
PLACES = ("group", "sphere")


class SphericalScalars(EquivariantModule):
    """Coefficients of fields of any spin as those of scalars, or back: a permutation, exact under rotations.

    A field of spin n becomes two scalars, magnetic (B) and electric (E), whose degrees below n are zero. So Q and U
    need no kernels of spin.

    Args:
        type: type of SO2 of the fields, a sum of irreps.
        band: L.
        back: from scalars to fields: degrees below the spin are dropped.

    Attributes:
        count: number of scalars.

    Raises:
        ValueError: for other types, or a band that does not hold them.
    """

    def __init__(self, type: FieldType, band: int, back: bool = False) -> None:
        if type.group != SO2() or not all(b.rep.is_irrep for b in type.blocks) or type.size == 0:
            raise ValueError(f"a needlet network of {type}: expected a sum of irreps of SO2 such as '1x0 + 1x2'")
        top = max(b.rep.frequency for b in type.blocks)
        if top >= band:
            raise ValueError(f"a needlet network of {type} and band {band}: expected a band above the spin {top}")
        fields = spherical_fields("SphericalScalars", type, band)
        self.count = len(fields.copies)
        types = fields.type, sphere_signals(self.count, band)
        super().__init__(*(types[::-1] if back else types))
        place = torch.full((self.count, band * band), fields.type.size)  # one past the end: a zero
        for row, copy in zip(place, fields.copies, strict=True):
            for l, s in copy.items():
                row[int(l) ** 2 : (int(l) + 1) ** 2] = torch.arange(s.start, s.stop)
        where = place.flatten()
        if back:
            where = where.argsort()[: fields.type.size]
        self.register_buffer("where", where, persistent=False)

    def forward(self, c: Tensor) -> Tensor:
        """``[B, D]`` to ``[B, count * L^2]``, or back."""
        self.check_input(c)
        return _picked(c, self.where)  # type: ignore[arg-type]

    def bake(self) -> nn.Module:
        """The same without types."""
        return Baked(_picked, where=self.where)  # type: ignore[arg-type]


class DegreeMix(snn.HomLinear):
    """:class:`steerable.nn.HomLinear` between scalars on the sphere, whose weights are the numbers of each degree.

    It is the convolution with axisymmetric kernels, and the diagonal Wiener filter is one of them.

    Args:
        in_channels, out_channels: scalars, ``[B, channels * L^2]``.
        band: L.
        identity: start as the identity on the channels that both have, else at random.
    """

    def __init__(self, in_channels: int, out_channels: int, band: int, identity: bool = False) -> None:
        sphere, scalar = Homogeneous(SO3(), SO2(), band - 1), SO2().trivial
        init = "identity" if identity else "normal"
        super().__init__(sphere.fields(in_channels * scalar), sphere.fields(out_channels * scalar), False, init)
        self.weight = nn.Parameter(self.weight.detach().view(band, out_channels, in_channels))

    def reset_parameters(self) -> None:
        """Draw the weights again."""
        out, into = self._shapes[0][:2]
        if self._init == "identity":
            with torch.no_grad():
                self.weight.view(-1, out, into).copy_(torch.eye(out, into))
        else:
            nn.init.normal_(self.weight, std=1 / math.sqrt(into))

    def numbers(self) -> Tensor:
        """The weights as they are."""
        return self.weight.flatten()


class SphereNeedletBlock(EquivariantModule):
    """:class:`steerable.nn.NeedletBlock` on the sphere itself, with axisymmetric kernels: cheap at any band.

    Args:
        in_channels, out_channels: scalars, ``[B, channels * L^2]``.
        band: L.
        levels: of details.
        oversample: of the grids.
    """

    def __init__(
        self, in_channels: int, out_channels: int, band: int, levels: int = 1, oversample: float = 2.0
    ) -> None:
        super().__init__(sphere_signals(in_channels, band), sphere_signals(out_channels, band))
        self.frame = NeedletTransform(band, levels, "sphere")
        self.parts = nn.ModuleList(
            nn.Sequential(
                DegreeMix(in_channels, out_channels, b),
                snn.SpectralAct(out_channels, b, "shrink" if k else "gelu", oversample, on="sphere", bias=not k),
            )
            for k, b in enumerate(self.frame.bands)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * L^2]`` to ``[B, out_channels * L^2]``."""
        self.check_input(x)
        return self.frame.inverse([layer(part) for layer, part in zip(self.parts, self.frame(x), strict=True)])


def _picked(c: Tensor, where: Tensor) -> Tensor:
    return nn.functional.pad(c, (0, 1)).index_select(1, where)


class NeedletTrunk(EquivariantModule):
    """Scalars on the sphere to features on SO(3), or on the sphere: a lift, an activation, needlet blocks as residuals.

    The activation after the lift sees all bands at once: only there can a coarse part meet a fine one.

    Args:
        in_channels: scalars.
        width: features.
        band: L.
        depth: number of needlet blocks.
        levels: of details, see :class:`steerable.nn.NeedletTransform`.
        on: ``"group"`` or ``"sphere"``.
        support: of the kernels on SO(3).
        oversample: of the grids.

    Raises:
        ValueError: for another place.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        band: int,
        depth: int = 1,
        levels: int = 1,
        on: str = "group",
        support: snn.RingSupport | None = NEAR_IDENTITY,
        oversample: float = 2.0,
    ) -> None:
        if on not in PLACES:
            raise ValueError(f"a needlet network on {on!r}; expected one of {', '.join(PLACES)}")
        features = rotation_signals if on == "group" else sphere_signals
        super().__init__(sphere_signals(in_channels, band), features(width, band))
        self.width, self.on, self.band = width, on, band
        degrees = torch.arange(band)
        sizes = (2 * degrees + 1) ** (2 if on == "group" else 1)
        one_hot = nn.functional.one_hot(degrees.repeat_interleave(sizes), band)
        self.register_buffer("shares", one_hot / sizes, persistent=False)  # [D, L]
        self.lift: nn.Module
        if on == "group":
            self.lift = snn.S2Conv(in_channels, width, band, band, support)
            blocks = [snn.NeedletBlock(width, width, band, levels, support, oversample) for _ in range(depth)]
        else:
            self.lift = DegreeMix(in_channels, width, band)
            blocks = [SphereNeedletBlock(width, width, band, levels, oversample) for _ in range(depth)]
        self.act = snn.SpectralAct(width, band, "gelu", oversample, on=on)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels * L^2]`` to ``[B, width * D]``."""
        h = self.act(self.lift(x))
        for block in self.blocks:
            h = h + block(h)
        return h

    def invariants(self, x: Tensor) -> Tensor:
        """``[B, width (1 + L)]``: means of the features over all rotations, and the norm of each degree of each.

        Norms are over ``sqrt`` of the number of coefficients, so that all are of the size of a coefficient.
        """
        h = self(x).unflatten(1, (self.width, -1))
        norms = (h.square() @ self.shares.to(h) + 1e-6).sqrt()  # type: ignore[operator]
        return torch.cat([h[:, :, 0], norms.flatten(1)], 1)
