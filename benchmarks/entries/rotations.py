"""Spherical harmonics and Wigner matrices up to degree 6: against matrix exponentials, and e3nn where installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from benchmarks.blocks import SEED
from benchmarks.harness import Entry, Timed
from benchmarks.timing import Thunk

DEGREES = range(7)
POINTS, EDGES = 100_000, 5_000


def _thunk(call: Callable[[Tensor], Any], x: Tensor, backward: bool) -> Thunk:
    if not backward:
        return lambda: call(x)
    torch.manual_seed(SEED)
    grads = [torch.randn_like(y) for y in _tuple(call(x))]

    def run() -> object:
        leaf = x.clone().requires_grad_()
        torch.autograd.backward(_tuple(call(leaf)), grads)
        return leaf.grad

    return run


def _tuple(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def points() -> Tensor:
    """Gaussian points, float32."""
    return torch.randn(POINTS, 3, generator=torch.Generator().manual_seed(SEED))


def quaternions() -> Tensor:
    """Uniform rotations, float32."""
    q = torch.randn(EDGES, 4, generator=torch.Generator().manual_seed(SEED))
    return q / q.norm(dim=-1, keepdim=True)


def harmonics(x: Tensor) -> Tensor:
    """Ours."""
    from steerable.groups import spherical_harmonics

    return spherical_harmonics(x, DEGREES)


def wigner(q: Tensor) -> tuple[Tensor, ...]:
    """Ours, from quaternions."""
    from steerable.groups import wigner_d

    return wigner_d(q, DEGREES)


def exponentials(q: Tensor) -> tuple[Tensor, ...]:
    """What a library without closed form does: the exponential of the generators, from the rotation vector."""
    from steerable.groups import convert_rotation
    from steerable.groups.wigner import generators

    vector = convert_rotation(q, "quaternion", "vector")
    each = [torch.tensor(generators(l), dtype=q.dtype) for l in DEGREES]
    return tuple(torch.matrix_exp(torch.einsum("nk,kij->nij", vector, g)) for g in each)


def e3nn_harmonics(x: Tensor) -> Tensor:
    """The peer's."""
    from e3nn import o3  # pyright: ignore[reportMissingImports]

    return o3.spherical_harmonics(list(DEGREES), x, True, "integral")


def e3nn_wigner(q: Tensor) -> tuple[Tensor, ...]:
    """The peer's, from quaternions."""
    from e3nn import o3  # pyright: ignore[reportMissingImports]

    angles = o3.quaternion_to_angles(q)
    return tuple(o3.wigner_D(l, *angles) for l in DEGREES)


def _pair(
    name: str,
    figure: str,
    ours: Callable[[Tensor], Any],
    theirs: Callable[[Tensor], Any],
    state: Callable[[], Tensor],
    goals: tuple[float | None, float | None],
) -> list[Entry]:
    return [
        Timed(
            f"rotations/{name}_{label}",
            f"{figure}, {words}",
            goal=goal,
            setup=state,
            run=lambda x, backward=backward: _thunk(ours, x, backward),
            reference=lambda x, backward=backward: _thunk(theirs, x, backward),
        )
        for (label, words, backward), goal in zip(
            (("fwd", "forward", False), ("fwd_bwd", "fwd+bwd", True)), goals, strict=True
        )
    ]


def _entries() -> list[Entry]:
    of_points, of_edges = f"l <= 6, {POINTS} points", f"l <= 6, {EDGES} rotations"
    found = _pair(
        "wigner_exp",
        f"Wigner matrices / matrix_exp, {of_edges}",
        wigner,
        exponentials,
        quaternions,
        (0.12, 0.08),
    )
    if find_spec("e3nn") is None:
        return found
    found += _pair(
        "harmonics", f"spherical harmonics / e3nn, {of_points}", harmonics, e3nn_harmonics, points, (1 / 1.4, 1 / 1.9)
    )
    found += _pair("wigner", f"Wigner matrices / e3nn, {of_edges}", wigner, e3nn_wigner, quaternions, (1 / 8, 1 / 12))
    return found


ENTRIES = tuple(_entries())
