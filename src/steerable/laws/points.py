"""The laws of layers on points: positions turn with the features, and their order and their place mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from steerable.domains.points import Neighbourhood, Points
from steerable.fields.type import FieldType
from steerable.laws.equivariance import relative_error
from steerable.laws.permutation import one_cycle
from steerable.laws.setting import describe, evaluated, meet, resolve_in_type, resolve_out_type, tolerance

Search = Callable[[Points], Neighbourhood]


def point_errors(
    module: nn.Module,
    x: Tensor,
    points: Points,
    search: Search,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    elements: Iterable[Tensor] | None = None,
) -> dict[str, float]:
    """Relative errors of a layer ``module(x, neighbourhood)`` under everything that must not matter.

    Args:
        module: a layer on points; its output is ``[N, C']``, one row a point, or ``[num_graphs, C']``.
        x: features ``[N, C]``.
        points: where they lie; without a periodic cell, or with one that moves along.
        search: from points to the second argument of the layer, such as ``lambda p: p.neighbours(2.0)``.
        in_type: type of the features; default the module's own.
        out_type: type of the output; default the module's own, else trivial channels.
        elements: group elements; default eight random ones (and the generators).

    Returns:
        The error at each element, of a translation, and of another order of the points.
    """
    in_type = resolve_in_type(module, x, in_type, None)
    errors: dict[str, float] = {}
    with evaluated(module) as call:
        y = call(x, search(points))
        out_type = resolve_out_type(module, y, out_type, in_type)
        group = meet(in_type, out_type).group
        in_type = meet(in_type, out_type)
        if elements is None:
            elements = [*group.sample(8, torch.Generator().manual_seed(0)), *group.generators]
        for g in elements:
            moved = call(in_type.transform(x, g), search(points.moved(group, g)))
            errors[describe(group, g)] = relative_error(moved, out_type.transform(y, g))
        shift = torch.linspace(0.7, -1.3, points.dimension).to(points.positions)
        errors["translation"] = relative_error(call(x, search(points.at(points.positions + shift))), y)
        order = one_cycle(points.batch)
        expected = y[order] if len(y) == len(points) else y
        errors["another order"] = relative_error(call(x[order], search(points.reordered(order))), expected)
    return errors


def assert_equivariant_on_points(
    module: nn.Module,
    x: Tensor,
    points: Points,
    search: Search,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    elements: Iterable[Tensor] | None = None,
    atol: float | None = None,
) -> None:
    """Fail unless a layer on points commutes with its group, with translations and with permutations of the points.

    Arguments as in :func:`point_errors`; `atol` is the largest relative error, default 1e-10 in float64.

    Raises:
        AssertionError: with a table of the errors.
    """
    limit = tolerance(x) if atol is None else atol
    errors = point_errors(module, x, points, search, in_type, out_type, elements)
    if any(not e <= limit for e in errors.values()):
        rows = [f"  {name:<40} {e:.1e}{'' if e <= limit else '   above'}" for name, e in errors.items()]
        raise AssertionError(
            f"{type(module).__name__} is not equivariant on {points!r}: relative errors, allowed {limit:.0e}\n"
            + "\n".join(rows)
        )
