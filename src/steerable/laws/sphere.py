"""The law of the sphere: a layer commutes with rotations, up to an error that falls with the resolution.

Fields are drawn and turned as coefficients of harmonics, never by interpolation, so that nothing but the layer errs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from steerable.domains.homogeneous import Homogeneous, HomType
from steerable.domains.spectral.rotation import rotate_coefficients
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.groups import O2, SO2, SO3, C, D
from steerable.groups.conversions import convert_rotation
from steerable.groups.sampling import frame_over
from steerable.laws.setting import evaluated, given_type, resolve_out_type
from steerable.nn.sphere.sht import InverseSHT
from steerable.nn.sphere.so3_transform import SO3Analysis, SO3Synthesis

#: far from every axis of a grid: ZYZ angles
GENERIC = (1.1, 0.9, 2.3)


def sphere_errors(
    module: nn.Module,
    sphere: Sphere | str | None = None,
    band: int | None = None,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    targets: Sphere | str | None = None,
    rotations: Iterable[Tensor] | None = None,
    batch: int = 2,
) -> Tensor:
    """Relative L2 error ``|f(g x) - g f(x)| / |f(x)|`` of a layer on the sphere, for each rotation.

    Args:
        module: from ``[B, C, *sphere.shape]``, or coefficients ``[B, D]`` of a type of SO3, to
            ``[B, C', *targets.shape]``, to coefficients, or to invariants ``[B, C']``.
        sphere: samples of the input, or their name; default the module's own.
        band: of the random input; default half of what the sampling usually holds, of coefficients all.
        in_type: type of the input, of SO2, O2 or SO3, or scalars; default the module's own.
        out_type: type of the output; default the module's own, else scalars.
        targets: samples of the output; default the module's own, else those of its last layer that has them.
        rotations: quaternions ``[4]``; default a generic one and its inverse.
        batch: number of random fields.

    Returns:
        ``[rotations]`` float64. What the output holds beyond the usual band of the targets counts as error.

    Raises:
        ValueError: if no sampling or no type is given and the module has none, for types that rotations of the sphere
            do not turn, if no sampling has the shape of the output, or if nothing would be tested.
    """
    in_type = given_type(module, in_type, "in_type") or own_type(module, "in_type")
    sphere, targets = (None if s is None else parse_sphere(s) for s in (sphere, targets))
    if in_type is None:
        raise ValueError(
            f"{type(module).__name__} has no in_type and none was given, so no field can be drawn; pass in_type=, such "
            "as st.SO2().type('1x0') for one scalar"
        )
    require_turned(module, in_type)
    generator = torch.Generator().manual_seed(0)
    if in_type.group == SO3():
        coefficients = _coefficients(in_type, band, batch, generator)
        drawn, sample = in_type, None
    else:
        sphere = sphere or _own(module)
        band = max(2, sphere.usual_band // 2) if band is None else band
        drawn = frame_fields(in_type, band).type
        coefficients = torch.randn(batch, drawn.size, dtype=torch.float64, generator=generator)
        coefficients = coefficients / math.sqrt(drawn.size / in_type.size)
        sample = InverseSHT(sphere, with_frames(in_type), band).double()
    turns = [generic_rotation(), SO3().inverse(generic_rotation())] if rotations is None else list(rotations)
    if not turns or not bool(coefficients.any()):
        raise ValueError(
            f"{type(module).__name__}: {batch} fields of {in_type!r}, band {band}, and {len(turns)} rotations: nothing "
            "would be tested; expected at least one of each, and a band that holds the fields"
        )
    numbers = (t.dtype for t in (*module.parameters(), *module.buffers()) if t.is_floating_point())
    dtype = next(numbers, torch.float64)
    found = []
    with evaluated(module) as call:

        def run(c: Tensor) -> Tensor:
            return call((c if sample is None else sample(c)).to(dtype)).double()

        y = run(coefficients)
        out_type = resolve_out_type(module, y, out_type or own_type(module, "out_type"), in_type)
        require_turned(module, out_type)
        ends = ends_of(module, y, targets, sphere) if y.dim() > 2 else None
        root = torch.ones(()) if ends is None else ends.weights().expand(ends.shape).sqrt()
        for g in turns:
            turned = run(rotated(coefficients, drawn, g))
            expected = turned_output(y, out_type, ends, g)
            difference, size = ((turned - expected) * root).norm(), (y * root).norm()
            found.append(difference if float(size) == 0 else difference / size)  # what is zero is turned right
    return torch.stack(found)


def rotated(c: Tensor, type: FieldType, g: Tensor) -> Tensor:
    """Coefficients ``[B, D]`` of any type of SO3, turned by one quaternion."""
    plain = all(b.rep.change_of_basis is None for b in type.blocks)
    return rotate_coefficients(c, type, g) if plain else type.transform(c, g)


def turned_output(y: Tensor, type: FieldType, ends: Sphere | None, g: Tensor) -> Tensor:
    """The output turned: samples, coefficients of a type of SO3, or invariants ``[B, C]``."""
    if ends is not None:
        return ends.transform(y, with_frames(type), g)
    return rotated(y, type, g) if type.group == SO3() else y


def _coefficients(type: FieldType, band: int | None, batch: int, generator: torch.Generator) -> Tensor:
    c = torch.randn(batch, type.size, dtype=torch.float64, generator=generator)
    if band is None:
        return c
    degree = [torch.full((type.group.irrep(i).size,), int(i)) for rep in type.fields for i in rep.irreps]
    return c * (torch.cat(degree) < band)


def own_type(module: nn.Module, end: str) -> FieldType | None:
    """``in_type`` or ``out_type`` of a module, of a chain that of its first or last layer."""
    known = getattr(module, end, None)
    if isinstance(known, FieldType) or not isinstance(module, nn.Sequential) or not len(module):
        return known if isinstance(known, FieldType) else None
    return own_type(module[0 if end == "in_type" else -1], end)


def require_turned(module: nn.Module, type: FieldType) -> None:
    """Raise ``ValueError`` for fields that rotations of the sphere do not turn, naming the law that knows them."""
    if type.is_trivial or type.group in (SO2(), O2(), SO3()):
        return
    name = module.__class__.__name__
    hexagons = type.group in (C(6), D(6))
    mend = (
        "ask st.laws.icosahedral_errors(layer, x, layer.in_type, layer.out_type, layer.frames), which knows the frames "
        "of hexagons"
        if hexagons
        else "give in_type= and out_type= of SO2 or O2"
    )
    raise ValueError(f"{name}: fields of {type!r} are not turned by every rotation of the sphere; {mend}")


def ends_of(module: nn.Module, y: Tensor, targets: Sphere | None = None, sphere: Sphere | None = None) -> Sphere:
    """The sampling of an output ``[B, C, *shape]``: given, or the module's, or that of its last layer that fits.

    Raises:
        ValueError: if none has that shape.
    """
    found: list[object] = [targets]
    if targets is None:
        layers = [getattr(m, "targets", getattr(m, "sphere", None)) for m in module.modules()]
        found = [getattr(module, "targets", None), *layers[::-1], sphere]
    known = [s for s in found if isinstance(s, Sphere)]
    fitting = next((s for s in known if s.shape == tuple(y.shape[2:])), None)
    if fitting is None:
        raise ValueError(
            f"{type(module).__name__} returns samples {list(y.shape[2:])}, which is the shape of none of "
            f"{', '.join(map(repr, dict.fromkeys(known)))}; pass targets=, the sampling of the output"
        )
    return fitting


def samplings(module: nn.Module) -> list[Sphere]:
    """Every sampling in a module, once; a grid of SO(3) as the directions of its third axis."""
    found: dict[Sphere, None] = {}
    for m in module.modules():
        own = [getattr(m, "sphere", None), getattr(m, "targets", None)]
        if isinstance(m, SO3Analysis | SO3Synthesis):
            own = [Sphere.gauss(*m.plan.shape[1::-1])]
        found |= {s: None for s in own if isinstance(s, Sphere)}
    return list(found)


def assert_equivariant_on_sphere(module: nn.Module, limit: float, **options: object) -> None:
    """Fail unless the largest of :func:`sphere_errors` (same options) is below a limit, which the resolution sets.

    Raises:
        AssertionError: with the errors.
    """
    errors = sphere_errors(module, **options)  # type: ignore[arg-type]
    if not bool((errors <= limit).all()):
        raise AssertionError(
            f"{type(module).__name__} is not equivariant on the sphere: relative errors "
            f"{', '.join(f'{float(e):.1e}' for e in errors)}, allowed {limit:.0e}"
        )


def generic_rotation() -> Tensor:
    """The quaternion of :data:`GENERIC`."""
    return convert_rotation(torch.tensor(GENERIC, dtype=torch.float64), "euler", "quaternion")


def frames_of(sphere: Sphere) -> Tensor:
    """The frames of all samples as elements of SO3, ``[N, 4]``."""
    theta, phi = sphere.angles().reshape(-1, 2).unbind(-1)
    return frame_over(SO3(), phi, theta)


def frame_fields(type: FieldType, band: int) -> HomType:
    """Fields of a type with all degrees below a band; scalars of the trivial group are those of SO2."""
    return Homogeneous(SO3(), SO2(), band - 1).fields(with_frames(type))


def with_frames(type: FieldType) -> FieldType:
    """The same fields under SO2: what rotations see."""
    if type.group == SO2():
        return type
    if type.is_trivial:
        return type.size * SO2().trivial
    return type.restrict(SO2())


def sphere_of(module: nn.Module) -> Sphere | None:
    """The sampling of the first layer that has one."""
    return next((m.sphere for m in module.modules() if isinstance(getattr(m, "sphere", None), Sphere)), None)  # type: ignore[union-attr]


def _own(module: nn.Module) -> Sphere:
    found = sphere_of(module)
    if found is None:
        raise ValueError(f"{type(module).__name__} has no sampling and none was given: pass sphere=")
    return found
