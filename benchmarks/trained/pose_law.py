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
import time

import torch
from torch import Tensor

import steerable as st
from steerable.domains import Warp
from steerable.nn.follow import moved_pairs, pose_misses

SIDE = 48
NAMES = (
    "translation", "rotation", "scale", "rotation_scale", "shear_x", "shear_y", "scale_x", "scale_y",
    "hyperbolic_rotation", "perspective_x", "perspective_y",
)  # fmt: skip


@torch.no_grad()
def error(net: st.nn.PosePredictor, f: Tensor, g: Tensor, a: Tensor) -> Tensor:
    """Absolute errors ``[B, parameters]`` as shares of the ranges."""
    return pose_misses(net.warp, net(g).params - net(f).params, a).abs()


def run(name: str, seed: int, steps: int) -> str:
    """Train one predictor and say how well it follows."""
    warp = getattr(Warp, name)()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = st.nn.PosePredictor(warp, 1, 16, image_side=SIDE)
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    test = moved_pairs(warp, 512, 1, torch.Generator().manual_seed(10_000 + seed))
    untrained = 100 * error(net, *test).mean()
    start = time.perf_counter()
    for _ in range(steps):
        f, g, a = moved_pairs(warp, 32, 1, generator)
        loss = pose_misses(warp, net(g).params - net(f).params, a).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()
    seconds = time.perf_counter() - start
    f, g, a = test
    with torch.no_grad():
        sequence = st.nn.TransformerSequence([net])
        before, after = sequence.normalise(f), sequence.normalise(g)
        missed = error(net, f, g, a)
        still = pose_misses(warp, torch.zeros_like(a), a).abs()
        apart = ((after.image - before.image).flatten(1).norm(dim=1) / before.image.flatten(1).norm(dim=1)).median()
        raw = ((g - f).flatten(1).norm(dim=1) / f.flatten(1).norm(dim=1)).median()
    share = " and ".join(
        f"mean {100 * e:.2f} %, 95 in 100 below {100 * q:.2f} %"
        for e, q in zip(missed.mean(0), missed.quantile(0.95, 0))
    )
    return (
        f"{name:20} seed {seed}: {share} of the range (untrained {untrained:.1f} %, "
        f"not moving {100 * still.mean():.1f} %); normalised images "
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
