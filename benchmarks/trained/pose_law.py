"""The pose law of the eleven transformers after training: ``theta(T_a f) = theta(f) + a``.

Run: ``python -m benchmarks.trained.pose_law [--names shear_x scale] [--seeds 0 1 2]``; about twenty seconds a
transformer and seed on one core.

A predictor sees random scenes of blobs f and T_a f, drawn analytically on 48 x 48 pixels, and learns that its answers
differ by a: any a on a periodic axis, up to a quarter of half the range on others. Scored on 512 other pairs: the
absolute error as a share of the range, beside that of an answer that does not move, and how far the normalised images
of f and T_a f are apart (relative L2), beside the images themselves.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from torch import Tensor

import steerable as st
from steerable.domains import PixelGrid, Warp

SIDE = 48
NAMES = (
    "translation", "rotation", "scale", "rotation_scale", "shear_x", "shear_y", "scale_x", "scale_y",
    "hyperbolic_rotation", "perspective_x", "perspective_y",
)  # fmt: skip


def scenes(x: Tensor, generator: torch.Generator) -> Tensor:
    """Four blobs in each of B scenes, at points ``[B, H, W, 2]``."""
    b = len(x)
    centre = (torch.rand(b, 1, 1, 4, 2, generator=generator) * 2 - 1) * 0.4
    height = 0.3 + torch.rand(b, 1, 1, 4, generator=generator)
    width = 0.07 + 0.08 * torch.rand(b, 1, 1, 4, generator=generator)
    distance = (x[..., None, :] - centre).square().sum(-1)
    return (height * torch.exp(-0.5 * distance / width**2)).sum(-1)[:, None]


def pairs(warp: Warp, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Scenes f and T_a f ``[count, 1, 48, 48]``, and a ``[count, parameters]``."""
    reach = torch.tensor([warp.axes[i].length / 2 * (1.0 if warp.periodic[i] else 0.25) for i in warp.shifts])
    a = (torch.rand(count, warp.parameters, generator=generator) * 2 - 1) * reach
    x = (PixelGrid(SIDE, SIDE).points() * 2 / SIDE).float().expand(count, -1, -1, -1)
    state = generator.get_state()
    f = scenes(x, generator)
    generator.set_state(state)
    return f, scenes(warp.act(-a[:, None, None], x), generator), a


def misses(warp: Warp, found: Tensor, a: Tensor) -> Tensor:
    """Errors ``[B, parameters]`` as shares of the ranges."""
    parts = []
    for i, axis in enumerate(warp.shifts):
        d = found[:, i] - a[:, i]
        d = torch.remainder(d + math.pi, 2 * math.pi) - math.pi if warp.periodic[axis] else d
        parts.append(d / warp.axes[axis].length)
    return torch.stack(parts, -1)


def run(name: str, seed: int, steps: int) -> str:
    """Train one predictor and say how well it follows."""
    warp = getattr(Warp, name)()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = st.nn.PosePredictor(warp, 1, 16, image_side=SIDE)
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    start = time.perf_counter()
    for _ in range(steps):
        f, g, a = pairs(warp, 32, generator)
        loss = misses(warp, net(g).params - net(f).params, a).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        f, g, a = pairs(warp, 512, torch.Generator().manual_seed(10_000 + seed))
        sequence = st.nn.TransformerSequence([net])
        before, after = sequence.normalise(f), sequence.normalise(g)
        error = misses(warp, after.params[0] - before.params[0], a).abs()
        still = misses(warp, torch.zeros_like(a), a).abs()
        apart = ((after.image - before.image).flatten(1).norm(dim=1) / before.image.flatten(1).norm(dim=1)).median()
        raw = ((g - f).flatten(1).norm(dim=1) / f.flatten(1).norm(dim=1)).median()
    share = " and ".join(
        f"mean {100 * e:.2f} %, 95 in 100 below {100 * q:.2f} %" for e, q in zip(error.mean(0), error.quantile(0.95, 0))
    )
    return (
        f"{name:20} seed {seed}: {share} of the range (not moving: {100 * still.mean():.1f} %); normalised images "
        f"{apart:.3f} apart, images {raw:.2f}; {seconds:.0f} s"
    )


def main() -> None:
    """Print a line for every transformer and seed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.names:
        for seed in args.seeds:
            print(run(name, seed, args.steps), flush=True)


if __name__ == "__main__":
    main()
