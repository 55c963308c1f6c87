"""A steerable U-Net of images, and its plain twin: segmentation, and fields from images."""

from __future__ import annotations

from collections.abc import Sequence

from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.models.grid_unet import GridUNet, PlainGridUNet, read
from steerable.models.hidden import hidden_fields


class PlanarUNet(GridUNet):
    """A U-Net of images: one logit for each class at every pixel, which turns with the image; or fields.

    Args:
        in_channels: plain channels of the image.
        num_classes: number of classes of a pixel.
        group: of the plane: C(n), D(n), SO2 or O2, by name or value.
        widths: fields at full, half, ... resolution: regular ones of C(n) and D(n), irreps of SO2 and O2.
        kernel_size: odd; side of all kernels.
        degree: largest frequency of the irreps of SO2 and O2.
        in_type, out_type: fields in place of plain channels, by name or value: ``"1x1"`` of SO2 is a vector.

    Exact for the quarter turns, and reflections, that the group holds, on every side.

    Source: the layout of Ronneberger, Fischer and Brox, MICCAI 2015, arXiv 1505.04597, with the fields of Weiler and
    Cesa, NeurIPS 2019, arXiv 1911.08251, and blurred halvings.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "D4",
        widths: Sequence[int] = (3, 6, 6),
        kernel_size: int = 5,
        degree: int = 2,
        in_type: FieldType | str | None = None,
        out_type: FieldType | str | None = None,
    ) -> None:
        super().__init__(2, in_channels, num_classes, group, widths, kernel_size, degree, in_type, out_type)


class PlainPlanarUNet(PlainGridUNet):
    """The layers of :class:`PlanarUNet` without symmetry; arguments as there.

    Args:
        match: ``"params"``: as many parameters; ``"compute"``: as many channels.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "D4",
        widths: Sequence[int] = (3, 6, 6),
        kernel_size: int = 5,
        degree: int = 2,
        match: str = "params",
    ) -> None:
        twin = PlanarUNet(in_channels, num_classes, group, widths, kernel_size, degree)
        channels = [hidden_fields(read(group), w, degree).size for w in widths]
        super().__init__(2, twin, in_channels, num_classes, channels, kernel_size, match)
