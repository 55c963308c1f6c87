"""Anisotropy of the metric on SE(2): accuracy of `cheb_lie_net` for eps = 0.1, 0.2, 0.5, 1, beside the plain twin.

Run: ``python -m benchmarks.trained.cheblienet [--data textures] [--images 2000] [--epochs 12] [--seeds 0 1 2]``; a few
minutes a network and seed on one core. ``--data cifar`` takes the CIFAR-10 subset of ``STEERABLE_DATA`` at half
resolution (16 x 16); ``--data textures`` draws its own.

Textures are gratings of eight kinds: one or two waves of a coarse or a fine period, at right angles or not, at any
angle and phase, with noise. What tells them apart is how lines of different orientations lie, not which
orientation: a metric that knows orientations should see it. ``eps = 1`` is the ablation: the same graph, isotropic.
Scored on images that were not trained on, at the end of a fixed number of epochs; the test part chooses nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import steerable as st
from steerable.domains import PixelGrid

SIDE = 16


def textures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Gratings ``[count, 1, 16, 16]`` and which of eight kinds they are."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 8, (count,), generator=g)
    fine, pair, skew = y % 2, (y // 2) % 2, y // 4
    angle = 2 * math.pi * torch.rand(count, generator=g)
    other = angle + torch.where(skew == 1, math.pi / 4, math.pi / 2)
    period = torch.where(fine == 1, 3.5, 6.0) * (0.9 + 0.2 * torch.rand(count, generator=g))
    p = PixelGrid(SIDE, SIDE).points().float()

    def wave(a: Tensor) -> Tensor:
        phase = 2 * math.pi * torch.rand(count, 1, 1, generator=g)
        along = p[..., 0] * a.cos()[:, None, None] + p[..., 1] * a.sin()[:, None, None]
        return (2 * math.pi * along / period[:, None, None] + phase).sin()

    first, second = wave(angle), wave(other)
    # one wave that is bent at the middle, or two that cross
    bent = torch.where(
        (p[..., 0] * other.cos()[:, None, None] + p[..., 1] * other.sin()[:, None, None]) > 0, first, second
    )
    x = torch.where(pair[:, None, None] == 1, (first + second) / math.sqrt(2), bent)
    return (x + 0.7 * torch.randn(x.shape, generator=g))[:, None], y


def cifar(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images ``[count, 3, 16, 16]`` and classes for training, in an order of the seed, and the test part."""
    source = np.load(Path(os.environ["STEERABLE_DATA"]) / "cifar10" / "cifar10_subset.npz")

    def images(part: str) -> Tensor:
        x = torch.from_numpy(source[f"x_{part}"]).permute(0, 3, 1, 2).float() / 127.5 - 1
        return nn.functional.avg_pool2d(x, 2)

    y, z = (torch.from_numpy(source[f"y_{part}"].astype(np.int64)) for part in ("train", "test"))
    rows = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:count]
    return images("train")[rows], y[rows], images("test"), z


def data(name: str, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and classes for training and for the test."""
    return cifar(count, seed) if name == "cifar" else (*textures(count, seed), *textures(1000, 9999))


def run(name: str, eps: float | None, args: argparse.Namespace, seed: int) -> float:
    """Train one network; the share of the test images that it gets right."""
    x, y, tx, ty = data(name, args.images, seed)
    torch.manual_seed(seed)
    options = {"in_channels": x.shape[1], "num_classes": int(y.max()) + 1, "image_side": SIDE, "widths": (8, 16, 32)}
    if eps is None:
        net = st.create_model("cheb_lie_net_plain", **options)
    else:
        net = st.create_model("cheb_lie_net", eps=eps, orientations=args.orientations, weights=args.weights, **options)
    steps = args.epochs * (len(x) // args.batch)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    start = time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(0, len(x), (args.batch,))
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    seconds = time.perf_counter() - start
    net.eval()
    with torch.no_grad():
        right = float((torch.cat([net(part) for part in tx.split(250)]).argmax(1) == ty).double().mean())
    count = sum(p.numel() for p in net.parameters())
    what = "plain twin" if eps is None else f"eps = {eps:g}"
    print(f"{name}: {what}: seed {seed}, {count:,} parameters: {right:.3f}; {seconds:.0f} s", flush=True)
    return right


def main() -> None:
    """Print a line for each network and seed, then means with the range of the seeds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", choices=("cifar", "textures"), default="textures")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--orientations", type=int, default=6)
    parser.add_argument("--weights", choices=("density", "paper"), default="density")
    parser.add_argument("--eps", type=float, nargs="*", default=[0.1, 0.2, 0.5, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for eps in (*args.eps, None):
        found = [run(args.data, eps, args, seed) for seed in args.seeds]
        what = "plain twin" if eps is None else f"eps = {eps:g}"
        print(f"{args.data}: {what}: mean {np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})", flush=True)


if __name__ == "__main__":
    main()
