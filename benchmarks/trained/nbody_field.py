"""Charges in a uniform field: kernels that know which rotations are left, and what is known of a pair.

Run: ``python -m benchmarks.trained.nbody_field [--seeds 0 1 2] [--networks NAME ...] [--train 1000] [--epochs 40]``;
about three minutes of one core for a network and a seed.

Five charges, a field along the third axis (`steerable.tasks.particles`), positions at frame 30 and velocities there to
positions at frame 40, a unit of time later; with ``--start 0`` from the draw itself, where no velocity betrays the
field yet. Rotations and mirrors about the axis are what the field leaves: O2 in
space. Implicit kernels (networks of the offset, and of the product of the charges where said) for O2, for O3, which is
too much, and for no symmetry at all with augmentation by O2. Mean square error of a coordinate, as published; "median":
the median over systems (close encounters make a heavy tail). Validation chooses the epoch and, with seed
0, the rate among ``--rates``; the test part is read once.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

import steerable as st
import steerable.nn as snn
from steerable.domains import Neighbourhood
from steerable.fields import FieldType
from steerable.groups import Group
from steerable.tasks.particles import simulate

FIELD, BODIES = (0.0, 0.0, 0.5), 5
#: group, whether the kernel sees the product of the charges, width, whether it is shown turned systems
NETWORKS: dict[str, tuple[str, bool, int, bool]] = {
    "O2, charges": ("O2", True, 8, False),
    "O2": ("O2", False, 8, False),
    "O3, charges": ("O3", True, 12, False),
    "O3": ("O3", False, 12, False),
    "plain, charges, turned": ("C1", True, 7, True),
    "plain, turned": ("C1", False, 7, True),
}
Part = dict[str, Tensor]


def group_of(name: str) -> tuple[Group, FieldType, list[int]]:
    """A group, its vectors of space, and which coordinate each of their channels is."""
    if name == "O3":
        group = st.O3()
        return group, group.type("1x1o"), [1, 2, 0]
    group = {"O2": st.O2(), "C1": st.C(1)}[name]
    if name == "C1":
        return group, 3 * group.trivial, [0, 1, 2]
    plane = next(r for r in group.irreps(1) if r.size == 2)
    return group, plane + group.trivial, [0, 1, 2]


class Mover(nn.Module):
    """Velocities, speeds and charges through convolutions with implicit kernels to where the bodies go.

    Args:
        name: of the group.
        charges: whether the kernels see the product of two charges.
        width: fields of each kind in the hidden layers.
        layers: convolutions.
    """

    def __init__(self, name: str, charges: bool, width: int, layers: int = 3) -> None:
        super().__init__()
        group, self.vector, self.order = group_of(name)
        current, wide = self.vector + 2 * group.trivial, width * self.vector + 2 * width * group.trivial
        self.charges = charges
        self.convs, self.own, self.acts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for _ in range(layers):
            act = snn.Gate(wide)
            self.convs.append(
                snn.ImplicitPointConv(
                    current, act.in_type, 8.0, attributes=1 * group.trivial if charges else None, smooth=False,
                    neighbours=BODIES - 1, dimension=3, shells=5, degree=2, channels=32,
                )
            )  # fmt: skip
            self.own.append(snn.Linear(current, act.in_type, bias=False))
            self.acts.append(act)
            current = wide
        self.last = snn.Linear(current, self.vector)
        self.far = nn.Parameter(torch.tensor(0.7))
        with torch.no_grad():  # the first answer is straight on
            self.last.weight.mul_(0.01)

    def forward(self, x: Tensor, v: Tensor, q: Tensor) -> Tensor:
        """Positions, velocities ``[B, n, 3]`` and charges ``[B, n]`` to later positions."""
        count, n = q.shape
        g = everyone(x, q if self.charges else None)
        scalars = torch.stack([v.norm(dim=-1), q], -1).flatten(0, 1)
        h = torch.cat([v.flatten(0, 1)[:, self.order], scalars], 1)
        for k, (conv, own, act) in enumerate(zip(self.convs, self.own, self.acts, strict=True)):
            y = act(conv(h, g) + own(h))
            h = h + y if k else y
        back = [self.order.index(i) for i in range(3)]
        return x + self.far * v + self.last(h)[:, back].view(count, n, 3)


def everyone(x: Tensor, q: Tensor | None) -> Neighbourhood:
    """All pairs of each system, with the products of their charges."""
    count, n, _ = x.shape
    i, j = (~torch.eye(n, dtype=torch.bool)).nonzero().T
    first = n * torch.arange(count)[:, None]
    target, source = (first + i).flatten(), (first + j).flatten()
    flat = x.flatten(0, 1)
    pairs = None if q is None else (q.flatten()[target] * q.flatten()[source])[:, None]
    return Neighbourhood(target, source, flat[source] - flat[target], count * n, count * n, attributes=pairs)


def parts(train: int, seed: int, start: int) -> list[Part]:
    """Systems to learn from, to choose by, to test on: the seed draws the first alone."""
    found = []
    for count, draw in ((train, 10 + seed), (500, 1), (1000, 2)):
        t = simulate(count=count, bodies=BODIES, frames=start + 11, field=FIELD, seed=draw)
        x, v, y = t.positions[:, start], t.velocities[:, start], t.positions[:, start + 10]
        found.append({"x": x.float(), "v": v.float(), "q": t.charges.float(), "y": y.float()})
    return found


def turned(p: Part, g: torch.Generator) -> Part:
    """Each system by its own rotation or mirror about the third axis."""
    group = st.O2()
    turns = group.action(group.sample(len(p["q"]), g), 3).to(p["x"])
    return {k: v if k == "q" else torch.einsum("bxy,bny->bnx", turns, v) for k, v in p.items()}


@torch.no_grad()
def errors(net: nn.Module, p: Part) -> Tensor:
    """Mean square error of each system."""
    net.eval()
    y = torch.cat([net(*b) for b in zip(*(p[k].split(250) for k in ("x", "v", "q")), strict=True)])
    net.train()
    return (y - p["y"]).square().mean((1, 2))


class Trained(NamedTuple):
    """Error on validation; error, median and error on turned systems of the test; parameters; seconds."""

    validation: float
    figures: list[float]
    parameters: int
    seconds: float


def run(name: str, seed: int, data: list[Part], epochs: int, rate: float) -> Trained:
    """Train one network."""
    group, charges, width, augment = NETWORKS[name]
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    net = Mover(group, charges, width)
    train, began = data[0], time.process_time()
    steps = epochs * math.ceil(len(train["q"]) / 50)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    best, kept = math.inf, net.state_dict()
    for _ in track(range(epochs), f"{name}, {rate:g}, seed {seed}", console=Console(stderr=True), transient=True):
        for rows in torch.randperm(len(train["q"]), generator=g).split(50):
            p = {k: v[rows] for k, v in train.items()}
            p = turned(p, g) if augment else p
            loss = (net(p["x"], p["v"], p["q"]) - p["y"]).square().mean((1, 2))
            optimiser.zero_grad()
            (loss / (1 + loss.detach())).mean().backward()  # a close encounter is not to steer all the rest
            optimiser.step()
            schedule.step()
        error = float(errors(net, data[1]).mean())
        if error < best:
            best, kept = error, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    spent, found = time.process_time() - began, errors(net, data[2])
    other = errors(net, turned(data[2], g))
    count = sum(p.numel() for p in net.parameters())
    return Trained(best, [float(found.mean()), float(found.median()), float(other.mean())], count, spent)


def floors(data: list[Part]) -> dict[str, list[float]]:
    """Straight on by the best time; with the field's push, too; not moving."""
    train, test = data[0], data[2]

    def best(*columns: str) -> list[float]:
        def seen(p: Part) -> Tensor:
            push = p["q"][..., None] * torch.tensor(FIELD)
            return torch.stack([{"v": p["v"], "push": push}[c].flatten() for c in columns], 1)

        weights = torch.linalg.lstsq(seen(train), (train["y"] - train["x"]).flatten()[:, None]).solution
        answer = test["x"] + (seen(test) @ weights).view_as(test["x"])
        error = (answer - test["y"]).square().mean((1, 2))
        return [float(error.mean()), float(error.median()), float(error.mean())]

    stays = (test["x"] - test["y"]).square().mean((1, 2))
    still = [float(stays.mean()), float(stays.median()), float(stays.mean())]
    return {"linear in velocity and field": best("v", "push"), "linear in velocity": best("v"), "not moving": still}


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rates", type=float, nargs="+", default=[3e-3])
    parser.add_argument("--start", type=int, default=30, help="the frame from which is predicted")
    args = parser.parse_args()
    data = {s: parts(args.train, s, args.start) for s in args.seeds}
    print(
        "| network | parameters | rate | MSE | median | MSE, turned about the axis | s |\n|---|---|---|---|---|---|---|"
    )
    for name in args.networks:
        tried = {r: run(name, args.seeds[0], data[args.seeds[0]], args.epochs, r) for r in args.rates}
        rate = min(tried, key=lambda r: tried[r].validation)
        found = [tried[rate], *(run(name, s, data[s], args.epochs, rate) for s in args.seeds[1:])]
        row = " | ".join(spread([f.figures[k] for f in found]) for k in range(3))
        print(f"| {name} | {found[0].parameters:,} | {rate:g} | {row} | {found[0].seconds:.0f} |", flush=True)
    lines = [floors(data[s]) for s in args.seeds]
    for name in lines[0]:
        print(f"| {name} | | | {' | '.join(spread([f[name][k] for f in lines]) for k in range(3))} | |")


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    table = torch.tensor(values)
    return f"{table.mean():.4f} +- {table.std() if len(values) > 1 else 0:.4f}"


if __name__ == "__main__":
    main()
