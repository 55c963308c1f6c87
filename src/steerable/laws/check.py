"""One table that says how equivariant a module is, and why not."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.grid import PixelGrid
from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.so2 import SO2
from steerable.laws.check_sphere import on_sphere
from steerable.laws.equivariance import relative_error, turned_error
from steerable.laws.field import Field
from steerable.laws.lint import lint
from steerable.laws.report import SMOOTHING, Report, Row, short
from steerable.laws.setting import (
    describe,
    evaluated,
    exact_elements,
    meet,
    resolve_in_type,
    resolve_out_type,
    tolerance,
)
from steerable.laws.sizes import size_violations
from steerable.laws.sphere import sphere_of


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
    rule, and the model is read for operations that break the symmetry. On the sphere every rotation (and reflection)
    that permutes the samples of all layers must hold to rounding; the error of a generic rotation stands beside what
    the sampling itself costs, and where it is far above that a remark says so.

    Args:
        module: any module from one tensor to one tensor; fields ``[B, C, H, W]`` or class scores ``[B, classes]``.
        x: input, ``[B, C, H, W]`` for planar groups, ``[B, C, *sphere.shape]`` on the sphere.
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
        return on_sphere(module, x, sphere, in_type, out_type)
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
        f"{type(module).__name__} under {in_type.group.name}: {short(in_type)} -> {short(out_type)}, "
        f"input {tuple(x.shape)}"
    )
    found = Report(title, tolerance(x), exact, resampled, tuple(size_violations(module, x)), tuple(lint(module)))
    return found if found.worst <= found.limit else replace(found, remarks=_sampled(module))


def _sampled(module: nn.Module) -> tuple[str, ...]:
    """Which layers are exact but for the samples that they take of a continuous group."""
    names = dict.fromkeys(type(m).__name__ for m in module.modules() if getattr(m, "samples_continuously", False))
    return tuple(
        f"{name} acts on samples of a continuous group: its error falls with their number, to rounding never"
        for name in names
    )


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
