"""The law of equivariance: ``f(g x) = g f(x)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from steerable.domains.grid import PixelGrid
from steerable.domains.voxels import VoxelGrid
from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.laws.field import Field
from steerable.laws.setting import (
    describe,
    evaluated,
    exact_elements,
    meet,
    random_input,
    resolve_in_type,
    resolve_out_type,
    tolerance,
    trained,
)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """``|found - expected| / |expected|`` in the L2 norm; the norm of ``found`` itself where nothing is expected."""
    found, expected = found.detach().double(), expected.detach().double()
    difference, size = (found - expected).norm(), expected.norm()
    return float(difference / size) if float(size) > 0 else float(difference)


def turned_error(call: Callable[[Tensor], Tensor], x: Field, y: Field, g: Tensor, margin: float = 0.0) -> float:
    """Relative error between ``f(g x)`` and ``g f(x)`` for one element, ``y = f(x)`` being known.

    Where ``g`` has to interpolate, images are compared on the inscribed disc (volumes on the ball) less ``margin``.
    """
    left, right = call(x.transform(g).tensor), y.transform(g).tensor
    if isinstance(y.domain, PixelGrid | VoxelGrid) and not (x.is_exact(g) and y.is_exact(g)):
        mask = (y.domain.disc(margin) if isinstance(y.domain, PixelGrid) else y.domain.ball(margin)).to(left)
        left, right = left * mask, right * mask
    return relative_error(left, right)


def _measure(
    module: nn.Module,
    x: Tensor,
    in_type: FieldType,
    out_type: FieldType | None,
    elements: Iterable[Tensor] | None,
    margin: float,
    training: bool,
) -> tuple[FieldType, list[Tensor], list[float]]:
    """Input type under the acting group, elements and errors."""
    with (trained if training else evaluated)(module) as call:
        out = call(x)
        out_type = resolve_out_type(module, out, out_type, in_type)
        in_type = meet(in_type, out_type)
        field, y = Field.of(x, in_type), Field.of(out, out_type)
        chosen = exact_elements(in_type.group, x) if elements is None else list(elements)
        return in_type, chosen, [turned_error(call, field, y, g, margin) for g in chosen]


def equivariance_error(
    module: nn.Module,
    x: Tensor,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    elements: Iterable[Tensor] | None = None,
    group: Group | None = None,
    margin: float = 0.0,
    training: bool = False,
) -> Tensor:
    """Relative L2 error of ``f(g x) = g f(x)``, one number for each element.

    Args:
        module: any module from one tensor to one tensor.
        x: input ``[B, C, ...]``.
        in_type: type of the input; default the module's own, else trivial channels.
        out_type: type of the output; default the module's own, else trivial channels.
        elements: elements of the group of the output, which may be a subgroup; default those that move samples onto
            samples.
        group: the group, for a plain network whose types are not given.
        margin: pixels left out at the rim of the disc where an element interpolates.
        training: run in train instead of eval (running statistics are not touched either way).

    Returns:
        ``[n]`` float64.
    """
    in_type = resolve_in_type(module, x, in_type, group)
    return torch.tensor(_measure(module, x, in_type, out_type, elements, margin, training)[2], dtype=torch.float64)


def assert_equivariant(
    module: nn.Module,
    x: Tensor | None = None,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    elements: Iterable[Tensor] | None = None,
    group: Group | None = None,
    atol: float | None = None,
    training: bool = False,
) -> None:
    """Fail unless ``f(g x) = g f(x)`` for elements that move samples onto samples.

    Args:
        module: any module.
        x: input; default a random image (planar groups) or random vectors.
        in_type: as in :func:`equivariance_error`, as are the next four.
        out_type: type of the output.
        elements: elements of the group of the output.
        group: the group, for a plain network.
        training: run in train.
        atol: largest relative error; default 1e-10 in float64, 1e-5 in float32.

    Raises:
        AssertionError: with a table of the error at every element.
        ValueError: if there is nothing to test: on the grid C(3) and C(5) hold no exact element but the identity.
    """
    in_type = resolve_in_type(module, x, in_type, group)
    x = random_input(module, in_type) if x is None else x
    limit = tolerance(x) if atol is None else atol
    in_type, chosen, errors = _measure(module, x, in_type, out_type, elements, 0.0, training)
    if elements is None and len(chosen) < 2 and in_type.group.order != 1:
        raise ValueError(
            f"{type(module).__name__}: no element of {in_type.group.name} but the identity moves the samples of "
            f"an input of shape {tuple(x.shape)} onto samples, so nothing is tested; expected at least one. "
            f"Use laws.check, or give elements and an atol that allows for interpolation"
        )
    if any(not e <= limit for e in errors):
        rows = [
            f"  {describe(in_type.group, g):<18} {e:.1e}{'' if e <= limit else '   above'}"
            for g, e in zip(chosen, errors, strict=True)
        ]
        raise AssertionError(
            f"{type(module).__name__} is not equivariant under {in_type.group.name}: relative error of "
            f"f(g x) = g f(x), allowed {limit:.0e}, input {tuple(x.shape)} = {in_type!r}\n" + "\n".join(rows)
        )
