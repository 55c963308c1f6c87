"""Trajectories of particles, drawn anew for each seed: the test bed of networks of moving points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.data import InputError
from steerable.tasks.particles.forces import FORCES, Force


class Trajectories(NamedTuple):
    """Motions of B systems of n particles in d dimensions, float64.

    Attributes:
        positions: ``[B, frames, n, d]``, the first frame at time 0.
        velocities: the same.
        charges: ``[B, n]``: charges, masses, or ones.
        pairs: what a force between two is multiplied with ``[B, n, n]``: products, or whether there is a spring.
        energy: kinetic and potential, ``[B, frames]``.
        step: time between two frames.
    """

    positions: Tensor
    velocities: Tensor
    charges: Tensor
    pairs: Tensor
    energy: Tensor
    step: float


def simulate(
    kind: str = "charged",
    count: int = 100,
    bodies: int = 5,
    frames: int = 50,
    every: int = 100,
    dt: float = 1e-3,
    dimension: int = 3,
    field: Sequence[float] | None = None,
    clamp: float = 100.0,
    reference_clamp: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Simulate `count` systems: positions from a normal distribution, all speeds 1/2, directions at random.

    Charged particles (+1 or -1 with equal probability) and springs (between half of the pairs) by semi-implicit Euler
    steps, as the published data sets; gravity between equal masses of total 1 by leapfrog steps. No walls.

    Args:
        kind: charged, springs or gravity.
        count: number of systems B.
        bodies: of each.
        frames: that are kept, the first at time 0.
        every: steps between two frames.
        dt: time of a step.
        dimension: d, 2 or 3.
        field: a uniform field ``[d]``: adds the force charge times field, and leaves of all rotations those about it.
        clamp: largest force of a pair of charges.
        reference_clamp: clamp components instead of lengths, as the published generator: not equivariant.
        seed: of all draws.
        progress: called with (frames done, frames in all).

    Raises:
        InputError: an unknown kind, numbers that cannot be, a field of another dimension.

    Source: charged and springs: Kipf et al., "Neural Relational Inference", ICML 2018, in the three dimensions of
    Fuchs et al., 2020, and Satorras, Hoogeboom and Welling, "E(n) Equivariant Graph Neural Networks", ICML 2021.
    """
    if kind not in FORCES:
        raise InputError(f"simulate: the kind is {kind!r}; expected one of {', '.join(FORCES)}.")
    if min(count, bodies - 1, frames, every) < 1 or not dt > 0 or not clamp > 0 or dimension not in (2, 3):
        raise InputError(
            f"simulate: count {count}, bodies {bodies}, frames {frames}, every {every}, dt {dt}, clamp {clamp}, "
            f"dimension {dimension}; expected at least 1, 2, 1, 1, a positive time and clamp, dimension 2 or 3."
        )
    if field is not None and len(field) != dimension:
        raise InputError(f"simulate: the field is {tuple(field)}; expected {dimension} components.")
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, bodies, dimension, generator=g, dtype=torch.float64)
    v = torch.randn(count, bodies, dimension, generator=g, dtype=torch.float64)
    v = 0.5 * v / v.norm(dim=-1, keepdim=True)
    charges, pairs = _draw(kind, count, bodies, g)
    outside = None if field is None else charges[..., None] * torch.tensor(list(field), dtype=torch.float64)
    mass = charges if kind == "gravity" else torch.ones_like(charges)
    world = _World(FORCES[kind], pairs, mass[..., None], outside, clamp, reference_clamp)
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    for frame in range(frames):
        kept.append((x, v, world.energy(x, v)))
        if progress is not None:
            progress(frame + 1, frames)
        if frame + 1 < frames:
            x, v = (world.leapfrog if kind == "gravity" else world.euler)(x, v, every, dt)
    positions, velocities, energy = (torch.stack(part, 1) for part in zip(*kept, strict=True))
    return Trajectories(positions, velocities, charges, pairs, energy, every * dt)


def _draw(kind: str, count: int, bodies: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Charges and products, zero between a particle and itself."""
    others = 1 - torch.eye(bodies, dtype=torch.float64)
    if kind == "springs":
        half = (torch.rand(count, bodies, bodies, generator=g) < 0.5).double().triu(1)
        return torch.ones(count, bodies, dtype=torch.float64), half + half.mT
    if kind == "gravity":
        charges = torch.full((count, bodies), 1 / bodies, dtype=torch.float64)
    else:
        charges = 2.0 * torch.randint(0, 2, (count, bodies), generator=g).double() - 1
    return charges, charges[:, :, None] * charges[:, None] * others


class _World(NamedTuple):
    """Forces of one set of systems, and the ways to follow them."""

    force: Force
    pairs: Tensor
    mass: Tensor
    outside: Tensor | None
    clamp: float
    each: bool

    def push(self, x: Tensor) -> Tensor:
        """Acceleration."""
        found = self.force(x, self.pairs, self.clamp, self.each)[0]
        return (found if self.outside is None else found + self.outside) / self.mass

    def energy(self, x: Tensor, v: Tensor) -> Tensor:
        """Kinetic and potential energy of each system."""
        found = self.force(x, self.pairs, self.clamp, self.each)[1] + (self.mass * v.square()).sum((1, 2)) / 2
        return found if self.outside is None else found - (self.outside * x).sum((1, 2))

    def euler(self, x: Tensor, v: Tensor, steps: int, dt: float) -> tuple[Tensor, Tensor]:
        """Velocities first, then positions with the new ones."""
        for _ in range(steps):
            v = v + dt * self.push(x)
            x = x + dt * v
        return x, v

    def leapfrog(self, x: Tensor, v: Tensor, steps: int, dt: float) -> tuple[Tensor, Tensor]:
        """Half a kick, a drift, half a kick: of second order, the same backwards."""
        push = self.push(x)
        for _ in range(steps):
            v = v + dt / 2 * push
            x = x + dt * v
            push = self.push(x)
            v = v + dt / 2 * push
        return x, v
