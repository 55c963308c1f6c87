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
from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3
from steerable.groups.conversions import convert_rotation
from steerable.groups.sampling import frame_over
from steerable.laws.setting import evaluated, resolve_in_type, resolve_out_type
from steerable.nn.sphere.sht import InverseSHT

#: far from every axis of a grid: ZYZ angles
GENERIC = (1.1, 0.9, 2.3)


def sphere_errors(
    module: nn.Module,
    sphere: Sphere | None = None,
    band: int | None = None,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    targets: Sphere | None = None,
    rotations: Iterable[Tensor] | None = None,
    batch: int = 2,
) -> Tensor:
    """Relative L2 error ``|f(g x) - g f(x)| / |f(x)|`` of a layer on the sphere, for each rotation.

    Args:
        module: from ``[B, C, *sphere.shape]`` to ``[B, C', *targets.shape]``, or to invariants ``[B, C']``.
        sphere: samples of the input; default the module's own.
        band: of the random input; default half of what the sampling usually holds.
        in_type: type of the input, of SO2 or O2; default the module's own.
        out_type: type of the output; default the module's own, else scalars.
        targets: samples of the output; default the module's own, else those of the input.
        rotations: quaternions ``[4]``; default a generic one and its inverse.
        batch: number of random fields.

    Returns:
        ``[rotations]`` float64. What the output holds beyond the usual band of the targets counts as error.

    Raises:
        ValueError: if no sampling is given and the module has none.
    """
    sphere = sphere or _own(module)
    own = getattr(module, "targets", None)
    ends: Sphere = targets or (own if isinstance(own, Sphere) else sphere)
    in_type = resolve_in_type(module, None, in_type, None)
    band = max(2, sphere.usual_band // 2) if band is None else band
    fields = frame_fields(in_type, band)
    coefficients = torch.randn(
        batch, fields.type.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ) / math.sqrt(fields.type.size / in_type.size)
    rotations = [generic_rotation(), SO3().inverse(generic_rotation())] if rotations is None else rotations
    dtype = next((p.dtype for p in module.parameters()), torch.float64)
    sample = InverseSHT(sphere, with_frames(in_type), band).double()
    found = []
    with evaluated(module) as call:

        def run(c: Tensor) -> Tensor:
            return call(sample(c).to(dtype)).double()

        y = run(coefficients)
        for g in rotations:
            turned = run(rotate_coefficients(coefficients, fields.type, g))
            if y.dim() == 2:
                found.append((turned - y).norm() / y.norm())
                continue
            kind = with_frames(resolve_out_type(module, y, out_type, in_type))
            root = ends.weights().expand(ends.shape).sqrt()
            expected = ends.transform(y, kind, g)
            found.append(((turned - expected) * root).norm() / (y * root).norm())
    return torch.stack(found)


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
