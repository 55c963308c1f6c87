"""Maps of the whole sphere in Mollweide's projection, of equal areas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere import Sphere
from steerable.domains.sphere.nearest import nearest_points


def draw_map(axes: Any, values: Tensor, sphere: Sphere, rows: int = 180, **options: Any) -> Any:
    """Draw a scalar field on any sampling: each spot of the map has the value of the nearest sample.

    Args:
        axes: matplotlib axes with ``projection="mollweide"``.
        values: ``[*sphere.shape]``; NaN where nothing is known.
        sphere: where they lie.
        rows: of the picture.
        options: of ``pcolormesh``.

    Returns:
        What ``pcolormesh`` returns. North is up, longitude 0 in the middle, east to the right.

    Raises:
        ValueError: for a map of another length.
    """
    sphere.check_map(values)
    latitude = (np.arange(rows) + 0.5) / rows * np.pi - np.pi / 2
    longitude = (np.arange(2 * rows) + 0.5) / rows * np.pi - np.pi
    phi, theta = np.meshgrid(longitude, np.pi / 2 - latitude)
    spots = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1).reshape(-1, 3)
    nearest = nearest_points(torch.from_numpy(spots), sphere.points().reshape(-1, 3), 1)[:, 0]
    picture = values.detach().double().reshape(-1)[nearest].reshape(rows, 2 * rows).numpy()
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.pcolormesh(longitude, latitude, picture, rasterized=True, shading="nearest", **options)


def draw_field(axes: Any, vectors: Tensor, sphere: Sphere, count: int = 300, **options: Any) -> Any:
    """Draw a field of spin 1 as arrows, the longest of them a twentieth of the width.

    Args:
        axes: matplotlib axes with ``projection="mollweide"``.
        vectors: components along south and east ``[2, *sphere.shape]``.
        sphere: where they lie.
        count: number of arrows, spread evenly over the sphere.
        options: of ``quiver``.

    Raises:
        ValueError: for a map of another length.
    """
    sphere.check_map(vectors)
    places = nearest_points(Sphere.fibonacci(count).points(), sphere.points().reshape(-1, 3), 1)[:, 0]
    shown = torch.from_numpy(places).unique()
    south, east = vectors.detach().double().reshape(2, -1)[:, shown]
    theta, phi = sphere.angles().reshape(-1, 2)[shown].unbind(-1)
    longest = float(torch.hypot(south, east).max()) or 1.0
    options = {"scale": 20 * longest, "width": 0.002, **options}
    place = (torch.remainder(phi + math.pi, 2 * math.pi) - math.pi, math.pi / 2 - theta)
    return axes.quiver(*(v.numpy() for v in (*place, east, -south)), **options)
