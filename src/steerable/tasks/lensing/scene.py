"""A batch of lens scenes: all parameters, none of the pixels."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import torch
from torch import Tensor

from steerable.tasks.lensing.settings import CLASSES, LensSettings

__all__ = ["MACRO", "SPLITS", "Scene", "draw_scenes", "halo_masses", "mean_halo_mass"]

MACRO = (
    "theta_e", "e1", "e2", "g1", "g2", "lens_x", "lens_y", "source_x", "source_y",
    "source_radius", "sersic_index", "source_e1", "source_e2", "amplitude",
)  # fmt: skip
"""Columns of `Scene.macro`: the fourteen parameters of a smooth lens and its source."""

SPLITS = ("train", "validation", "test")

_VECTORS = ((5, 6), (7, 8))  # columns that turn with the sky
_SPIN_2 = ((1, 2), (3, 4), (11, 12))  # columns that turn twice as fast


@dataclasses.dataclass(frozen=True)
class Scene:
    """B scenes, all in float64. Turning a scene turns its parameters, so a turned sky is simulated, not resampled.

    Attributes:
        label: [B] int64, index into `CLASSES`.
        macro: [B, 14], columns `MACRO`; theta_e is that of the total mass, clumps included.
        mass_inside: [B] clump mass inside theta_e (squared Einstein radius, arcsec^2): taken from the smooth part.
        halo_position: [B, K, 2] arcsec; rows are sorted by falling mass and padded with zeros.
        halo_mass: [B, K] squared Einstein radii, arcsec^2; 0 pads.
        vortex_angle, vortex_half_length: [B] direction in radians and half length in arcsec of the line.
        vortex_mass: [B] total mass of the line, squared Einstein radius in arcsec^2; 0 without a vortex.
        seed: [B] int64, seeds of the noise.
        turn: number of degrees, counter-clockwise, by which the batch was turned since it was drawn.
    """

    label: Tensor
    macro: Tensor
    mass_inside: Tensor
    halo_position: Tensor
    halo_mass: Tensor
    vortex_angle: Tensor
    vortex_half_length: Tensor
    vortex_mass: Tensor
    seed: Tensor
    turn: float = 0.0

    def __len__(self) -> int:
        return int(self.label.shape[0])

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "turn"}

    def __getitem__(self, index: slice | Tensor | list[int]) -> Scene:
        """Scenes chosen by a slice, a list of integers or a tensor (integer or mask) along the batch."""
        return Scene(**{name: value[index] for name, value in self._tensors().items()}, turn=self.turn)

    def turned(self, degrees: float) -> Scene:
        """The same scenes after the sky is turned counter-clockwise by `degrees` about the centre of the image."""
        angle = math.radians(degrees)
        cos, sin = math.cos(angle), math.sin(angle)
        cos2, sin2 = math.cos(2 * angle), math.sin(2 * angle)
        macro = self.macro.clone()
        for columns, c, s in [(v, cos, sin) for v in _VECTORS] + [(v, cos2, sin2) for v in _SPIN_2]:
            a, b = (self.macro[:, column] for column in columns)
            macro[:, columns[0]], macro[:, columns[1]] = c * a - s * b, s * a + c * b
        x, y = self.halo_position.unbind(-1)
        return dataclasses.replace(
            self,
            macro=macro,
            halo_position=torch.stack((cos * x - sin * y, sin * x + cos * y), -1),
            vortex_angle=self.vortex_angle + angle,
            turn=(self.turn + degrees) % 360.0,
        )


def mean_halo_mass(settings: LensSettings) -> float:
    """Mean of the sub-halo mass function in solar masses."""
    low, high = settings.halo_masses

    def moment(power: float) -> float:
        return math.log(high / low) if abs(power) < 1e-9 else (high**power - low**power) / power

    return moment(2.0 - settings.halo_slope) / moment(1.0 - settings.halo_slope)


def halo_masses(uniform: Tensor, settings: LensSettings) -> Tensor:
    """Masses in solar masses from uniform numbers in [0, 1): inverse of the cumulative mass function."""
    low, high = settings.halo_masses
    power = 1.0 - settings.halo_slope
    if abs(power) < 1e-9:
        return low * (high / low) ** uniform
    return (low**power + uniform * (high**power - low**power)) ** (1.0 / power)


def _image_seed(seed: int, split: str, label: int, index: int, use: str) -> int:
    """63-bit seed of one image: depends on nothing but its own place, so neither on batch nor on data set size."""
    digest = hashlib.blake2b(f"{seed}/{split}/{CLASSES[label]}/{index}/{use}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _draw_one(label: int, generator: torch.Generator, settings: LensSettings, mass_unit: float) -> dict[str, Tensor]:
    """Parameters of one scene; the macro numbers are drawn first and in the same way for every class."""
    u = torch.rand(14, generator=generator, dtype=torch.float64).tolist()

    def between(bounds: tuple[float, float], fraction: float) -> float:
        return bounds[0] + (bounds[1] - bounds[0]) * fraction

    def spin_2(bounds: tuple[float, float], size: float, direction: float) -> tuple[float, float]:
        magnitude, angle = between(bounds, size), 2.0 * math.pi * direction
        return magnitude * math.cos(angle), magnitude * math.sin(angle)

    theta_e = between(settings.theta_e, u[0])
    e1, e2 = spin_2(settings.ellipticity, u[1], u[2])
    g1, g2 = spin_2(settings.shear, u[3], u[4])
    source_e1, source_e2 = spin_2(settings.source_ellipticity, u[5], u[6])
    offset, direction = settings.source_offset * math.sqrt(u[7]), 2.0 * math.pi * u[8]
    macro = [
        theta_e, e1, e2, g1, g2, 0.0, 0.0, offset * math.cos(direction), offset * math.sin(direction),
        between(settings.source_radius, u[9]), between(settings.sersic_index, u[10]), source_e1, source_e2, 1.0,
    ]  # fmt: skip
    scene = {
        "macro": torch.tensor(macro, dtype=torch.float64),
        "mass_inside": torch.zeros((), dtype=torch.float64),
        "halo_position": torch.zeros(0, 2, dtype=torch.float64),
        "halo_mass": torch.zeros(0, dtype=torch.float64),
        "vortex_angle": torch.zeros((), dtype=torch.float64),
        "vortex_half_length": torch.zeros((), dtype=torch.float64),
        "vortex_mass": torch.zeros((), dtype=torch.float64),
    }
    if CLASSES[label] == "cdm":
        # Constant surface density: the mean mass inside theta_e is halo_fraction * theta_e^2, in the disc more.
        total = settings.halo_fraction * settings.halo_field**2
        rate = torch.tensor(total / (mean_halo_mass(settings) * mass_unit), dtype=torch.float64)
        count = int(torch.poisson(rate, generator=generator))
        draws = torch.rand(3, count, generator=generator, dtype=torch.float64)
        mass = halo_masses(draws[0], settings) * mass_unit
        mass, order = mass.sort(descending=True)
        radius, angle = settings.halo_field * draws[1, order].sqrt(), 2.0 * math.pi * draws[2, order]
        scene["halo_mass"] = mass
        scene["halo_position"] = torch.stack((radius * angle.cos(), radius * angle.sin()), -1)
        scene["mass_inside"] = mass[radius < theta_e].sum()
    elif CLASSES[label] == "vortex":
        half_length = 0.03 * 10.0 ** (-22.0 - between(settings.log10_axion_mass, u[11]))
        mass = settings.vortex_fraction * theta_e**2
        scene["vortex_half_length"] = torch.tensor(half_length, dtype=torch.float64)
        scene["vortex_angle"] = torch.tensor(math.pi * u[12], dtype=torch.float64)
        scene["vortex_mass"] = torch.tensor(mass, dtype=torch.float64)
        inside = torch.linspace(-half_length, half_length, settings.vortex_points, dtype=torch.float64).abs() < theta_e
        scene["mass_inside"] = mass * inside.double().mean()
    return scene


def draw_scenes(
    settings: LensSettings, label: int, indices: range | list[int], *, seed: int = 0, split: str = "train"
) -> Scene:
    """Draw the scenes number `indices` of one class.

    Each scene has its own seed made of (seed, split, class, index), so a scene is the same in any batch and in any
    size of data set, and splits never share one.

    Raises:
        ValueError: for a split that is not one of `SPLITS`, a label outside the classes or no indices.
    """
    if split not in SPLITS:
        raise ValueError(f"draw_scenes: got split={split!r}; expected one of {', '.join(SPLITS)}")
    if not 0 <= label < len(CLASSES):
        raise ValueError(f"draw_scenes: got label={label}; expected 0 to {len(CLASSES) - 1}")
    if len(indices) == 0:
        raise ValueError(f"draw_scenes: got no indices ({indices}); expected at least one scene")
    mass_unit = settings.mass_unit  # integrates distances: once for all scenes
    scenes = []
    for index in indices:
        generator = torch.Generator().manual_seed(_image_seed(seed, split, label, index, "scene"))
        scenes.append(_draw_one(label, generator, settings, mass_unit))
    width = max(scene["halo_mass"].shape[0] for scene in scenes)
    fields: dict[str, Tensor] = {}
    for name in scenes[0]:
        rows = [scene[name] for scene in scenes]
        if name.startswith("halo_"):
            rows = [torch.cat((row, row.new_zeros(width - row.shape[0], *row.shape[1:]))) for row in rows]
        fields[name] = torch.stack(rows)
    seeds = [_image_seed(seed, split, label, index, "noise") for index in indices]
    return Scene(label=torch.full((len(scenes),), label), seed=torch.tensor(seeds), **fields)
