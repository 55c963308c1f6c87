"""The exact law of the sphere: a layer commutes with the rotations and reflections that move samples onto samples.

Nothing is interpolated and no band is assumed, so it holds to rounding, for white noise and in train as well. What it
does not see is the quadrature, which these symmetries leave alone: that is for :func:`steerable.laws.sphere_errors`. On
rings frames go along with all symmetries: transport is seen on icosahedral samplings alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from steerable.domains.sphere import IcosahedralSphere, RingSphere, Sphere
from steerable.fields.type import FieldType
from steerable.groups import O2, O3, SO3, C, full_icosahedral
from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated, resolve_in_type, resolve_out_type, tolerance, trained
from steerable.laws.sphere import ends_of, own_type, rotated, samplings, sphere_of

#: every so many-th of the 120 symmetries of the icosahedron: five turns and four reflections
_EVERY = 13


def turn_samples(x: Tensor, type: FieldType, sphere: Sphere, g: Tensor) -> Tensor:
    """``[g f](g p) = rho(h) f(p)`` with h what g does to the frame of p, against the frame that is at g p.

    Args:
        x: ``[B, C, *sphere.shape]``.
        type: of SO2, O2 (for reflections too) or C(1).
        sphere: the samples.
        g: an element of O3 ``[5]`` that permutes them.

    Raises:
        ValueError: for an element that moves samples elsewhere, or frames as the type does not say.
    """
    to = sphere.permutation(O3(), g)
    turns = _turns(sphere, to, g)
    if not _known(type, turns):
        raise ValueError(
            f"turn_samples: {g.tolist()} of O3 turns or reflects frames as {type!r} of {type.group.name} does not say; "
            "expected a rotation, reflections of O2 alone, and of C1 what leaves south where it is"
        )
    flat = x.flatten(2)
    if not type.is_trivial:
        flat = torch.einsum("vij,bjv->biv", type.matrix(type.group.from_plane(turns)).to(x), flat)
    return torch.empty_like(flat).index_copy(2, to, flat).view(x.shape)


def sphere_symmetries(type: FieldType, *spheres: Sphere) -> Tensor:
    """Elements of O3 ``[n, 5]``, not the identity, that permute all of some samplings and whose frames a type knows.

    Of ring samplings the smallest turn about the axis that all share, and all half turns and reflections along the
    coordinate axes; of icosahedral ones some of their own too.
    """
    found = [torch.diag(torch.tensor(s, dtype=torch.float64)) for s in _SIGNS]
    turns = math.gcd(*(s.rings.turns for s in spheres if isinstance(s, RingSphere)))
    if turns > 1:
        c, s = math.cos(2 * math.pi / turns), math.sin(2 * math.pi / turns)
        found.append(torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64))
    if any(isinstance(s, IcosahedralSphere) for s in spheres):
        group = full_icosahedral()
        found += list(group.action(group.elements, 3)[1::_EVERY])
    new = [m for i, m in enumerate(found) if not any(torch.allclose(m, other, atol=1e-9) for other in found[:i])]
    elements = O3().from_action(torch.stack(new))
    kept = [g for g in elements if all(keeps_samples(s, type, g) for s in spheres)]
    return torch.stack(kept) if kept else elements[:0]


def keeps_samples(sphere: Sphere, type: FieldType, g: Tensor) -> bool:
    """Whether an element of O3 ``[5]`` permutes samples of equal weight, and a type knows what it does to frames."""
    if not sphere.is_exact(O3(), g):
        return False
    to, weights = sphere.permutation(O3(), g), sphere.flat_weights()
    same = bool(((weights[to] - weights).abs() <= 1e-9 * weights.mean()).all())
    return same and _known(type, _turns(sphere, to, g))


def exact_sphere_errors(
    module: nn.Module,
    x: Tensor,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    elements: Iterable[Tensor] | None = None,
    training: bool = False,
) -> Tensor:
    """Relative L2 error ``|f(g x) - g f(x)| / |f(x)|``, float64 ``[n]``, of symmetries of the samplings.

    Args:
        module: with a sampling, to fields on it or on that of its last layer, to coefficients, or to invariants
            ``[B, C']``.
        x: any input.
        in_type, out_type: default the module's own.
        elements: of O3; default those of :func:`sphere_symmetries` for the samplings of all its layers.
        training: run in train, running statistics untouched.

    Raises:
        ValueError: for a module without a sampling, or without a symmetry: nothing would be tested.
    """
    sphere = sphere_of(module)
    if sphere is None:
        raise ValueError(f"{type(module).__name__} has no sampling; expected an attribute sphere of it or of a layer")
    in_type = resolve_in_type(module, x, in_type or own_type(module, "in_type"), None)
    found = []
    with (trained if training else evaluated)(module) as call:
        y = call(x)
        out_type = resolve_out_type(module, y, out_type or own_type(module, "out_type"), in_type)
        ends = ends_of(module, y, None, sphere) if y.dim() > 2 else sphere
        elements = sphere_symmetries(in_type, *samplings(module)) if elements is None else list(elements)
        for g in elements:
            moved, expected = _moved(x, in_type, sphere, g), _moved(y, out_type, ends, g)
            found.append(relative_error(call(moved), expected))
    if not found:
        spheres = ", ".join(map(repr, samplings(module)))
        raise ValueError(
            f"{type(module).__name__}: nothing but the identity permutes {spheres} with frames of "
            f"{in_type.group.name}, so nothing is tested; expected rings or an icosahedral sampling"
        )
    return torch.tensor(found, dtype=torch.float64)


def assert_exact_on_sphere(module: nn.Module, x: Tensor, atol: float | None = None, training: bool = False) -> None:
    """Fail unless the largest of :func:`exact_sphere_errors` is rounding: 1e-10 in float64, 1e-5 in float32.

    Raises:
        AssertionError: with the errors.
    """
    errors = exact_sphere_errors(module, x, training=training)
    limit = tolerance(x) if atol is None else atol
    if not bool((errors <= limit).all()):
        raise AssertionError(
            f"{type(module).__name__} is not equivariant under the symmetries of its samples: relative errors "
            f"{', '.join(f'{float(e):.1e}' for e in errors)}, allowed {limit:.0e}"
        )


def _moved(x: Tensor, type: FieldType, sphere: Sphere, g: Tensor) -> Tensor:
    """Samples, coefficients ``[B, D]`` of a type of SO3 (by rotations), or invariants ``[B, C]``, after an element."""
    if x.dim() > 2:
        return turn_samples(x, type, sphere, g)
    if type.group != SO3() or type.is_trivial:
        return x
    return rotated(x, type, SO3().from_action(O3().action(g, 3)))


_SIGNS = [(a, b, c) for a in (1.0, -1.0) for b in (1.0, -1.0) for c in (1.0, -1.0)][1:]


def _turns(sphere: Sphere, to: Tensor, g: Tensor) -> Tensor:
    """Orthogonal matrices ``[N, 2, 2]``: the moved frame of each sample in the frame that is there."""
    frames = sphere.frames().reshape(-1, 3, 3)
    return (frames[to].mT @ O3().action(g, 3) @ frames)[:, :2, :2]


def _known(type: FieldType, turns: Tensor) -> bool:
    if type.group == C(1):
        return bool((turns - torch.eye(2, dtype=turns.dtype)).abs().max() < 1e-9)
    return type.group == O2() or bool((torch.linalg.det(turns) > 0).all())
