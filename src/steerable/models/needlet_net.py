"""Needlet networks on the sphere: maps to maps, by correlation and shrinkage in a tight frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import steerable.nn as snn
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2
from steerable.models.needlet_parts import DegreeMix, NeedletTrunk, SphericalScalars
from steerable.models.plain_sphere import WrappedConv, _block, _maps
from steerable.models.plain_volume import matched
from steerable.nn.sphere.sht import usual_band
from steerable.nn.sphere.spectral_conv import NEAR_IDENTITY


class NeedletNet(nn.Module):
    """Fields to fields: a linear filter of each degree, plus what needlet blocks add to it.

    ``y = W x + project(trunk(x))``: W holds one matrix a degree (a Wiener filter is one), the trunk lifts to SO(3),
    decomposes into needlets, correlates and shrinks each band, and adds the result to what came in. Linear parts are
    exactly equivariant; activations up to their aliasing, see :class:`steerable.nn.SpectralAct`.

    Args:
        in_channels: scalars of the input.
        num_classes: scalars of the output.
        sphere: a sampling or its name.
        width: features.
        depth: number of needlet blocks.
        levels: of details of each block.
        band: of all signals; default what the sampling holds.
        on: ``"group"``: features are functions on SO(3), as in the source; work grows as ``L^4``. ``"sphere"``:
            functions on the sphere with axisymmetric kernels, ``L^3`` and a small factor.
        support: of the kernels on SO(3); ``None``: a free number for each coefficient.
        oversample: of the grids of the activations.
        in_type: of the input in place of plain channels, such as ``"1x0 + 1x2"`` for T, Q and U.
        out_type: of the output.

    Raises:
        ValueError: for a band that the sampling does not hold, another place, or types that are no sums of irreps.

    Source: Yi, Chen, Wang, Zhou, Lio, Fan and Hamann, "Approximate Equivariance SO(3) Needlet Convolution", TAG-ML,
    2022, arXiv 2206.10385; the linear path beside the blocks is ours.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        sphere: str | Sphere = "gauss(8)",
        width: int = 4,
        depth: int = 1,
        levels: int = 1,
        band: int | None = None,
        on: str = "group",
        support: snn.RingSupport | None = NEAR_IDENTITY,
        oversample: float = 2.0,
        in_type: str | FieldType | None = None,
        out_type: str | FieldType | None = None,
    ) -> None:
        super().__init__()
        self.sphere = parse_sphere(sphere)
        self.in_type, self.out_type = _type(in_type, in_channels), _type(out_type, num_classes)
        band = usual_band(self.sphere) if band is None else band
        self.analysis = snn.SHT(self.sphere, self.in_type, band)
        self.synthesis = snn.InverseSHT(self.sphere, self.out_type, band)
        self.scalars = SphericalScalars(self.in_type, band)
        self.fields = SphericalScalars(self.out_type, band, back=True)
        here, there = self.scalars.count, self.fields.count
        self.linear = DegreeMix(here, there, band, identity=True)
        self.trunk = NeedletTrunk(here, width, band, depth, levels, on, support, oversample)
        self.project: nn.Module
        if on == "group":
            self.project = snn.SO3ToS2(width, there, band, band, support)
        else:
            self.project = DegreeMix(width, there, band)
        with torch.no_grad():
            self.project.weight.mul_(0.1)  # the linear path leads at first
        shape = self.out_type.size, *(1 for _ in self.sphere.shape)
        self.bias = nn.Parameter(torch.zeros(shape)) if self.out_type.is_trivial else None

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_type.size, *sphere.shape]`` to ``[B, out_type.size, *sphere.shape]``."""
        c = self.scalars(self.analysis(x))
        y = self.synthesis(self.fields(self.linear(c) + self.project(self.trunk(c))))
        return y if self.bias is None else y + self.bias


class NeedletNetPlain(nn.Module):
    """The same layout as ordinary convolutions of a map of longitude and latitude; arguments as in :class:`NeedletNet`.

    A linear convolution beside a lift and two convolutions for each block, at full resolution. Components of fields
    with a spin are plain channels, as they would be for whoever knows no frames.

    Args:
        kernel_size: side of the kernels.
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.

    Raises:
        ValueError: for a sampling that is no map of longitude and latitude.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        sphere: str | Sphere = "gauss(8)",
        width: int = 4,
        depth: int = 1,
        levels: int = 1,
        band: int | None = None,
        on: str = "group",
        in_type: str | FieldType | None = None,
        out_type: str | FieldType | None = None,
        kernel_size: int = 5,
        match: str = "params",
    ) -> None:
        super().__init__()
        self.sphere = _maps(sphere)
        twin = NeedletNet(
            in_channels, num_classes, self.sphere, width, depth, levels, band, on, in_type=in_type, out_type=out_type
        )
        self.in_type, self.out_type = twin.in_type, twin.out_type

        def build(channels: list[int]) -> _Residual:
            return _Residual(self.in_type.size, channels[0], self.out_type.size, depth, kernel_size)

        self.net = build(matched(twin, [width], match, build))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_type.size, T, P]`` to ``[B, out_type.size, T, P]``."""
        return self.net(x)


class _Residual(nn.Module):
    """A linear convolution beside blocks with skips."""

    def __init__(self, current: int, width: int, last: int, depth: int, kernel_size: int) -> None:
        super().__init__()
        self.linear = WrappedConv(current, last, kernel_size, bias=True)
        self.lift = _block(current, width, kernel_size)
        self.blocks = nn.ModuleList(
            nn.Sequential(_block(width, width, kernel_size), WrappedConv(width, width, kernel_size))
            for _ in range(depth)
        )
        self.project = WrappedConv(width, last, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, current, T, P]`` to ``[B, last, T, P]``."""
        h = self.lift(x)
        for block in self.blocks:
            h = h + block(h)
        return self.linear(x) + self.project(h)


def _type(given: str | FieldType | None, channels: int) -> FieldType:
    if given is None:
        return channels * SO2().trivial
    return SO2().type(given) if isinstance(given, str) else given
