"""One table that says how equivariant a module is, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.grid import PixelGrid
from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.so2 import SO2
from steerable.groups.so3 import SO3
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
from steerable.laws.sphere import generic_rotation, sphere_errors, sphere_of, with_frames

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
        if self.resampled and not self.resampled[0].element.startswith("generic"):
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
    rule, and the model is read for operations that break the symmetry. On rings of the sphere quarter turns about the
    poles must hold to rounding; the error of a generic rotation stands beside what the sampling itself costs.

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
    sphere = sphere_of(module)
    if sphere is not None:
        return _on_sphere(module, x, sphere, in_type, out_type)
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


def _on_sphere(
    module: nn.Module, x: Tensor, sphere: Sphere, in_type: FieldType | None, out_type: FieldType | None
) -> Report:
    """The same for a module on the sphere."""
    known = getattr(module, "in_type", None)
    fields = in_type or (known if isinstance(known, FieldType) else x.shape[1] * SO2().trivial)
    errors = sphere_errors(module, sphere, in_type=fields, out_type=out_type)
    there = sphere.transform(x, framed := with_frames(fields), g := generic_rotation())
    back = sphere.transform(there, framed, SO3().inverse(g))
    low = sphere.transform(x, framed, SO3().identity)
    generic = Row("generic rotation", float(errors.max()), relative_error(back, low))
    exact: tuple[Row, ...] = ()
    if len(sphere.shape) == 2 and x.shape[3] % 4 == 0:
        with evaluated(module) as call:
            y, moved = call(x), call(x.roll(x.shape[3] // 4, 3))
        if y.dim() == 2 or y.shape[3] % 4 == 0:
            expected = y if y.dim() == 2 else y.roll(y.shape[3] // 4, 3)
            exact = (Row("90 deg to the east", relative_error(moved, expected)),)
    title = f"{type(module).__name__} on {sphere!r}: {_short(fields)}, input {tuple(x.shape)}"
    return Report(title, tolerance(x), exact, (generic,), (), tuple(lint(module)))


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
