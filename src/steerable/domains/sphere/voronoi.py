"""Areas of the Voronoi cells of points on the sphere."""

from __future__ import annotations

import numpy as np
import torch

from steerable.domains.sphere.nearest import nearest_points

# neighbours looked at first; six cells touch a cell on average
_FEW = 20
# pairs looked at together
_CHUNK = 1 << 18


def voronoi_areas(points: np.ndarray, reach: float | None = None) -> np.ndarray:
    """Areas ``[N]`` of the cells of points ``[N, 3]`` on the unit sphere, of sum 4 pi; equal points share their cell.

    With a reach each cell ends at that distance from its point (radians, below pi / 2): areas add up to what the points
    cover.

    Seen from a point in stereographic projection, the cells that touch its own are the corners of the convex hull of
    all other points (K. Brown, Inf. Proc. Lett. 9 (1979) 223). Only near points are looked at, and more until no
    point that was left out can reach the cell: half its distance must exceed the radius of the cell.

    Raises:
        ValueError: for fewer than four different points, or all on one circle, or another reach.
    """
    if reach is not None and not 0 < reach < np.pi / 2:
        raise ValueError(f"voronoi_areas: cells reach {reach} radians; expected more than 0 and less than pi / 2")
    _, first, back, count = np.unique(
        np.round(points, 12) + 0.0, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    xyz = points[first]
    if len(xyz) < 4 or np.linalg.svd(xyz - xyz.mean(0), compute_uv=False)[-1] < 1e-9 * np.sqrt(len(xyz)):
        raise ValueError(
            f"voronoi_areas: {len(xyz)} different points, all on one circle; expected at least four that are not. "
            "Give weights"
        )
    area, left, want = np.zeros(len(xyz)), np.arange(len(xyz)), _FEW
    while len(left):
        want = min(want, len(xyz) - 1)
        rows = max(1, _CHUNK // want)
        near = nearest_points(torch.from_numpy(xyz[left]), torch.from_numpy(xyz), want + 1)[:, 1:]
        parts = [slice(i, i + rows) for i in range(0, len(left), rows)]
        found, sure = (
            np.concatenate(x) for x in zip(*(_cells(xyz, left[i], near[i], reach) for i in parts), strict=True)
        )
        area[left[sure]] = found[sure]
        left, want = left[~sure], 4 * want
    shared = (area / count)[back.reshape(-1)]
    if reach is not None:
        return shared
    return shared * (4 * np.pi / shared.sum())


def _cells(xyz: np.ndarray, which: np.ndarray, near: np.ndarray, limit: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Areas of some cells from the nearest points ``[n, k]``, in order, and whether no other point matters."""
    p = xyz[which]
    away = xyz[near] - p[:, None]  # [n, k, 3]
    square = (away**2).sum(-1)
    basis = _tangents(p)
    plane = (away @ basis) / square[..., None]  # stereographic, from the point itself
    hull = _hulls(plane)
    corners = np.take_along_axis(away, hull[..., None], 1)
    centre = np.cross(corners, np.roll(corners, -1, 1))
    size = np.linalg.norm(centre, axis=-1, keepdims=True)
    # a repeated corner (padding) has no triangle: its centre is that of the next one, and adds no area
    centre = np.where(size > 0, centre / np.where(size > 0, size, 1), 0.0)
    centre = _filled(centre, size[..., 0] > 0)
    if limit is None:
        area = triangle_areas(p[:, None], centre, np.roll(centre, -1, 1)).sum(-1)
    else:
        area = _within(p, basis, centre, np.roll(centre, -1, 1), limit).sum(-1)
    chord = np.linalg.norm(centre - p[:, None], axis=-1).max(-1)
    reach = 2 * np.arcsin(np.minimum(chord / 2, 1))  # radius of the cell
    return area, (near.shape[1] == len(xyz) - 1) | (
        2 * np.arcsin(np.minimum(np.sqrt(square[:, -1]) / 2, 1)) > 2 * reach
    )


def _within(p: np.ndarray, basis: np.ndarray, a: np.ndarray, b: np.ndarray, reach: float) -> np.ndarray:
    """Areas of triangles (p, a, b), counter-clockwise, ``[n, h]``, up to a distance from p.

    By azimuth about p: the side is at the distance r with ``tan r = tan d / cos(phi)``, d its least one, and the
    integral of ``1 - cos r`` is ``phi - asin(cos d sin phi)``; where r is beyond the reach it is that of a disc.
    """
    normal = np.cross(a, b)
    size = np.linalg.norm(normal, axis=-1)
    normal = normal / np.where(size > 0, size, 1)[..., None]
    sine = np.clip((normal * p[:, None]).sum(-1), 0, 1)
    cosine = np.sqrt(1 - sine**2)
    foot, first, last = (np.arctan2(v[..., 1], v[..., 0]) for v in (-normal @ basis, a @ basis, b @ basis))
    low = np.mod(first - foot + np.pi, 2 * np.pi) - np.pi
    wide = np.where(size > 0, np.mod(last - first, 2 * np.pi), 0.0)
    tangent = sine / np.maximum(cosine, 1e-300)
    most = np.arccos(np.minimum(tangent / np.tan(reach), 1))
    start, end = (np.clip(v, -most, most) for v in (low, low + wide))
    near = end - start - np.arcsin(cosine * np.sin(end)) + np.arcsin(cosine * np.sin(start))
    return np.where(size > 0, near + (1 - np.cos(reach)) * (wide - (end - start)), 0.0)


def _tangents(p: np.ndarray) -> np.ndarray:
    """Two unit vectors across each point, ``[n, 3, 2]``, right-handed with it."""
    least = np.eye(3)[np.abs(p).argmin(1)]
    first = np.cross(p, least)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(p, first)], -1)


def _hulls(plane: np.ndarray) -> np.ndarray:
    """Corners of convex hulls ``[n, h]``, counter-clockwise, of points ``[n, k, 2]``; the first one pads.

    Gift wrapping, all hulls at once: from a corner, the next is the point with all others on its left.
    """
    x, y = (np.ascontiguousarray(plane[..., c].T) for c in (0, 1))  # [k, n]
    start = (x * x + y * y).argmax(0)
    now, left, path = start, np.arange(x.shape[1]), [start]
    for _ in range(len(x)):
        at = np.arange(len(left))
        u, v = x - x[now, at], y - y[now, at]
        length = u * u + v * v
        best, bu, bv, bl = (np.zeros(len(left), t) for t in (np.int64, float, float, float))
        for j in range(len(x)):
            turn, slack = bu * v[j] - bv * u[j], 1e-14 * np.sqrt(bl * length[j])
            right = (turn < -slack) | ((np.abs(turn) <= slack) & (length[j] > bl))
            best = np.where(right, j, best)
            bu, bv, bl = (np.where(right, new[j], old) for new, old in ((u, bu), (v, bv), (length, bl)))
        going = best != start[left]
        if not going.any():
            break
        left, now, x, y = left[going], best[going], x[:, going], y[:, going]
        path.append(start.copy())
        path[-1][left] = now
    return np.stack(path, 1)


def _filled(centre: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Centres with those of padded corners replaced by the last good one before them."""
    place = np.where(good, np.arange(good.shape[1]), -1)
    place = np.maximum.accumulate(place, 1)
    place = np.where(place < 0, place[:, -1:], place)
    return np.take_along_axis(centre, place[..., None], 1)


def circumcentres(corners: np.ndarray) -> np.ndarray:
    """Unit vectors ``[n, 3]`` at equal distance from three corners ``[n, 3, 3]``, outside of counter-clockwise ones."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    out = np.cross(b - a, c - a)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def triangle_areas(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Signed areas of spherical triangles, counter-clockwise positive (van Oosterom and Strackee, 1983)."""
    volume = (np.cross(b - a, c - a) * a).sum(-1)
    return 2 * np.arctan2(volume, 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))
