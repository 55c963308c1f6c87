"""Digits under projective maps: equivariant transformers, a regressed pose, no transformer.

Run: ``STEERABLE_DATA=DIR python -m benchmarks.trained.projective_digits [--images 2000] [--seeds 0 1 2]``; about three
minutes a network and seed on one core.

Digits of MNIST on 64 x 64 pixels, each moved once by shear times hyperbolic rotation times the two perspectives times
rotation and scale: shear up to 1, aspect 1/1.5 to 1.5, the perspectives add to at most 0.6, any angle, scale 0.75 to
1.5. Every network is trained alike: Adam, one cycle of the learning rate, no augmentation; the test
digits are others, and nothing was chosen on them.
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
from steerable.domains import Warp
from steerable.nn.warp_image import sample_pixels

SIDE = 64


def digits(first: int, count: int, part: str) -> tuple[Tensor, Tensor]:
    """Images ``[count, 1, 64, 64]`` in [0, 1] with the digit in the middle, and labels."""
    with np.load(Path(os.environ["STEERABLE_DATA"]) / "mnist" / "mnist.npz") as z:
        x = torch.from_numpy(z[f"x_{part}"][first : first + count]).float() / 255
        y = torch.from_numpy(z[f"y_{part}"][first : first + count]).long()
    pad = (SIDE - 28) // 2
    return nn.functional.pad(x, (pad, pad, pad, pad))[:, None], y


def projective(count: int, generator: torch.Generator) -> Tensor:
    """Random projective maps ``[count, 3, 3]``."""

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator)

    share, total = torch.rand(count, 1, generator=generator), draw(0, 0.6)
    signs = torch.randint(0, 2, (2, count, 1), generator=generator) * 2 - 1
    pose = torch.cat((draw(math.log(0.75), math.log(1.5)), draw(-math.pi, math.pi)), -1)
    steps = (
        Warp.shear_x().matrix(draw(-1, 1)),
        Warp.hyperbolic_rotation().matrix(draw(-0.5 * math.log(1.5), 0.5 * math.log(1.5))),
        Warp.perspective_x().matrix(signs[0] * share * total),
        Warp.perspective_y().matrix(signs[1] * (1 - share) * total),
        Warp.rotation_scale().matrix(pose),
    )
    matrix = steps[0]
    for step in steps[1:]:
        matrix = matrix @ step
    return matrix


def moved(x: Tensor, seed: int) -> Tensor:
    """Every image under a map of its own."""
    return sample_pixels(x, torch.linalg.inv(projective(len(x), torch.Generator().manual_seed(seed))))


def train(model: nn.Module, x: Tensor, y: Tensor, epochs: int, seed: int, lr: float = 4e-3, batch: int = 64) -> None:
    """One cycle of Adam."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr, weight_decay=1e-4)
    total = epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=total)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for rows in order[: len(x) // batch * batch].view(-1, batch):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()


@torch.no_grad()
def error(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of wrong answers in percent."""
    answers = torch.cat([model(part).argmax(1) for part in x.split(250)])
    return 100 * (answers != y).float().mean().item()


NETS = {
    "equivariant": ("etn_projective", {}),
    "regressed pose": ("etn_projective_direct", {}),
    "log-polar only": ("warped_cnn", {"rings": 1}),
    "plain": ("etn_projective_plain", {}),
}


def main() -> None:
    """Print a line for every network and seed, then means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    x, y = digits(0, args.images, "train")
    tx, ty = digits(2500, 2500, "test")
    x, tx = moved(x, 1), moved(tx, 2)
    for net in args.nets:
        name, options = NETS[net]
        found = []
        for seed in args.seeds:
            torch.manual_seed(seed)
            model = st.create_model(name, in_channels=1, num_classes=10, **options)
            start = time.perf_counter()
            train(model, x, y, args.epochs, seed)
            found.append(error(model, tx, ty))
            size = sum(p.numel() for p in model.parameters())
            seconds = time.perf_counter() - start
            print(f"{net}: seed {seed}, {size:,} parameters, error {found[-1]:.1f} %, {seconds:.0f} s", flush=True)
        mean, spread = float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
        print(f"{net}: {args.images} digits, error {mean:.1f} +- {spread:.1f} %", flush=True)


if __name__ == "__main__":
    main()
