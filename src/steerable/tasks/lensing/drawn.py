"""Drawn scenes with what is true about them."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from steerable.tasks.lensing.scene import Part, Scene, smooth_scene, turn_macro

__all__ = ["Drawn", "assemble", "vortex_points"]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """B scenes of one class and the truth about them.

    Attributes:
        scene: what bends the light and what shines.
        label: [B] int64, index into `LensSettings.classes`.
        macro: [B, 14] float64, columns `MACRO`; theta_e is that of the total mass, clumps included.
        mass_inside: [B] clump mass inside theta_e (squared Einstein radius, arcsec^2): taken from the smooth part.
        vortex: [B, 2] direction in radians and half length in arcsec of the vortex line; half length 0 without one.
        seed: [B] int64, seeds of the noise.
    """

    scene: Scene
    label: Tensor
    macro: Tensor
    mass_inside: Tensor
    vortex: Tensor
    seed: Tensor

    def __len__(self) -> int:
        return int(self.label.shape[0])

    def __getitem__(self, index: slice | Tensor | list[int]) -> Drawn:
        """Scenes chosen by a slice, a list of integers or a tensor (integer or mask) along the batch."""
        return Drawn(**{f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self)})

    def turned(self, degrees: float) -> Drawn:
        """The same scenes after the sky is turned counter-clockwise by `degrees` about the centre of the image."""
        angle = torch.tensor([math.radians(degrees), 0.0], dtype=torch.float64)
        return dataclasses.replace(
            self,
            scene=self.scene.turned(degrees),
            macro=turn_macro(self.macro, degrees),
            vortex=self.vortex + angle,
        )

    @property
    def log10_axion_mass(self) -> Tensor:
        """[B] log10 (axion mass / eV) of the vortex; 0 without one."""
        length = self.vortex[:, 1]
        return torch.where(length > 0, -22.0 - torch.log10(length.clamp_min(1e-30) / 0.03), 0.0)

    def clumps(self) -> Part | None:
        """The sub-halos or the points of the vortex: the part that holds many."""
        many = [part for part in self.scene.lens if next(iter(part.values.values())).ndim == 2]
        return many[0] if many else None


def vortex_points(mass: float, angle: float, half_length: float, points: int) -> dict[str, Tensor]:
    """A straight line through the centre as equal point masses, `mass` (arcsec^2) in all: values [points]."""
    steps = torch.linspace(-1.0, 1.0, points, dtype=torch.float64) * half_length
    theta_e = torch.full_like(steps, math.sqrt(mass / points))
    return {"theta_E": theta_e, "center_x": steps * math.cos(angle), "center_y": steps * math.sin(angle)}


def assemble(
    macro: list[float], name: str, values: dict[str, Tensor], inside: Tensor | None, vortex: list[float]
) -> Drawn:
    """One scene of macro parameters and clumps, which take the place of smooth mass.

    The clumps' share of the mass inside theta_e is taken from the smooth part with the radial profile that the clumps
    have on average, so that neither the mass nor its slope tells that there are clumps: sub-halos, of constant surface
    density, replace a sheet; a line through the centre, whose mass grows with the radius, replaces isothermal mass.

    Args:
        macro: fourteen numbers in the order of `MACRO`.
        name: kind of the clumps, "" for none.
        values: of the clumps, [K] each.
        inside: clump mass inside theta_e, squared Einstein radius in arcsec^2; None takes nothing.
        vortex: direction and half length.
    """
    true = torch.tensor([macro], dtype=torch.float64)
    smooth, more = true.clone(), []
    if inside is None:
        inside = torch.zeros((), dtype=torch.float64)
    elif vortex[1] > 0:
        smooth[:, 0] -= inside / true[:, 0]  # the mass of an isothermal lens inside R is theta * R
    elif name:
        zero = torch.zeros(1, dtype=torch.float64)
        sheet = {"kappa": (-inside / true[:, 0] ** 2).reshape(1), "ra_0": zero, "dec_0": zero}
        more.append(Part("CONVERGENCE", sheet))  # the mass of a sheet inside R is kappa * R^2
    scene = smooth_scene(smooth)
    if name:
        more.append(Part(name, {n: v[None] for n, v in values.items()}))
    scene = Scene((*scene.lens, *more), scene.source)
    empty = torch.zeros(1, dtype=torch.int64)
    return Drawn(scene, empty, true, inside[None], torch.tensor([vortex], dtype=torch.float64), empty)
