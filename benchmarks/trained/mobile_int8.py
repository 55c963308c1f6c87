"""MobileNetV2 in numbers and in 8 bits on the CIFAR-10 subset: float, converted, trained with rounding.

Run: ``STEERABLE_DATA=... OMP_NUM_THREADS=1 nice -n 10 python -m benchmarks.trained.mobile_int8``; under ten minutes on
one core. Each network sees 500 images a class for a few epochs: enough to compare arithmetics, not to be good. Nothing
is tuned, and the 2,000 test images are read once. Training with rounding and the float network that trains on for as
long are compared like with like.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import steerable as st
from steerable.quant import quantize


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test images [n, 3, 33, 33] in -1 ... 1, a pixel added on two sides for the size rule, and labels."""
    source = np.load(Path(os.environ["STEERABLE_DATA"]) / "cifar10" / "cifar10_subset.npz")
    found = []
    for part in ("train", "test"):
        x = torch.from_numpy(source[f"x_{part}"].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
        found += [F.pad(x, (0, 1, 0, 1), mode="replicate"), torch.from_numpy(source[f"y_{part}"].astype(np.int64))]
    x, y, tx, ty = found
    rank = torch.zeros(len(y), dtype=torch.int64)
    for label in range(10):
        rank[y == label] = torch.arange(int((y == label).sum()))
    return x[rank < 500], y[rank < 500], tx, ty


def train(net: nn.Module, x: Tensor, y: Tensor, epochs: int, rate: float, seed: int) -> nn.Module:
    """AdamW, one cycle, mirror images."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * -(-len(x) // 64))
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(64):
            images = x[rows]
            flip = torch.rand(len(rows), generator=generator) < 0.5
            images = torch.where(flip[:, None, None, None], images.flip(-1), images)
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(net(images), y[rows]).backward()
            optimiser.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def logits(net: nn.Module, x: Tensor) -> Tensor:
    """[n, 10], by batches."""
    return torch.cat([net(b) for b in x.split(100)])


def run(seed: int, group: str, epochs: int, data: tuple[Tensor, Tensor, Tensor, Tensor]) -> dict[str, float]:
    """Percent of the test images that each form gets right, and how the logits agree."""
    x, y, tx, ty = data
    torch.manual_seed(seed)
    net = st.create_model("mobilenet_v2_small", group=group, num_classes=10)
    train(net, x, y, epochs, 4e-3, seed)
    percent = lambda out: 100 * float((out.argmax(1) == ty).float().mean())  # noqa: E731
    calibration = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:256]]
    before = logits(net, tx)
    converted = logits(quantize(net, calibration), tx)
    aware = train(quantize(net, calibration, mode="qat"), x, y, 1, 4e-4, seed).convert()
    rounded = logits(aware, tx)
    longer = logits(train(net, x, y, 1, 4e-4, seed), tx)
    pair = torch.stack([before.flatten(), converted.flatten()])
    return {
        "float": percent(before),
        "int8 converted": percent(converted),
        "float, one epoch more": percent(longer),
        "int8 trained one epoch": percent(rounded),
        "correlation of logits": float(torch.corrcoef(pair)[0, 1]),
    }


def main() -> None:
    """Print a line for every seed and the means with their standard errors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--group", default="D4")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    data, rows = load(), []
    for seed in options.seeds:
        start = time.process_time()
        rows.append(run(seed, options.group, options.epochs, data))
        words = ", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items())
        print(f"seed {seed}: {words} ({time.process_time() - start:.0f} s of processor time)", flush=True)
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        print(
            f"{key:24} {values.mean():.4g} +- {values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0:.2g}"
        )


if __name__ == "__main__":
    main()
