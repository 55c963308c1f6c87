"""Rotation of fields on a sampling, through their coefficients."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.domains.homogeneous import Homogeneous
from steerable.domains.spectral.fields import FieldPlan, analyse, synthesise
from steerable.domains.spectral.rotation import rotate_coefficients
from steerable.domains.sphere import RingSphere, Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3

#: steps of Jacobi's iteration on rings whose weights are not exact
_STEPS = 3


def rotate_fields(sphere: Sphere, x: Tensor, type: FieldType, g: Tensor) -> Tensor:
    """``[g f](p) = rho(h) f(g^-1 p)`` up to the usual band of a sampling, computed in float64.

    Exact for band-limited fields on samplings that are exact and, by least squares, on points without rings; on rings
    without exact weights three steps of iteration bring the error down.

    Args:
        sphere: the sampling.
        x: ``[B, type.size, *shape]``.
        type: of SO2.
        g: a unit quaternion ``[4]``.
    """
    plan, out, constants, tables = _prepared(sphere, type)
    constants, tables = (
        {k: v.to(x.device) for k, v in constants.items()},
        {n: tuple(t.to(x.device) for t in group) for n, group in tables.items()},
    )
    fine = x.double()
    found = analyse(fine, plan, constants, tables)
    for _ in range(0 if sphere.band or not isinstance(sphere, RingSphere) else _STEPS):
        found = found + analyse(fine - synthesise(found, plan, constants, tables), plan, constants, tables)
    return synthesise(rotate_coefficients(found, out, g), plan, constants, tables).to(x.dtype)


@lru_cache(maxsize=4)
def _prepared(
    sphere: Sphere, type: FieldType
) -> tuple[FieldPlan, FieldType, dict[str, Tensor], dict[int, tuple[Tensor, ...]]]:
    band = sphere.usual_band
    fields = Homogeneous(SO3(), SO2(), band - 1).fields(type)
    plan = FieldPlan.of(sphere, type, band)
    constants = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in plan.constants().items()}
    tables = {n: p.legendre.tables() for n, p in plan.spins.items() if p.tabulated}
    return plan, fields.type, constants, tables
