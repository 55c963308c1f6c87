"""Steerable networks of volumes: classification and segmentation, for any group of space."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

import steerable.nn as snn
from steerable.fields.type import FieldType
from steerable.groups import Group, parse_group
from steerable.models.hidden import activated, hidden_fields, invariants
from steerable.models.unet import Interpolate, UNet


def block(current: FieldType, wide: FieldType, kernel_size: int) -> snn.Sequential:
    """Convolution, batch norm, activation: ``current`` to ``wide``."""
    before, act = activated(wide)
    return snn.Sequential(
        snn.Conv3d(current, before, kernel_size, padding=kernel_size // 2, bias=False), snn.BatchNorm(before), act
    )


def read(group: str | Group) -> Group:
    """A group by name or value."""
    return group if isinstance(group, Group) else parse_group(group)


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


class VolumeUNet(UNet):
    """A U-Net of space: one logit for each class at every voxel, which turn with the volume.

    Args:
        in_channels: plain channels of the volume.
        num_classes: number of classes of a voxel.
        group: as in :class:`VolumeCNN`.
        widths: fields at full, half, ... resolution.
        kernel_size: side of all kernels.
        degree: largest degree of the irreps of continuous groups.

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
    ) -> None:
        group = read(group)
        types = [hidden_fields(group, w, degree) for w in widths]
        steps = zip([in_channels * group.trivial, *types[:-1]], types, strict=True)
        pool = invariants(types[0])
        super().__init__(
            [block(a, b, kernel_size) for a, b in steps],
            [snn.BlurPool3d(t) for t in types[:-1]],
            [Interpolate() for _ in types[:-1]],
            [block(low + t, t, kernel_size) for low, t in zip(types[:0:-1], types[-2::-1], strict=True)],
            snn.Sequential(pool, snn.Conv3d(pool.out_type, num_classes * group.trivial, 1)),
        )
