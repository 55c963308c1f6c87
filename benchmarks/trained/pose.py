"""Rotation of lopsided shapes from single depth images: icosahedral projection against plain regression.

Run: ``python -m benchmarks.trained.pose [--views 2000] [--seeds 0 1 2]``; about four minutes a network and seed on one
core.

Three shapes made of ellipsoids, 64 x 64 pixels with noise, uniform rotations, which shape it is is known. Both networks
have one encoder and as many parameters. Scored on 1,000 other views by the angle between rotations, beside the constant
that is best on the training views, and the floor of the 60 elements: the nearest of them, with the truth in hand.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from torch import Tensor, nn

import steerable as st
from steerable.nn import PoseHead, pose_error
from steerable.tasks.poses import SHAPES, draw_views

NETS = {"icosahedral": "image_to_icosahedral", "regression": "image_to_icosahedral_plain"}


def degrees(error: Tensor) -> tuple[float, float, float]:
    """Median, mean, and percent above 90 degrees."""
    found = torch.rad2deg(error)
    return float(found.median()), float(found.mean()), 100 * float((found > 90).float().mean())


def constant(rotation: Tensor, tested: Tensor) -> Tensor:
    """Errors of one rotation for all: of 200 training views the one with the least median error on the others."""
    angles = torch.stack([pose_error(rotation, r.expand_as(rotation)).median() for r in rotation[:200]])
    return pose_error(tested, rotation[int(angles.argmin())].expand_as(tested))


def train(
    net: nn.Module, views: tuple[Tensor, Tensor, Tensor], steps: int, batch: int, lr: float, width: float
) -> None:
    """AdamW with one cycle; every image gets fresh noise."""
    x, rotation, kind = views
    optimiser = torch.optim.AdamW(net.parameters(), lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    net.train()
    for _ in range(steps):
        rows = torch.randint(0, len(x), (batch,))
        image = x[rows] + 0.02 * torch.randn(batch, *x.shape[1:])
        optimiser.zero_grad()
        net.loss(image, rotation[rows], kind[rows], weight=1.0, width=width).backward()  # type: ignore[operator]
        optimiser.step()
        schedule.step()
    net.eval()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=2000, help="training views, of all shapes together")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--width", type=float, default=20.0, help="of soft labels in degrees; 0: hard ones")
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tested = draw_views(1000, 9999)
    print(f"{'':28}{'parameters':>12}{'median':>9}{'mean':>9}{'> 90':>8}{'seconds':>9}")

    def row(name: str, error: Tensor, parameters: int = 0, seconds: float = 0.0) -> float:
        median, mean, far = degrees(error)
        print(f"{name:28}{parameters:12,}{median:8.1f}°{mean:8.1f}°{far:7.1f}%{seconds:9.0f}", flush=True)
        return median

    head = PoseHead("I")
    row("nearest of 60 (truth known)", pose_error(tested[1], head.elements[head.labels(tested[1]).argmax(-1)]))
    medians: dict[str, list[float]] = {name: [] for name in args.nets}
    for seed in args.seeds:
        views = draw_views(args.views, seed)
        row(f"seed {seed}: constant", constant(views[1], tested[1]))
        for name in args.nets:
            torch.manual_seed(seed)
            net = st.create_model(NETS[name], num_classes=len(SHAPES))
            start = time.perf_counter()
            train(net, views, args.steps, args.batch, args.lr, math.radians(args.width))
            seconds = time.perf_counter() - start
            with torch.no_grad():
                found = torch.cat([net.pose(x, k) for x, k in zip(tested[0].split(250), tested[2].split(250))])
            count = sum(p.numel() for p in net.parameters())
            medians[name].append(row(f"seed {seed}: {name}", pose_error(tested[1], found), count, seconds))
    for name, found in medians.items():
        print(f"{name}: median error {sum(found) / len(found):.1f} degrees, mean over {len(found)} seeds")


if __name__ == "__main__":
    main()
