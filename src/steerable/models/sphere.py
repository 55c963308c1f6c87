"""Steerable networks on the sphere: classification, and fields at every sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.sphere import LatLonSphere, Sphere, parse_sphere, remembered
from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.models.grid_unet import read
from steerable.models.hidden import activated, hidden_fields, invariants
from steerable.models.unet import ByLayer, UNet


def levels(sphere: str | Sphere, count: int) -> list[Sphere]:
    """A sampling and coarser ones: of its kind, or Gauss rings where a grid of latitudes cannot be halved.

    Gauss rings are half as many. Longitudes are halved where their number is even, else kept: one number divides the
    other, and convolutions between such rings are fast. So ``192 x 288`` with poles is followed by
    ``gauss(96, nlon=144)``.

    Raises:
        ValueError: if there are not as many.
    """
    found = [parse_sphere(sphere)]
    while len(found) < count:
        found.append(_coarser(found[-1]))
    return found


def _coarser(sphere: Sphere) -> Sphere:
    try:
        return sphere.coarser()
    except ValueError:
        if not isinstance(sphere, LatLonSphere) or sphere.nlat < 4:
            raise
    return Sphere.gauss(sphere.nlat // 2, sphere.nlon if sphere.nlon % 2 else sphere.nlon // 2, sphere.shift)


def radii(spheres: Sequence[Sphere], reach: float, radius: float | None) -> list[float]:
    """Radius of the kernels on each sampling: so many distances of samples, or a radius that doubles at each step.

    Raises:
        ValueError: if kernels on the coarsest sampling would reach around the sphere.
    """
    found = [reach * s.spacing if radius is None else radius * 2**k for k, s in enumerate(spheres)]
    if found[-1] >= math.pi:
        mend = f"reach below {math.pi / spheres[-1].spacing:.2g}" if radius is None else "smaller radius"
        raise ValueError(
            f"{spheres[0]!r} is too coarse for a network of {len(spheres)} resolutions: on {spheres[-1]!r} its kernels "
            f"would reach {found[-1]:.3g} rad; expected less than pi. Take a finer sampling, fewer widths, or a {mend}"
        )
    return found


def block(current: FieldType, wide: FieldType, sphere: Sphere, radius: float, kernel_size: int) -> snn.Sequential:
    """Convolution, batch norm by area, activation: ``current`` to ``wide``."""
    before, act = activated(wide)
    return snn.Sequential(
        snn.SphereConv(current, before, sphere, radius, kernel_size=kernel_size, bias=False),
        snn.SphereBatchNorm(before, sphere),
        act,
    )


def between(fields: FieldType, here: Sphere, there: Sphere, radius: float) -> snn.SphereConv:
    """A convolution from one sampling to another; the radius is that of the coarser one."""
    return snn.SphereConv(fields, fields, here, radius, there, kernel_size=3, bias=False)


class SphereCNN(nn.Module):
    """Local convolutions on coarser and coarser samplings, an invariant head.

    Equivariant under all rotations up to the error of the sampling: measure it with
    :func:`steerable.laws.sphere_errors`.

    Args:
        in_channels: plain channels.
        num_classes: number of logits.
        sphere: a sampling or its name, such as ``"gauss(32)"`` or ``"healpix(16)"``.
        group: SO2, O2 (with reflections) or C1 (filters held by north: equivariant about the poles only).
        widths: fields at each resolution, see :func:`steerable.models.hidden.hidden_fields`.
        reach: radius of the kernels, in distances of samples.
        radius: the same in radians at full resolution, doubled at each coarser one, in place of ``reach``: then weights
            that were learned on one sampling mean the same operator on every other.
        kernel_size: odd; side of the planar kernel that they correspond to.
        degree: largest spin of the hidden fields; 0: axisymmetric kernels between scalars.
        hidden: width of the dense layer on the invariants.
        in_type: of the input in place of plain channels, such as ``"1x0 + 1x2"``.

    Source: Ocampo, Price and McEwen, ICLR 2023, arXiv 2209.13603, with fields of spin.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(32)",
        group: str | Group = "SO2",
        widths: Sequence[int] = (8, 16, 16),
        reach: float = 4.0,
        kernel_size: int = 5,
        degree: int = 1,
        hidden: int = 32,
        in_type: str | None = None,
        radius: float | None = None,
    ) -> None:
        super().__init__()
        group = read(group)
        spheres = levels(sphere, len(widths))
        r = radii(spheres, reach, radius)
        self.sphere = spheres[0]
        current = group.type(in_type) if in_type else in_channels * group.trivial
        layers: list[nn.Module] = []
        with remembered():
            for k, width in enumerate(widths):
                wide = hidden_fields(group, width, degree)
                layers.append(block(current, wide, spheres[k], r[k], kernel_size))
                if k + 1 < len(widths):
                    layers.append(between(wide, spheres[k], spheres[k + 1], r[k + 1]))
                current = wide
        pool = invariants(current)
        self.features = snn.Sequential(*layers, pool, snn.SphereAvgPool(pool.out_type, spheres[-1]))
        self.head = nn.Sequential(nn.Linear(pool.out_type.size, hidden), nn.ELU(), nn.Linear(hidden, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *sphere.shape]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(x))


class SphereUNet(UNet):
    """A U-Net on the sphere: fields in, fields out, at every sample.

    Args:
        in_channels: plain channels.
        num_classes: of a sample: plain channels of the output.
        sphere, group, reach, kernel_size, degree, radius: as in :class:`SphereCNN`.
        widths: fields at full resolution, at the next coarser one, ...
        in_type: of the input in place of plain channels.
        out_type: of the output in place of plain channels: ``"1x1"`` for a wind.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        sphere: str | Sphere = "gauss(32)",
        group: str | Group = "SO2",
        widths: Sequence[int] = (8, 16, 16),
        reach: float = 4.0,
        kernel_size: int = 5,
        degree: int = 1,
        in_type: str | None = None,
        out_type: str | None = None,
        radius: float | None = None,
    ) -> None:
        group = read(group)
        s = levels(sphere, len(widths))
        r = radii(s, reach, radius)
        first = group.type(in_type) if in_type else in_channels * group.trivial
        last = group.type(out_type) if out_type else num_classes * group.trivial
        types = [hidden_fields(group, w, degree) for w in widths]
        count = len(types)
        with remembered():
            into = [
                block(a, b, s[k], r[k], kernel_size)
                for k, (a, b) in enumerate(zip([first, *types[:-1]], types, strict=True))
            ]
            down = [between(types[k], s[k], s[k + 1], r[k + 1]) for k in range(count - 1)]
            up = [ByLayer(between(types[k + 1], s[k + 1], s[k], r[k + 1])) for k in range(count - 2, -1, -1)]
            out = [block(types[k + 1] + types[k], types[k], s[k], r[k], kernel_size) for k in range(count - 2, -1, -1)]
            head = snn.SphereConv(types[0], last, s[0], r[0], kernel_size=kernel_size)
        super().__init__(into, down, up, out, head)
        self.sphere, self.in_type, self.out_type = s[0], first, last
