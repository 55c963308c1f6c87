"""Panoramas from one grid of the sphere to another, by the mean over the area of each sample."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from steerable.domains.sphere import EquiangularSphere, HealpixSphere, RingSphere, Sphere
from steerable.groups import SO3


def panorama_sphere(image: Tensor) -> EquiangularSphere:
    """The grid of an equirectangular image ``[..., H, 2 H]``: row 0 at the north pole, the left border at longitude 0.

    Raises:
        ValueError: for another shape: only whole panoramas are fields on the sphere.
    """
    height, width = tuple(image.shape[-2:]) if image.dim() >= 2 else (0, 0)
    if not height or width != 2 * height:
        raise ValueError(
            f"panorama_sphere: the image is {list(image.shape)}; expected [..., H, 2 H], 180 by 360 degrees. A band of "
            "a panorama has to be filled up to the poles, or cut off a larger one"
        )
    return EquiangularSphere("fejer", height, width, 0.5)


def resample(
    x: Tensor, source: RingSphere, target: Sphere, oversample: int | None = None, rotation: Tensor | None = None
) -> Tensor:
    """Scalars on one grid, as their means over the areas of the samples of another.

    The source is interpolated bilinearly between and along its rings (beyond the poles along the meridian), at
    ``oversample^2`` places within each target pixel, which are weighted by their areas. Constants stay; the mean over
    the sphere stays up to the error of the quadrature.

    Args:
        x: ``[..., *source.shape]``.
        source: rings without a sample at a pole: HEALPix, or equirectangular images.
        target: HEALPix or an equirectangular image.
        oversample: places along each side; default as fine as the source.
        rotation: a unit quaternion of SO3 by which the field is turned.

    Returns:
        ``[..., *target.shape]``.

    Raises:
        ValueError: for a map of another length, a source without rings, or a target whose pixels have no known outline.
    """
    if not isinstance(source, RingSphere):
        raise ValueError(
            f"resample: from {source!r}; expected rings, such as HEALPix or the grid of a picture (panorama_sphere). "
            "Other samplings go by harmonics: nn.SHT, then nn.InverseSHT"
        )
    lead = source.check_map(x)
    if oversample is None:
        oversample = max(1, round(target.spacing / source.spacing))
    angles, weight = subpixels(target, oversample)
    if rotation is not None:
        theta, phi = angles.unbind(-1)
        p = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], -1)
        p = p @ SO3().action(rotation, 3)  # rows times R: R^-1 p
        angles = torch.stack([torch.atan2(p[..., :2].norm(dim=-1), p[..., 2]), torch.atan2(p[..., 1], p[..., 0])], -1)
    index, share = interpolation(source, angles)
    share = (share * weight[..., None]).flatten(1).to(x)
    flat, index = x.flatten(len(lead)), index.flatten(1)
    out = flat.new_zeros(*flat.shape[:-1], len(index))
    for column, part in zip(index.T, share.T, strict=True):
        out = out + flat[..., column] * part
    return out.reshape(*lead, *target.shape)


def subpixels(sphere: Sphere, count: int) -> tuple[Tensor, Tensor]:
    """Places ``[N, count^2, 2]`` (colatitude, longitude) that divide each pixel, and their shares of its area.

    Raises:
        ValueError: for a sampling other than HEALPix and equirectangular images, or fewer than one place.
    """
    if isinstance(sphere, HealpixSphere) and count >= 1:
        fine = HealpixSphere(sphere.nside * count)
        face, x, y = fine.faces()
        order = sphere.number(face, x // count, y // count).argsort()
        angles = fine.angles()[order].view(sphere.num_points, -1, 2)
        return angles, torch.full(angles.shape[:2], 1 / count**2, dtype=torch.float64)
    if isinstance(sphere, EquiangularSphere) and not sphere.pole_rings and sphere.kind != "mw" and count >= 1:
        rows, columns = sphere.shape
        theta = (torch.arange(rows * count, dtype=torch.float64) + 0.5) * math.pi / (rows * count)
        step = 2 * math.pi / columns
        phi = ((torch.arange(columns * count, dtype=torch.float64) + 0.5) / count + sphere.shift - 0.5) * step
        angles = torch.stack(torch.meshgrid(theta, phi, indexing="ij"), -1)
        angles = angles.view(rows, count, columns, count, 2).transpose(1, 2).reshape(rows * columns, -1, 2)
        area = angles[..., 0].sin()
        return angles, area / area.sum(1, keepdim=True)
    raise ValueError(
        f"resample: onto {sphere!r} with {count} places a side; expected HEALPix or the grid of an equirectangular "
        "image (panorama_sphere), and at least one place. Other samplings go by harmonics: nn.SHT, then nn.InverseSHT"
    )


def interpolation(sphere: RingSphere, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Four samples around each direction and their weights ``[..., 4]``: linear along rings, and between two."""
    rings = sphere.rings
    theta, phi = angles.double().numpy()[..., 0], angles.double().numpy()[..., 1]
    colatitude = np.concatenate([[-rings.colatitude[0]], rings.colatitude, [2 * np.pi - rings.colatitude[-1]]])
    above = np.clip(np.searchsorted(colatitude, theta, side="right") - 1, 0, len(colatitude) - 2)
    part = (theta - colatitude[above]) / (colatitude[above + 1] - colatitude[above])
    indices, weights = [], []
    for place, share in ((above, 1 - part), (above + 1, part)):
        ring = np.clip(place - 1, 0, len(rings.count) - 1)
        beyond = (place == 0) | (place == len(colatitude) - 1)  # over the pole: on the other side of it
        count = rings.count[ring]
        at = np.mod((phi + np.pi * beyond - rings.first[ring]) * count / (2 * np.pi), count)
        left = np.floor(at).astype(np.int64)
        for k, near in ((left % count, 1 - (at - left)), ((left + 1) % count, at - left)):
            indices.append(rings.start[ring] + k)
            weights.append(share * near)
    index, order = torch.from_numpy(np.stack(indices, -1)), sphere.ring_order
    return (index if order is None else order[index]), torch.from_numpy(np.stack(weights, -1))
