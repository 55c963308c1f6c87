"""Tiny plain networks on volumes, on their voxels and on points: the plumbing without the library's models."""

from __future__ import annotations

import torch
from torch import nn


def volume(in_channels, num_classes, width=6):
    """[B, C, D, H, W] -> [B, K]."""
    return nn.Sequential(
        nn.Conv3d(in_channels, width, 3, padding=1),
        nn.BatchNorm3d(width),
        nn.ReLU(),
        nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


def normed(in_channels, num_classes, width=6):
    """As `volume`, with a batch norm after the mean: one value a channel of each volume."""
    return nn.Sequential(
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.BatchNorm1d(in_channels), nn.Linear(in_channels, num_classes)
    )


def voxels(in_channels, num_classes, width=6):
    """[B, C, D, H, W] -> [B, K, D, H, W]."""
    return nn.Sequential(
        nn.Conv3d(in_channels, width, 3, padding=1), nn.ReLU(), nn.Conv3d(width, num_classes, 3, padding=1)
    )


class Cloud(nn.Module):
    """Points from raw coordinates, or from their distance to the mean, pooled over each set."""

    def __init__(self, in_channels, num_classes, width=16, invariant=False):
        super().__init__()
        self.invariant = invariant
        self.each = nn.Sequential(nn.Linear(in_channels + (1 if invariant else 3), width), nn.SiLU())
        self.last = nn.Linear(width, num_classes)

    def forward(self, features, positions, batch):
        count = int(batch[-1]) + 1
        if self.invariant:
            number = torch.bincount(batch, minlength=count)[:, None]
            mean = positions.new_zeros(count, 3).index_add(0, batch, positions) / number
            positions = (positions - mean[batch]).norm(dim=-1, keepdim=True)
        x = self.each(torch.cat([features, positions], 1))
        return self.last(x.new_zeros(count, x.shape[1]).index_add(0, batch, x))


def points(in_channels, num_classes, width=16):
    """Sees coordinates."""
    return Cloud(in_channels, num_classes, width)


def invariant_points(in_channels, num_classes, width=16):
    """Sees distances from the mean."""
    return Cloud(in_channels, num_classes, width, True)


volume.domain = normed.domain = voxels.domain = "volumes"
points.domain = invariant_points.domain = "points"
NETWORKS = {
    "tiny_volume": volume,
    "tiny_volume_norm": normed,
    "tiny_voxels": voxels,
    "tiny_points": points,
    "tiny_invariant_points": invariant_points,
}
