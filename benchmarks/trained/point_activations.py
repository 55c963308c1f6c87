"""Which nonlinearity for functions on SO(3)? Shapes that stand upright in training and are turned any way in the test.

Run: ``python -m benchmarks.trained.point_activations [--seeds 0 1 2] [--networks NAME ...] [--epochs 12]``; some
minutes of one core for a network and a seed.

Eleven shapes (two are mirror images), 64 points each, never turned in training. Two point convolutions between fields
of functions on SO(3) up to band 2 (35 numbers each), a nonlinearity after each, lengths of the irreps at the end. The
nonlinearities: of lengths, gates, pointwise on samples (a fixed grid, or one that moves with the data) of 1, 2 and 4
times as many samples as numbers, and a network across the channels at each sample. "moved": what a rotation changes in
the logits, over their size. Validation chooses the epoch, the test part is read once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

import steerable as st
import steerable.nn as snn
from steerable.data.rotations import random_rotations
from steerable.fields import FieldType
from steerable.models.points import pooled
from steerable.tasks.shapes import SHAPES, shapes

SO3, POINTS, BAND = st.SO3(), 64, 2
SIZE = 35  # numbers of a function of that band
#: fields of the hidden layers, and the nonlinearity
NETWORKS: dict[str, tuple[int, Callable[[FieldType], nn.Module]]] = {
    "norm": (3, snn.NormAct),
    "gate": (3, snn.Gate),
    "samples, fixed, 35": (3, lambda t: snn.FourierAct(t, samples=SIZE)),
    "samples, fixed, 70": (3, lambda t: snn.FourierAct(t, samples=2 * SIZE)),
    "samples, fixed, 140": (3, lambda t: snn.FourierAct(t, samples=4 * SIZE)),
    "samples, adaptive, 35": (3, lambda t: snn.FourierAct(t, samples=SIZE, grid="adaptive")),
    "samples, adaptive, 70": (3, lambda t: snn.FourierAct(t, samples=2 * SIZE, grid="adaptive")),
    "samples, adaptive, 140": (3, lambda t: snn.FourierAct(t, samples=4 * SIZE, grid="adaptive")),
    "across channels, 70": (3, lambda t: snn.SampledMLP(t, samples=2 * SIZE)),
    "across channels, 70, turning grid": (3, lambda t: snn.SampledMLP(t, samples=2 * SIZE, turn=True)),
}


class Net(nn.Module):
    """Point convolutions, batch norms, a nonlinearity each, invariants, a dense head.

    Args:
        fields: functions on SO(3) of a hidden layer.
        act: makes the nonlinearity of a type.
        cutoff: radius of the neighbourhoods.
    """

    def __init__(self, fields: int, act: Callable[[FieldType], nn.Module], cutoff: float = 1.0) -> None:
        super().__init__()
        self.cutoff = cutoff
        wide, current = fields * SO3.spectral_regular(BAND), 1 * SO3.trivial
        self.convs, self.norms, self.acts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for _ in range(2):
            after = act(wide)
            before = after.in_type
            self.convs.append(snn.PointConv(current, before, cutoff=cutoff, kernel_size=5, neighbours=20.0))
            self.norms.append(snn.BatchNorm(before))
            self.acts.append(after)
            current = after.out_type
        self.lengths = snn.NormPool(current)
        self.head = nn.Sequential(nn.Linear(self.lengths.out_type.size, 32), nn.SiLU(), nn.Linear(32, len(SHAPES)))

    def forward(self, positions: Tensor) -> Tensor:
        """Clouds ``[B, points, 3]`` to logits."""
        count, n, _ = positions.shape
        points = st.Points(positions.flatten(0, 1), torch.arange(count).repeat_interleave(n))
        g = points.neighbours(self.cutoff)
        x = positions.new_ones(count * n, 1)
        for conv, norm, act in zip(self.convs, self.norms, self.acts, strict=True):
            x = act(norm(conv(x, g)))
        return self.head(pooled(self.lengths(x), points, "mean"))


def clouds(part: object) -> tuple[Tensor, Tensor]:
    """Positions and classes."""
    return part.x.positions.view(-1, POINTS, 3), part.y  # type: ignore[attr-defined]


@torch.no_grad()
def logits(net: nn.Module, x: Tensor) -> Tensor:
    """Of clouds, in parts."""
    net.eval()
    found = torch.cat([net(part) for part in x.split(40)])
    net.train()
    return found


def run(name: str, seed: int, epochs: int) -> tuple[list[float], int, float]:
    """Train one network: accuracy on turned shapes and on shapes as in training, what a turn moves; size; seconds."""
    data = shapes(points=POINTS, train_pose="none", pose="none", seed=seed)
    (x, y), (vx, vy), (tx, ty) = (clouds(p) for p in (data.train, data.val, data.test))
    g = torch.Generator().manual_seed(seed)
    turned = tx @ random_rotations(len(tx), 3, g).mT.float()
    torch.manual_seed(seed)
    net, began = Net(*NETWORKS[name]), time.process_time()
    steps = epochs * -(-len(x) // 20)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    best, kept = -1.0, net.state_dict()
    for _ in track(range(epochs), f"{name}, seed {seed}", console=Console(stderr=True), transient=True):
        for rows in torch.randperm(len(x), generator=g).split(20):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        right = float((logits(net, vx).argmax(1) == vy).double().mean())
        if right > best:
            best, kept = right, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    spent = time.process_time() - began
    there, here = logits(net, turned), logits(net, tx)
    moved = float((there - here).norm() / here.norm())
    found = [float((a.argmax(1) == ty).double().mean()) for a in (there, here)]
    return [*found, moved], sum(p.numel() for p in net.parameters()), spent


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()
    print("| nonlinearity | parameters | turned | as in training | moved | s |\n|---|---|---|---|---|---|")
    for name in args.networks:
        rows = [run(name, s, args.epochs) for s in args.seeds]
        table = torch.tensor([r[0] for r in rows])
        mean, deviation = table.mean(0), table.std(0) if len(rows) > 1 else table[0] * 0
        cells = [
            f"{100 * m:.1f} +- {100 * d:.1f} %" for m, d in zip(mean[:2].tolist(), deviation.tolist(), strict=False)
        ]
        moved, spent = float(mean[2]), sum(r[2] for r in rows) / len(rows)
        print(f"| {name} | {rows[0][1]:,} | {cells[0]} | {cells[1]} | {moved:.0e} | {spent:.0f} |", flush=True)
    print(f"| constant | | {100 / len(SHAPES):.1f} % | {100 / len(SHAPES):.1f} % | 0 | |")


if __name__ == "__main__":
    main()
