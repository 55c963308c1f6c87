"""The nearest points on the sphere."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.domains.points.cloud import Points


def nearest_points(queries: Tensor, points: Tensor, k: int) -> np.ndarray:
    """Numbers ``[Q, k]`` of the nearest of some points ``[N, 3]`` to others ``[Q, 3]``, the nearest first."""
    radius = math.sqrt(4 * math.pi / len(points)) * (0.5 + 0.62 * math.sqrt(k))
    out = np.zeros((len(queries), k), np.int64)
    left = torch.arange(len(queries))
    while len(left):
        found = Points(points).cross(Points(queries[left]), min(radius, 2.1))
        count = torch.bincount(found.target, minlength=len(left))
        order = found.distance.argsort(stable=True)
        order = order[found.target[order].argsort(stable=True)]
        enough = count >= k
        start = (count.cumsum(0) - count)[enough]
        out[left[enough].numpy()] = found.source[order[start[:, None] + torch.arange(k)]].numpy()
        left, radius = left[~enough], 2 * radius
    return out
