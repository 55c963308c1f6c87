"""Trained upright, tested turned: SPRIN beside PointNet, without and with augmentation by any rotation.

Run: ``python -m benchmarks.trained.rotation_invariant_points [--names sprin sprin_so3 pointnet pointnet_augmented prin]
[--seeds 0 1 2] [--epochs 30]``; about ten minutes of one core without prin, which takes five more for each seed.

Eleven shapes of 128 points, 440 clouds to train on that stand upright (turned about the third axis), 440 to test on,
upright and each turned by its own random rotation. Two shapes are mirror images: a network that knows reflections
cannot tell them apart, so that O3 ends at 10/11 = 90.9 %. The last epoch counts; the test part chooses nothing.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor, nn

import steerable as st
from steerable.data.rotations import random_rotations
from steerable.tasks.shapes import SHAPES, shapes

#: name of the model, its options, the rate, and whether training clouds are turned any way
NETWORKS = {
    "sprin": ("sprin", {}, 3e-3, False),
    "sprin_so3": ("sprin", {"group": "SO3"}, 3e-3, False),
    "pointnet": ("pointnet", {}, 3e-3, False),
    "pointnet_augmented": ("pointnet", {}, 3e-3, True),
    "prin": ("prin", {}, 1e-2, False),
}
POINTS = 128


def clouds(part: object) -> tuple[Tensor, Tensor]:
    """Positions ``[N, points, 3]`` and classes ``[N]`` of a part."""
    return part.x.positions.view(-1, POINTS, 3), part.y


def ask(net: nn.Module, positions: Tensor) -> Tensor:
    """Logits of clouds ``[B, points, 3]``."""
    batch = torch.arange(len(positions)).repeat_interleave(POINTS)
    return net(torch.ones(positions.shape[0] * POINTS, 1), positions.flatten(0, 1), batch)


@torch.no_grad()
def accuracy(net: nn.Module, positions: Tensor, y: Tensor) -> float:
    """Share of right answers in per cent."""
    right = sum(int((ask(net, p).argmax(1) == c).sum()) for p, c in zip(positions.split(40), y.split(40), strict=True))
    return 100 * right / len(y)


def run(name: str, seed: int, epochs: int) -> tuple[float, float]:
    """Train one network, print its line, and return the accuracies on upright and on turned clouds."""
    model, options, rate, augment = NETWORKS[name]
    data = shapes(points=POINTS, train_pose="upright", pose="upright", seed=seed)
    x, y = clouds(data.train)
    upright, classes = clouds(data.test)
    generator = torch.Generator().manual_seed(1000 + seed)
    turned = upright @ random_rotations(len(upright), 3, generator).mT.float()
    torch.manual_seed(seed)
    net = st.create_model(model, in_channels=1, num_classes=len(SHAPES), **options)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    steps = epochs * -(-len(x) // 16)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    start = time.process_time()
    for _ in range(epochs):
        for some in torch.randperm(len(x), generator=generator).split(16):
            place = x[some]
            if augment:
                place = place @ random_rotations(len(some), 3, generator).mT.float()
            loss = nn.functional.cross_entropy(ask(net, place), y[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    seconds = time.process_time() - start
    net.eval()
    found = accuracy(net, upright, classes), accuracy(net, turned, classes)
    count = sum(p.numel() for p in net.parameters())
    print(
        f"{name:20} seed {seed}: upright {found[0]:5.1f} %, turned {found[1]:5.1f} %, drop {found[0] - found[1]:5.1f}; "
        f"{count} parameters, {seconds:.0f} s of a core",
        flush=True,
    )
    return found


def main() -> None:
    """Print a line for every network and seed, and their means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--names", nargs="+", default=[n for n in NETWORKS if n != "prin"], choices=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"a constant answer: {100 / len(SHAPES):.1f} %; a network that knows reflections: at most 90.9 % and chance")
    for name in args.names:
        found = torch.tensor([run(name, seed, args.epochs) for seed in args.seeds])
        mean, spread = found.mean(0), found.std(0, correction=0)
        print(
            f"{name:20} mean: upright {mean[0]:.1f} ({spread[0]:.1f}), turned {mean[1]:.1f} ({spread[1]:.1f}), "
            f"drop {mean[0] - mean[1]:.1f} points",
            flush=True,
        )


if __name__ == "__main__":
    main()
