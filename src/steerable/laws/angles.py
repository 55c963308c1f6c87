"""The error of a module as a function of the angle by which its input is turned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from steerable.domains.grid import PixelGrid
from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.so2 import SO2
from steerable.laws.check import smooth_disc
from steerable.laws.equivariance import relative_error, turned_error
from steerable.laws.field import Field
from steerable.laws.setting import evaluated, meet, resolve_in_type, resolve_out_type


@dataclass(frozen=True)
class AngleCurve:
    """Errors against angles.

    Attributes:
        degrees: angles.
        errors: relative L2 error of ``f(g x) = g f(x)`` at each.
        floor: what resampling alone costs at each: the input turned there and back.
        title: the module.
    """

    degrees: tuple[float, ...]
    errors: tuple[float, ...]
    floor: tuple[float, ...]
    title: str

    @property
    def worst(self) -> tuple[float, float]:
        """Angle with the largest error, and that error."""
        return max(zip(self.degrees, self.errors, strict=True), key=lambda pair: pair[1])

    def plot(self, path: str | Path) -> None:
        """Draw the curve to a file; needs matplotlib.

        Args:
            path: picture file; its ending decides the format.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.degrees, self.errors, marker="o", ms=3, label=self.title)
        axes.plot(self.degrees, self.floor, color="0.6", label="resampling alone")
        axes.set(xlabel="angle (degrees)", ylabel="relative error", ylim=(0, None))
        axes.legend(frameon=False)
        figure.savefig(path)


def error_against_angle(
    module: nn.Module,
    x: Tensor,
    degrees: list[float] | None = None,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    group: Group | None = None,
    smooth: bool = True,
) -> AngleCurve:
    """Error of ``f(g x) = g f(x)`` for rotations of images, in eval, on the inner disc.

    Args:
        module: any module.
        x: images ``[B, C, H, W]``.
        degrees: angles; default steps of 5 up to 90 where every angle has a meaning (SO2, O2, or scalars to scalars),
            else the rotations of the group.
        in_type: as in :func:`steerable.laws.check`.
        out_type: as there.
        group: as there.
        smooth: cut the input to the disc and blur it by two pixels, so that the grid can hold its turned copies.

    Raises:
        ValueError: for an angle under which the types do not say how to move, or an input that is no image.
    """
    in_type = resolve_in_type(module, x, in_type, group)
    if x.dim() != 4:
        raise ValueError(f"error_against_angle turns images [B, C, H, W], got a tensor of shape {tuple(x.shape)}")
    with evaluated(module) as call:
        x = smooth_disc(x) if smooth else x
        y = call(x)
        out_type = resolve_out_type(module, y, out_type, in_type)
        in_type = meet(in_type, out_type)
        if in_type.is_trivial and out_type.is_trivial:
            in_type, out_type = in_type.size * SO2().trivial, out_type.size * SO2().trivial
        acting = in_type.group
        if degrees is None:
            degrees = [5.0 * k for k in range(19)] if not acting.is_finite else _rotations(acting)
        turns = SO2().plane(torch.tensor(degrees, dtype=torch.float64) * (math.pi / 180))
        elements = acting.from_plane(turns)
        field, result = Field.of(x, in_type), Field.of(y, out_type)
        mask = PixelGrid.of(x).disc(1.0).to(x)
        errors, floor = [], []
        for g in elements:
            errors.append(turned_error(call, field, result, g, margin=1.0))
            back = field.transform(g).transform(acting.inverse(g)).tensor
            floor.append(relative_error(back * mask, x * mask))
    return AngleCurve(tuple(degrees), tuple(errors), tuple(floor), type(module).__name__)


def _rotations(group: Group) -> list[float]:
    m = group.plane(group.elements)
    rotations = m[torch.linalg.det(m) > 0]
    return sorted(round(math.degrees(math.atan2(float(r[1, 0]), float(r[0, 0]))), 9) % 360 for r in rotations)
