"""The two kits from which the networks of Cohen and Welling are built: regular fields, and ordinary channels."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import C, Group, parse_group
from steerable.kernels.filters import Filters
from steerable.kernels.pixels import Pixels
from steerable.kernels.rings import GaussianRings


class Kit(ABC):
    """Layers of a chain, made one after the other; each call continues where the last one ended."""

    @abstractmethod
    def conv(self, width: int, kernel_size: int = 3, stride: int = 1, padding: int = 0) -> list[nn.Module]:
        """Convolution to ``width`` fields, batch norm, ReLU."""

    @abstractmethod
    def fit(self, mode: str | None, step: int, rest: int) -> list[nn.Module]:
        """Bring images to an exact side, see :class:`steerable.nn.FitSide2d`; nothing for ``None``."""

    @abstractmethod
    def max_pool(self) -> list[nn.Module]:
        """Maximum of windows of 2."""

    @abstractmethod
    def dropout(self, p: float) -> list[nn.Module]:
        """Drop whole fields in train."""

    @abstractmethod
    def invariants(self, width: int | None = None) -> list[nn.Module]:
        """The largest orientation of every field; with ``width`` a 1x1 map to that many invariant channels."""


class RegularKit(Kit):
    """Regular fields of a finite planar group; subgroups of D4 with all pixels, others with Gaussian rings.

    Args:
        group: group or name.
        in_channels: channels of the image.

    Raises:
        ValueError: for a group that is not finite or not planar.
    """

    def __init__(self, group: str | Group, in_channels: int) -> None:
        self.group = group if isinstance(group, Group) else parse_group(group)
        if not (self.group.is_finite and self.group.is_planar):
            raise ValueError(f"gcnn: got group {self.group.name}; expected a finite planar group such as C4 or D4")
        self.type: FieldType = in_channels * self.group.trivial

    def filters(self, kernel_size: int) -> Filters:
        """All pixels where the group moves pixels to pixels, else rings."""
        if self.group.name in ("C1", "C2", "C4", "D1", "D2", "D4"):
            return Pixels(kernel_size)
        return GaussianRings.for_size(kernel_size)

    def conv(self, width: int, kernel_size: int = 3, stride: int = 1, padding: int = 0) -> list[nn.Module]:
        """Group convolution, batch norm by field, ReLU."""
        before, self.type = self.type, width * self.group.regular
        filters = self.filters(kernel_size)
        layer = snn.Conv2d(before, self.type, kernel_size, stride, padding, bias=False, filters=filters)
        return [layer, snn.BatchNorm(self.type), snn.ReLU(self.type, inplace=True)]

    def fit(self, mode: str | None, step: int, rest: int) -> list[nn.Module]:
        """A :class:`steerable.nn.FitSide2d`."""
        return [] if mode is None else [snn.FitSide2d(self.type, step, rest, mode)]

    def max_pool(self) -> list[nn.Module]:
        """Maximum of windows of 2; exact on even sides."""
        return [snn.MaxPool2d(self.type, 2)]

    def dropout(self, p: float) -> list[nn.Module]:
        """Drop whole fields."""
        return [snn.FieldDropout(self.type, p)] if p else []

    def invariants(self, width: int | None = None) -> list[nn.Module]:
        """Maximum over orientations, or a 1x1 convolution to trivial fields."""
        if width is None:
            return [snn.GroupPool(self.type)]
        return [snn.Conv2d(self.type, width * self.group.trivial, 1, filters=self.filters(1))]


class PlainKit(Kit):
    """Ordinary channels: the twin without symmetry.

    Args:
        in_channels: channels of the image.
    """

    def __init__(self, in_channels: int) -> None:
        self.width = in_channels

    def conv(self, width: int, kernel_size: int = 3, stride: int = 1, padding: int = 0) -> list[nn.Module]:
        """Convolution, batch norm, ReLU."""
        layer = nn.Conv2d(self.width, width, kernel_size, stride, padding, bias=False)
        self.width = width
        return [layer, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]

    def fit(self, mode: str | None, step: int, rest: int) -> list[nn.Module]:
        """The same images as the equivariant twin."""
        return [] if mode is None else [snn.FitSide2d(self.width * C(1).trivial, step, rest, mode).bake()]

    def max_pool(self) -> list[nn.Module]:
        """Maximum of windows of 2."""
        return [nn.MaxPool2d(2)]

    def dropout(self, p: float) -> list[nn.Module]:
        """Drop whole channels."""
        return [nn.Dropout2d(p)] if p else []

    def invariants(self, width: int | None = None) -> list[nn.Module]:
        """Nothing, or a 1x1 convolution."""
        return [] if width is None else [nn.Conv2d(self.width, width, 1)]


def kit(group: str | Group | None, in_channels: int) -> Kit:
    """The kit of a group, or the plain one for ``None``."""
    return PlainKit(in_channels) if group is None else RegularKit(group, in_channels)


def chain(layers: list[nn.Module]) -> nn.Sequential:
    """Layers in a row, with types checked where there are types."""
    typed = any(isinstance(m, snn.EquivariantModule) for m in layers)
    return snn.Sequential(*layers) if typed else nn.Sequential(*layers)
