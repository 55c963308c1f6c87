"""The check of a module on the sphere: every symmetry of its samples, and one rotation that moves all of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from steerable.aggregate.hexagon import HexFrames, hex_frames
from steerable.domains.sphere import IcosahedralSphere, Sphere
from steerable.fields.type import FieldType
from steerable.groups import O2, O3, SO2, SO3, C, D, icosahedral
from steerable.laws.equivariance import relative_error
from steerable.laws.icosahedral import icosahedral_errors
from steerable.laws.lint import lint
from steerable.laws.report import Report, Row, short
from steerable.laws.setting import evaluated, find_group, given_type, resolve_out_type, tolerance
from steerable.laws.sphere import ends_of, generic_rotation, own_type, samplings, sphere_errors, with_frames
from steerable.laws.sphere_symmetries import exact_sphere_errors, keeps_samples, sphere_symmetries

#: error of a generic rotation from which a remark says so; for a floor that is larger, so many times it
HELD, ABOVE = 0.1, 3.0


def on_sphere(
    module: nn.Module, x: Tensor, sphere: Sphere, in_type: FieldType | None, out_type: FieldType | None
) -> Report:
    """What :func:`steerable.laws.check` reports for a module with a sampling.

    Args:
        module: from ``[B, C, *sphere.shape]``, or coefficients ``[B, D]`` of a type of SO3.
        x: its input.
        sphere: samples of the input.
        in_type: default the module's own, else scalars of the group of its layers.
        out_type: default the module's own, else scalars.

    Raises:
        ValueError: if channels do not fit the types, or samples of the output no sampling.
    """
    in_type = (
        given_type(module, in_type, "in_type") or own_type(module, "in_type") or x.shape[1] * _acting(module).trivial
    )
    out_type = out_type or own_type(module, "out_type")
    exact: tuple[Row, ...] = ()
    generic: tuple[Row, ...] = ()
    if _by_hexagons(in_type) or (out_type is not None and _by_hexagons(out_type)):
        exact = _icosahedral(module, x, sphere, in_type, out_type)
    else:
        exact = _exact(module, x, sphere, in_type, out_type)
        generic = (_generic(module, x, sphere, in_type, out_type),)
    remarks = tuple(_remark(r) for r in generic if not r.error <= max(HELD, ABOVE * (r.floor or 0.0)))
    title = f"{type(module).__name__} on {sphere!r}: {short(in_type)}, input {tuple(x.shape)}"
    return Report(title, tolerance(x), exact, generic, (), tuple(lint(module)), remarks)


def _remark(row: Row) -> str:
    if not math.isfinite(row.error):
        return f"no finite answer: the error under generic rotations is {row.error}"
    return (
        f"held by the frame, or by too few samples: not equivariant under generic rotations ({row.error:.2f}, floor "
        f"{row.floor:.1e})"
    )


def _acting(module: nn.Module) -> SO2 | O2 | C:
    found = find_group(module)
    return found if isinstance(found, SO2 | O2) or found == C(1) else SO2()  # type: ignore[return-value]


def _by_hexagons(type: FieldType) -> bool:
    return type.group in (C(6), D(6)) and not type.is_trivial


def _generic(module: nn.Module, x: Tensor, sphere: Sphere, in_type: FieldType, out_type: FieldType | None) -> Row:
    errors = sphere_errors(module, sphere, in_type=in_type, out_type=out_type)
    floor = 0.0
    if in_type.group != SO3():
        framed, g = with_frames(in_type), generic_rotation()
        back = sphere.transform(sphere.transform(x, framed, g), framed, SO3().inverse(g))
        floor = relative_error(back, sphere.transform(x, framed, SO3().identity))
    return Row("generic rotation", float(errors.max()), floor)


def _exact(
    module: nn.Module, x: Tensor, sphere: Sphere, in_type: FieldType, out_type: FieldType | None
) -> tuple[Row, ...]:
    """Symmetries that all samplings of the module share, a quarter turn first."""
    every = dict.fromkeys([sphere, *samplings(module)])
    quarter = O3().from_action(torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64))
    found = [quarter] if all(keeps_samples(s, in_type, quarter) for s in every) else []
    found += [g for g in sphere_symmetries(in_type, *every) if not torch.allclose(g, quarter)]
    if not found:
        return ()
    errors = exact_sphere_errors(module, x, in_type, out_type, found)
    return tuple(Row(_name(O3().action(g, 3)), float(e)) for g, e in zip(found, errors, strict=True))


def _icosahedral(
    module: nn.Module, x: Tensor, sphere: Sphere, in_type: FieldType, out_type: FieldType | None
) -> tuple[Row, ...]:
    """Some rotations of the icosahedron, for fields in the frames of hexagons; corners, which have none, are zero."""
    x = x.clone()
    x[..., :12] = 0
    with evaluated(module) as call:
        y = call(x)
        fields = None if y.dim() == 2 else resolve_out_type(module, y, out_type, in_type)
        ends = sphere if fields is None else ends_of(module, y, None, sphere)
        group = icosahedral()
        some = group.elements[1::7]
        errors = icosahedral_errors(
            call, x, in_type, fields, _frames(module, sphere), _frames(module, ends), group, some
        )
    return tuple(Row(_name(group.action(g, 3)), float(e)) for g, e in zip(some, errors, strict=True))


def _frames(module: nn.Module, sphere: Sphere) -> HexFrames:
    """The frames of hexagons of a layer on a sampling, or those of the charts."""
    layers = (getattr(m, "frames", None) for m in module.modules())
    own = next((f for f in layers if isinstance(f, HexFrames) and f.sphere == sphere), None)
    if own is None and not isinstance(sphere, IcosahedralSphere):
        raise ValueError(f"{type(module).__name__}: fields of hexagons on {sphere!r}; expected an icosahedral sampling")
    return hex_frames(sphere) if own is None else own  # type: ignore[arg-type]


def _name(matrix: Tensor) -> str:
    """Short name of a rotation or reflection ``[3, 3]``."""
    sign = 1.0 if float(torch.linalg.det(matrix)) > 0 else -1.0
    turn = sign * matrix
    angle = math.degrees(math.acos(max(-1.0, min(1.0, (float(turn.trace()) - 1) / 2))))
    if angle < 1e-6:
        return "identity" if sign > 0 else "inversion"
    axis = torch.stack([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    if float(axis.norm()) < 1e-6:  # a half turn
        axis = (turn + torch.eye(3, dtype=turn.dtype))[:, int(turn.diagonal().argmax())]
        if sign < 0:
            return f"mirror{_along(axis, ' of the ', ' axis')}"
        return f"180 deg{_along(axis, ' about ', '')}"
    if sign > 0 and float(axis[:2].norm()) < 1e-6:
        return f"{angle if float(axis[2]) > 0 else -angle:.4g} deg to the east"
    return f"{angle:.4g} deg{', mirrored' if sign < 0 else ''}"


def _along(axis: Tensor, before: str, after: str) -> str:
    """Which coordinate axis, or nothing."""
    size, k = (axis / axis.norm()).abs().max(0)
    return f"{before}{'xyz'[int(k)]}{after}" if float(size) > 1 - 1e-6 else ""
