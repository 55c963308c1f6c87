"""One table that says how equivariant a module is, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.grid import PixelGrid
from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.so2 import SO2
from steerable.laws.equivariance import relative_error, turned_error
from steerable.laws.field import Field
from steerable.laws.lint import lint
from steerable.laws.lint_rules import Finding
from steerable.laws.setting import (
    describe,
    evaluated,
    exact_elements,
    meet,
    resolve_in_type,
    resolve_out_type,
    tolerance,
)
from steerable.laws.sizes import SizeViolation, size_violations

#: standard deviation, in pixels, of the blur before an image is turned by an angle that needs interpolation
SMOOTHING = 2.0


@dataclass(frozen=True)
class Row:
    """One element.

    Attributes:
        element: its name.
        error: relative L2 error of ``f(g x) = g f(x)``.
        floor: what resampling alone costs (the input turned there and back), ``None`` where nothing is resampled.
    """

    element: str
    error: float
    floor: float | None = None


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; ``str`` is a table.

    Attributes:
        title: module, group and types.
        limit: error that rounding explains.
        exact: elements that move samples onto samples.
        resampled: elements that need interpolation, on the inner disc.
        sizes: strided layers that meet a size at which quarter turns are not exact.
        findings: operations that break the symmetry, from reading the model.
    """

    title: str
    limit: float
    exact: tuple[Row, ...]
    resampled: tuple[Row, ...]
    sizes: tuple[SizeViolation, ...]
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> float:
        """Largest error over the exact elements; NaN if one is."""
        errors = [r.error for r in self.exact]
        return math.nan if any(math.isnan(e) for e in errors) else max(errors, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every exact element holds to rounding and nothing was found."""
        return self.worst <= self.limit and not self.findings and not self.sizes

    def __str__(self) -> str:
        lines = [self.title, f"{'element':<20}{'error':>10}{'floor':>10}"]
        for r in self.exact:
            verdict = "exact" if r.error <= self.limit else "NOT EXACT"
            lines.append(f"{r.element:<20}{r.error:>10.1e}{'-':>10}  {verdict}")
        lines += [f"{r.element:<20}{r.error:>10.1e}{r.floor:>10.1e}  resampled" for r in self.resampled]
        if self.resampled:
            lines.append(
                f"resampled: input blurred by {SMOOTHING:g} px, compared on the inner disc; floor = the input turned "
                f"there and back"
            )
        lines += [f"size: {v}" for v in self.sizes]
        lines += [f"symmetry: {f}" for f in self.findings]
        worst = (
            "at every exact element" if self.worst <= self.limit else f"broken: {self.worst:.1e} at an exact element"
        )
        lines.append(
            f"equivariance {worst} (allowed {self.limit:.0e}), {len(self.sizes)} size violation(s), "
            f"{len(self.findings)} finding(s)"
        )
        return "\n".join(lines)


def check(
    module: nn.Module,
    x: Tensor,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    group: Group | None = None,
) -> Report:
    """Measure the equivariance of a module, in eval.

    Exact elements (quarter turns and flips of images) must hold to rounding. For others (45 degrees, group elements off
    the lattice) the error stands beside the floor that resampling alone costs. Strided layers are held against the size
    rule, and the model is read for operations that break the symmetry.

    Args:
        module: any module from one tensor to one tensor; fields ``[B, C, H, W]`` or class scores ``[B, classes]``.
        x: input, ``[B, C, H, W]`` for planar groups.
        in_type: type of the input; default the module's own, else trivial channels.
        out_type: type of the output; default the module's own, else trivial channels.
        group: for a plain network: the group that is asked about; default that of its first typed layer, else C(8).

    Returns:
        A :class:`Report`.

    Raises:
        TypeError: if the module does not return one tensor.
        ValueError: if channels do not fit the types.
    """
    in_type = resolve_in_type(module, x, in_type, group)
    with evaluated(module) as call:
        out = call(x)
        out_type = resolve_out_type(module, out, out_type, in_type)
        in_type = meet(in_type, out_type)
        field, y = Field.of(x, in_type), Field.of(out, out_type)
        exact = tuple(
            Row(describe(in_type.group, g), turned_error(call, field, y, g)) for g in exact_elements(in_type.group, x)
        )
        resampled: tuple[Row, ...] = ()
        if isinstance(field.domain, PixelGrid):
            soft = smooth_disc(x)
            y_soft = call(soft)
            resampled = tuple(
                _resampled(call, soft, y_soft, in_type, out_type, g)
                for g in _off_lattice(in_type, out_type, field.domain)
            )
    title = (
        f"{type(module).__name__} under {in_type.group.name}: {_short(in_type)} -> {_short(out_type)}, "
        f"input {tuple(x.shape)}"
    )
    return Report(title, tolerance(x), exact, resampled, tuple(size_violations(module, x)), tuple(lint(module)))


def _short(type: FieldType) -> str:
    return str(type) if len(str(type)) < 60 else f"{type.size} channels"


def smooth_disc(x: Tensor, sigma: float = SMOOTHING) -> Tensor:
    """Images ``[B, C, H, W]`` cut to the inscribed disc and blurred by a Gaussian: what can be turned by any angle."""
    inside = PixelGrid.of(x).disc(2 * sigma).to(x)
    reach = math.ceil(3 * sigma)
    offset = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    window = torch.exp(-(offset**2) / (2 * sigma**2))
    window = (window / window.sum()).expand(x.shape[1], 1, -1)
    rows = F.conv2d(x * inside, window[:, :, None], padding=(0, reach), groups=x.shape[1])
    return F.conv2d(rows, window[:, :, :, None], padding=(reach, 0), groups=x.shape[1])


def _off_lattice(in_type: FieldType, out_type: FieldType, grid: PixelGrid) -> list[tuple[FieldType, FieldType, Tensor]]:
    """Elements that need interpolation, with the types under which they act (at most eight)."""
    group = in_type.group
    if group.is_finite:
        found = [(in_type, out_type, g) for g in group.elements if not grid.is_exact(group, g)]
        if not found and in_type.is_trivial and out_type.is_trivial:
            circle = SO2()  # scalars turn by any angle, in the group or not
            found = [
                (
                    in_type.size * circle.trivial,
                    out_type.size * circle.trivial,
                    torch.tensor(math.pi / 4, dtype=torch.float64),
                )
            ]
        return found[:: max(1, len(found) // 8)][:8]
    angles = torch.tensor([math.pi / 4, math.pi / 8, 1.0], dtype=torch.float64)
    return [(in_type, out_type, g) for g in group.from_plane(SO2().plane(angles))]


def _resampled(
    call: nn.Module,
    x: Tensor,
    y: Tensor,
    in_type: FieldType,
    out_type: FieldType,
    case: tuple[FieldType, FieldType, Tensor],
) -> Row:
    in_type, out_type, g = case
    field = Field.of(x, in_type)
    error = turned_error(call, field, Field.of(y, out_type), g, margin=1.0)
    back = field.transform(g).transform(in_type.group.inverse(g))
    mask = PixelGrid.of(x).disc(1.0).to(x)
    name = describe(in_type.group, g)
    return Row(name, error, relative_error(back.tensor * mask, x * mask))
