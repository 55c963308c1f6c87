"""How many neighbours lie in a cone of the local frame: what degree of harmonics does it take?

Run: ``python -m benchmarks.trained.cone_count [--degrees 0 1 2 3 4 6 8] [--edge 40] [--steps 150]``; about a minute of
one core.

Random clouds, a random frame at each point (from the three atoms of a residue), twelve neighbours. The cone has a half
angle of 60 degrees about an oblique axis of the frame; over `edge` degrees a neighbour goes from counting 1 to 0. What
the best linear answer has with degrees up to l stands beside each figure: the share of the variance of the cone that
they hold (functions of several sums know more). A sharp edge (0) needs high degrees: 80 % at l = 3, 94 % at l = 12.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from torch import Tensor

import steerable as st
from steerable.domains.points import Neighbourhood
from steerable.domains.points.frames import backbone_frames, in_frames

AXIS = (0.48, -0.6, 0.64)
HALF = 60.0


def share(cosine: Tensor, edge: float) -> Tensor:
    """How much a neighbour counts at a cosine of the angle to the axis."""
    angle = cosine.clamp(-1, 1).acos() * (180 / math.pi)
    return (angle < HALF).to(cosine) if edge == 0 else ((HALF + edge / 2 - angle) / edge).clamp(0, 1)


def ceiling(lmax: int, edge: float) -> float:
    """Share of the variance of the cone in degrees 1 .. lmax."""
    x = (np.arange(20000) + 0.5) / 10000 - 1
    f = share(torch.from_numpy(x), edge).numpy()
    parts = [(2 * l + 1) * (f * np.polynomial.legendre.legval(x, [0] * l + [1])).mean() ** 2
             for l in range(1, lmax + 1)]  # fmt: skip
    return float(sum(parts) / f.var())


def clouds(points: int, edge: float, seed: int) -> tuple[Neighbourhood, Tensor]:
    """Pairs in local frames, and the count of each point ``[N, 1]``."""
    generator = torch.Generator().manual_seed(seed)
    atoms = 8 * torch.rand(points, 1, 3, generator=generator) + torch.randn(points, 3, 3, generator=generator)
    g = st.Points(atoms[:, 1]).knn(12)
    g = in_frames(g, backbone_frames(*atoms.unbind(1)))
    cosine = torch.nn.functional.normalize(g.offset, dim=1) @ torch.tensor(AXIS)
    return g, torch.zeros(points).index_add(0, g.target, share(cosine, edge))[:, None]


def fitted(lmax: int, edge: float = 40.0, steps: int = 150, seed: int = 0, points: int = 2000) -> float:
    """Train a small S-GCN and return R2 on another cloud."""
    torch.manual_seed(seed)
    net = st.create_model("sgcn", cutoff=1.0, widths=(16,), lmax=lmax, shells=0, hidden=16, neighbours=12.0)
    (g, y), (h, z) = clouds(points, edge, seed), clouds(points, edge, seed + 1000)
    x, mean, spread = torch.ones(points, 1), y.mean(), y.std()
    optimiser = torch.optim.Adam(net.parameters(), 3e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    for _ in range(steps):
        loss = (net.nodes_of(x, g) - (y - mean) / spread).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        missed = mean + spread * net.nodes_of(x, h) - z
    return float(1 - missed.square().mean() / z.var(correction=0))


def main() -> None:
    """Print a line for every degree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--degrees", type=int, nargs="+", default=[0, 1, 2, 3, 4, 6, 8])
    parser.add_argument("--edge", type=float, default=40.0)
    parser.add_argument("--steps", type=int, default=150)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for lmax in args.degrees:
        start = time.process_time()
        found = fitted(lmax, args.edge, args.steps)
        print(
            f"lmax {lmax}: R2 {found:6.3f} ({ceiling(lmax, args.edge):.3f} for the best linear answer), "
            f"{time.process_time() - start:.1f} s of a core",
            flush=True,
        )


if __name__ == "__main__":
    main()
