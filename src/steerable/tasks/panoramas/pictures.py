"""Panoramas to compress: real ones from files, made-up ones, and what a grid sees of them from any side."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from steerable.data import InputError
from steerable.data.files import data_root, load_npz
from steerable.domains.sphere import Sphere
from steerable.groups import SO3
from steerable.tasks.panoramas.resample import panorama_sphere, resample

#: real panoramas by name: a photograph, and the Earth
PANORAMAS = {"photograph": "panorama_equirect_rgb.npz", "earth": "earth_blue_marble_rgb.npz"}


def panorama(name: str, root: str | Path | None = None) -> Tensor:
    """A real panorama ``[3, 512, 1024]`` of values from 0 to 1, row 0 in the north.

    Args:
        name: ``photograph`` or ``earth``.
        root: folder of the data sets, with a folder ``sphere``; the environment variable ``STEERABLE_DATA`` otherwise.

    Raises:
        InputError: for another name, or no such file.
    """
    if name not in PANORAMAS:
        raise InputError(f"panorama: the name is {name!r}; expected one of {', '.join(PANORAMAS)}")
    rgb = load_npz(data_root(root) / "sphere" / PANORAMAS[name], ("rgb",))["rgb"]
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


def synthetic_panorama(seed: int, height: int = 256, caps: int = 6, waves: int = 48) -> Tensor:
    """A made-up panorama ``[3, height, 2 height]``: band-limited textures, cut by the edges of caps.

    Every cap has a colour of its own and another texture, a sum of waves in space of random directions whose amplitudes
    fall with their frequency; no direction of the sphere is preferred.

    Args:
        seed: of all draws.
        height: rows.
        caps: number of caps.
        waves: in each texture.
    """
    g = torch.Generator().manual_seed(seed)
    p = Sphere.equiangular(kind="fejer", nlat=height, nlon=2 * height, shift=0.5).points().float()

    def texture() -> Tensor:
        frequency = 2 + 28 * torch.rand(waves, generator=g) ** 2
        way = torch.nn.functional.normalize(torch.randn(waves, 3, generator=g), dim=-1)
        phase = p @ (way * frequency[:, None]).T + 6.2832 * torch.rand(waves, generator=g)
        amplitude = torch.randn(waves, 3, generator=g) / frequency[:, None]
        return torch.rand(3, generator=g) + 0.2 * phase.sin() @ amplitude

    image = texture()
    for _ in range(caps):
        centre = torch.nn.functional.normalize(torch.randn(3, generator=g), dim=0)
        inside = p @ centre > 0.5 + 0.48 * torch.rand(1, generator=g)
        image = torch.where(inside[..., None], texture(), image)
    return image.clamp(0, 1).permute(2, 0, 1)


def turned_views(image: Tensor, sphere: Sphere, count: int, seed: int = 0) -> Tensor:
    """A panorama turned by random rotations of SO3, as the samples of a grid see it, ``[count, C, *sphere.shape]``.

    Args:
        image: ``[C, H, 2 H]``.
        sphere: HEALPix or the grid of an equirectangular image; equal seeds give equal rotations on every grid.
        count: number of rotations.
        seed: of the rotations.
    """
    turns = SO3().sample(count, torch.Generator().manual_seed(seed))
    return torch.stack([resample(image, panorama_sphere(image), sphere, rotation=g) for g in turns])
