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


def draw_field(
    axes: Any,
    vectors: Tensor,
    sphere: Sphere,
    count: int = 300,
    spin: int = 1,
    longest: float | None = None,
    **options: Any,
) -> Any:
    """Draw a field of spin 1 as arrows along the meridians and parallels of the map, or one of spin 2 as rods.

    A rod stands at half the angle of (Q, U), from south to east, and has no head, for a turn by 180 degrees leaves it.

    Args:
        axes: matplotlib axes with ``projection="mollweide"``.
        vectors: components along south and east ``[2, *sphere.shape]``, or (Q, U) in that frame; nothing is drawn where
            one of them is not finite.
        sphere: where they lie.
        count: number of arrows, spread evenly over the sphere.
        spin: 1 or 2.
        longest: the length that is drawn as a twentieth of the width; default the longest that is drawn. Maps that are
            compared want one.
        options: of ``quiver``.

    Returns:
        What ``quiver`` returns.

    Raises:
        ValueError: for a map of another length, or another spin.
    """
    sphere.check_map(vectors)
    if spin not in (1, 2):
        raise ValueError(f"draw_field: spin {spin}; expected 1 (arrows) or 2 (rods). Draw the length with draw_map")
    places = nearest_points(Sphere.fibonacci(count).points(), sphere.points().reshape(-1, 3), 1)[:, 0]
    shown = torch.from_numpy(places).unique()
    first, second = vectors.detach().double().cpu().reshape(2, -1)[:, shown]
    known = torch.isfinite(first) & torch.isfinite(second)
    first, second, shown = first[known], second[known], shown[known]
    length, angle = torch.hypot(first, second), torch.atan2(second, first) / spin
    theta, phi = sphere.angles().reshape(-1, 2)[shown].unbind(-1)
    longitude, latitude = torch.remainder(phi + math.pi, 2 * math.pi) - math.pi, math.pi / 2 - theta
    x, y = on_map(longitude, latitude, angle)
    longest = longest or float(length.max() if len(length) else 0) or 1.0
    rods = {"headwidth": 0, "headlength": 0, "headaxislength": 0, "pivot": "middle"} if spin == 2 else {}
    options = {"scale": 20 * longest, "width": 0.002, **rods, **options}
    return axes.quiver(*(v.numpy() for v in (longitude, latitude, length * x, length * y)), **options)


def on_map(longitude: Tensor, latitude: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Directions on the sphere, as unit vectors of the map in Mollweide's projection.

    The projection turns and shears: north is up on the middle meridian only. With ``2 t + sin 2t = pi sin(latitude)``
    a place is drawn at ``x = (2 sqrt 2 / pi) longitude cos t``, ``y = sqrt 2 sin t``; this is its Jacobian.

    Args:
        longitude: between -pi and pi ``[N]``.
        latitude: ``[N]``.
        angle: of the directions, from south to east ``[N]``.

    Returns:
        Components to the right and upwards, ``[N]`` each.
    """
    t = latitude.clone()
    for _ in range(60):  # Newton, which is slow at a pole alone, where the root is a triple one
        slope = (2 + 2 * (2 * t).cos()).clamp_min(1e-12)
        t = (t - (2 * t + (2 * t).sin() - math.pi * latitude.sin()) / slope).clamp(-math.pi / 2, math.pi / 2)
    up = math.pi * latitude.cos() / (4 * t.cos().square()).clamp_min(1e-9)  # of t with the latitude
    east, north = angle.sin(), -angle.cos()
    x = 2 / math.pi * (t.cos() / latitude.cos().clamp_min(1e-9) * east - longitude * t.sin() * up * north)
    y = t.cos() * up * north
    size = torch.hypot(x, y).clamp_min(1e-12)
    return x / size, y / size
