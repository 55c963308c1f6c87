"""Steerable networks of volumes: classification and segmentation, for any group of space."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group
from steerable.models.grid_unet import GridUNet, block, read
from steerable.models.hidden import hidden_fields, invariants


class VolumeCNN(nn.Module):
    """Convolutions of space, blurred downsamplings, an invariant head.

    Groups of at most 24 elements have regular fields with ReLU, all others irreps with gates. Exact for the symmetries
    of the cube that the group holds, at every side.

    Args:
        in_channels: plain channels of the volume.
        num_classes: number of logits.
        group: a group of space (SO3, O3, O, I, ...) or of the plane (about the third axis), by name or value.
        widths: fields of each convolution, see :func:`steerable.models.hidden.hidden_fields`.
        kernel_size: side of all kernels.
        pool_after: convolutions (from 1) that are followed by a halving of the sides.
        degree: largest degree of the irreps of continuous groups.
        hidden: width of the dense layer on the invariants.

    Source: Weiler et al., "3D Steerable CNNs", arXiv 1807.02547.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        widths: Sequence[int] = (4, 8, 8),
        kernel_size: int = 5,
        pool_after: Sequence[int] = (1, 2),
        degree: int = 2,
        hidden: int = 32,
    ) -> None:
        super().__init__()
        group = read(group)
        current: FieldType = in_channels * group.trivial
        layers: list[nn.Module] = []
        for i, width in enumerate(widths, 1):
            wide = hidden_fields(group, width, degree)
            layers.append(block(current, wide, kernel_size))
            if i in pool_after:
                layers.append(snn.BlurPool3d(wide))
            current = wide
        self.features = snn.Sequential(*layers, pool := invariants(current), snn.GlobalAvgPool3d(pool.out_type))
        self.head = nn.Sequential(
            nn.Linear(pool.out_type.size, hidden), nn.BatchNorm1d(hidden), nn.ELU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, D, H, W]`` to logits ``[B, num_classes]``."""
        return self.head(self.features(x))


class VolumeUNet(GridUNet):
    """A U-Net of space: one logit for each class at every voxel, which turn with the volume; or fields.

    Args:
        in_channels: plain channels of the volume.
        num_classes: number of classes of a voxel.
        group: as in :class:`VolumeCNN`.
        widths: fields at full, half, ... resolution.
        kernel_size: side of all kernels.
        degree: largest degree of the irreps of continuous groups.
        in_type, out_type: fields in place of plain channels: ``"1x1"`` of SO3 is a vector.

    Sides that are odd at every level but the last (such as 17, 33) are exact for the symmetries of the cube, as are all
    others: up and down keep the centre.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        group: str | Group = "SO3",
        widths: Sequence[int] = (4, 8),
        kernel_size: int = 5,
        degree: int = 2,
        in_type: FieldType | str | None = None,
        out_type: FieldType | str | None = None,
    ) -> None:
        super().__init__(3, in_channels, num_classes, group, widths, kernel_size, degree, in_type, out_type)
