"""Random scenes of a data set, with what is true about them."""

from __future__ import annotations

import hashlib
import math

import torch

from steerable.tasks.lensing.drawn import Drawn, assemble, vortex_points
from steerable.tasks.lensing.halos import draw_halos
from steerable.tasks.lensing.published import draw_published
from steerable.tasks.lensing.scene import Scene
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["SPLITS", "draw_scenes", "image_seed"]

SPLITS = ("train", "validation", "test")


def image_seed(seed: int, split: str, kind: str, index: int, use: str) -> int:
    """63-bit seed of one image: depends on nothing but its own place, so neither on batch nor on data set size."""
    digest = hashlib.blake2b(f"{seed}/{split}/{kind}/{index}/{use}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _between(bounds: tuple[float, float], fraction: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * fraction


def _spin_2(bounds: tuple[float, float], size: float, direction: float) -> tuple[float, float]:
    magnitude, angle = _between(bounds, size), 2.0 * math.pi * direction
    return magnitude * math.cos(angle), magnitude * math.sin(angle)


def _draw_physical(kind: str, generator: torch.Generator, settings: LensSettings, mass_unit: float) -> Drawn:
    """One scene; the macro numbers are drawn first and in the same way for every class."""
    u = torch.rand(14, generator=generator, dtype=torch.float64).tolist()
    theta_e = _between(settings.theta_e, u[0])
    e1, e2 = _spin_2(settings.ellipticity, u[1], u[2])
    g1, g2 = _spin_2(settings.shear, u[3], u[4])
    source_e1, source_e2 = _spin_2(settings.source_ellipticity, u[5], u[6])
    offset, direction = settings.source_offset * math.sqrt(u[7]), 2.0 * math.pi * u[8]
    macro = [
        theta_e, e1, e2, g1, g2, 0.0, 0.0, offset * math.cos(direction), offset * math.sin(direction),
        _between(settings.source_radius, u[9]), _between(settings.sersic_index, u[10]), source_e1, source_e2, 1.0,
    ]  # fmt: skip
    zero, vortex = torch.zeros((), dtype=torch.float64), [0.0, 0.0]
    name, values, inside = "", {}, zero
    if kind in ("cdm", "wdm", "sidm"):
        name, values, inside = draw_halos(kind, theta_e, generator, settings, mass_unit)
    elif kind == "vortex":
        half_length = 0.03 * 10.0 ** (-22.0 - _between(settings.log10_axion_mass, u[11]))
        vortex = [math.pi * u[12], half_length]
        mass = settings.vortex_fraction * theta_e**2
        name, values = "POINT_MASS", vortex_points(mass, *vortex, settings.vortex_points)
        steps = torch.linspace(-half_length, half_length, settings.vortex_points, dtype=torch.float64)
        inside = mass * (steps.abs() < theta_e).double().mean()
    return assemble(macro, name, values, inside, vortex)


def draw_scenes(
    settings: LensSettings, label: int, indices: range | list[int], *, seed: int = 0, split: str = "train"
) -> Drawn:
    """Draw the scenes number `indices` of one class.

    Each scene has its own seed made of (seed, split, class, index), so a scene is the same in any batch and in any
    size of data set, and splits never share one.

    Raises:
        ValueError: for a split that is not one of `SPLITS`, a label outside the classes or no indices.
    """
    if split not in SPLITS:
        raise ValueError(f"draw_scenes: got split={split!r}; expected one of {', '.join(SPLITS)}")
    if not 0 <= label < len(settings.classes):
        raise ValueError(f"draw_scenes: got label={label}; expected 0 to {len(settings.classes) - 1}")
    if len(indices) == 0:
        raise ValueError(f"draw_scenes: got no indices ({indices}); expected at least one scene")
    kind, mass_unit = settings.classes[label], settings.mass_unit  # integrates distances: once for all scenes
    draw = _draw_physical if settings.mode == "physical" else draw_published
    rows = []
    for index in indices:
        generator = torch.Generator().manual_seed(image_seed(seed, split, kind, index, "scene"))
        rows.append(draw(kind, generator, settings, mass_unit))
    tensors = {name: torch.cat([getattr(row, name) for row in rows]) for name in ("macro", "mass_inside", "vortex")}
    seeds = torch.tensor([image_seed(seed, split, kind, index, "noise") for index in indices])
    scene = Scene.cat([row.scene for row in rows])
    return Drawn(scene=scene, label=torch.full((len(rows),), label), seed=seeds, **tensors)
