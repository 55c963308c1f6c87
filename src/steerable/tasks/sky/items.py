"""Pictures of items painted on the sphere: exact under rotation, for the pictures are sampled only once.

A sampling whose points lie farther apart than the strokes of a picture sees another picture after each turn: that is
aliasing, and no network mends it. So pictures are smoothed to what the sampling can hold before they are painted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.domains.sphere import Sphere
from steerable.groups import SO3


def smoothed(pictures: Tensor, sphere: Sphere, diameter: float = math.pi / 3, strength: float = 0.75) -> Tensor:
    """Pictures whose details are no finer than a sampling of the sphere.

    Args:
        pictures: ``[..., H, W]``, 0 outside.
        sphere: where they will be painted.
        diameter: of the picture there, in radians.
        strength: standard deviation of the Gaussian, in mean distances of samples ``sqrt(4 pi / N)``; 0 for none. With
            .75 a turned field is the field of turned coefficients to 4 %, with .5 to 13 %.

    Raises:
        ValueError: for a negative strength.
    """
    if strength < 0:
        raise ValueError(f"smoothed: strength is {strength}; expected 0 (none) or more, such as .75")
    spacing = math.sqrt(4 * math.pi / sphere.num_points)
    sizes = [strength * spacing * side / diameter for side in pictures.shape[-2:]]  # in pixels
    found = pictures
    for axis, sigma in zip((-2, -1), sizes, strict=True):
        side = pictures.shape[axis]
        apart = torch.arange(side, dtype=torch.float64)
        kernel = torch.exp(-0.5 * (apart / max(sigma, 1e-9)) ** 2)
        kernel = kernel / (2 * kernel.sum() - 1)
        matrix = kernel[(apart[:, None] - apart).abs().long()].to(pictures)
        found = torch.einsum("...hw,hk->...kw" if axis == -2 else "...hw,wk->...hk", found, matrix)
    return found


def paint(pictures: Tensor, rotations: Tensor, sphere: Sphere, diameter: float = math.pi / 3) -> Tensor:
    """Paint pictures on the sphere, each around its own point.

    A picture lies in the plane at the point ``R (0, 0, 1)``, its upper edge towards ``-R e1`` (north, for a rotation
    ``Rz(phi) Ry(theta)``), its right edge towards ``R e2``; it is brought to the sphere by the azimuthal projection
    that keeps distances from its centre. Overlapping items keep the larger value.

    Args:
        pictures: ``[N, K, H, W]`` (K items on each sphere), 0 outside.
        rotations: elements of SO3 ``[N, K, 4]``.
        sphere: where the fields are sampled.
        diameter: of the picture, in radians.

    Returns:
        ``[N, K, *sphere.shape]``: each item on its own; the largest over K is the field.
    """
    points = sphere.points().reshape(-1, 3)
    found = []
    for picture, turn in zip(pictures, rotations, strict=True):
        local = torch.einsum("kij,pi->kpj", SO3().action(turn), points)  # R^-1 p
        rho = torch.hypot(local[..., 0], local[..., 1])
        angle = torch.atan2(rho, local[..., 2])
        scale = torch.where(rho > 0, angle / torch.where(rho > 0, rho, 1.0), 1.0) / (diameter / 2)
        place = torch.stack([local[..., 1] * scale, local[..., 0] * scale], -1)  # right, down
        grid = place.to(picture)[:, None]
        found.append(F.grid_sample(picture[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0, 0])
    return torch.stack(found).reshape(*pictures.shape[:2], *sphere.shape)


def poses(count: int, items: int, turned: bool, generator: torch.Generator) -> Tensor:
    """Where items lie: around the equator at equal distances with room between them, or the whole turned at random.

    Args:
        count: number of spheres.
        items: on each.
        turned: whether each sphere is turned by a rotation drawn from the Haar measure.
        generator: of the draws: the longitude of each item moves by up to a fifth of its share of the circle.

    Returns:
        Elements of SO3 ``[count, items, 4]``.
    """
    group = SO3()
    share = 2 * math.pi / items
    jitter = (torch.rand(count, items, generator=generator, dtype=torch.float64) - 0.5) * 0.4 * share
    phi = torch.arange(items) * share + (jitter if items > 1 else 0 * jitter)
    half = math.sqrt(0.5)
    zero = torch.zeros_like(phi)
    about = torch.stack([(phi / 2).cos(), zero, zero, (phi / 2).sin()], -1)
    tilt = torch.tensor([half, 0.0, half, 0.0], dtype=torch.float64).expand_as(about)  # Ry(pi / 2)
    found = group.compose(about, tilt)
    if not turned:
        return found
    whole = group.sample(count, generator)[:, None].expand(-1, items, -1)
    return group.compose(whole, found)


def spherical_items(
    pictures: Tensor,
    labels: Tensor,
    sphere: Sphere,
    items: int = 1,
    turned: bool = False,
    copies: int = 1,
    diameter: float = math.pi / 3,
    seed: int = 0,
    smooth: float = 0.75,
) -> tuple[Tensor, Tensor, Tensor]:
    """Fields with items, and what there is to learn of them.

    Args:
        pictures: ``[N, H, W]`` in [0, 1].
        labels: classes ``[N]``, from 0.
        sphere: where the fields are sampled.
        items: on each sphere; each picture is used as often as the others.
        turned: whether each sphere is turned at random.
        copies: how often the set is painted, each time with new places and turns.
        diameter: of a picture in radians.
        seed: of all draws.
        smooth: how far pictures are smoothed before they are sampled, in distances of samples: see :func:`smoothed`.

    Returns:
        fields ``[M, 1, *shape]``; the class of the first item ``[M]``, an answer to learn where there is one item only;
        regions ``[M, *shape]``, 0 for background and 1 + class where the item is brighter than .3. ``M = copies N``.

    Raises:
        ValueError: for a negative ``smooth``.
    """
    pictures = smoothed(pictures.float(), sphere, diameter, smooth)
    generator = torch.Generator().manual_seed(seed)
    fields, firsts, regions = [], [], []
    for _ in range(copies):
        order = torch.stack([torch.randperm(len(pictures), generator=generator) for _ in range(items)], 1)
        order[:, 0] = torch.arange(len(pictures))
        painted = paint(pictures[order], poses(len(pictures), items, turned, generator), sphere, diameter)
        value, which = painted.max(1)
        kind = labels[order].gather(1, which.flatten(1)).view(which.shape)
        fields.append(value[:, None])
        firsts.append(labels)
        regions.append(torch.where(value > 0.3, kind + 1, 0))
    return torch.cat(fields), torch.cat(firsts), torch.cat(regions)
