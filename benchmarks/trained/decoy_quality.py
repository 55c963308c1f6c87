"""Scores of residues in models of small folds: local frames, distance along the chain, and what each is worth.

Run: ``python -m benchmarks.trained.decoy_quality [--seeds 0 1 2] [--networks NAME ...] [--models 600] [--steps 600]``;
one to three minutes of one core for a network and a seed.

Helices, hairpins and pairs of helices with wrong torsions and shaken atoms (`steerable.tasks.proteins.decoys`), 200
others to validate and 400 to test. The answer is the lDDT of each residue, beside the mean of the model. Figures: rank
correlation (Spearman) over all residues and over models, root mean square error; "turned": the test models, each turned
by its own rotation. Validation chooses the evaluation (every 50 steps); the test part is read once. All see the fold
and the place in the chain. The floor is ridge regression on statistics of the distances of a residue.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from steerable.data.rotations import random_rotations
from steerable.models.sgcn import SGCN
from steerable.tasks.proteins import decoys
from steerable.tasks.proteins.decoys import KINDS, Decoys

RESIDUES, CUTOFF = 24, 15.0
CHAIN = (1, 2, 4)


class Unframed(SGCN):
    """The plain twin: the same network, whose directions are those of the laboratory; show it rotations."""

    def graph(self, positions: Tensor, batch: Tensor | None) -> Any:
        """As of :class:`SGCN`, in no frame."""
        points, g = super().graph(positions, batch)
        at = positions[:, 1]
        return points, replace(g, offset=at[g.source] - at[g.target])


#: class, options, whether it is shown rotations
NETWORKS: dict[str, tuple[type[SGCN], dict[str, Any], bool]] = {
    "directions": (SGCN, {"lmax": 3}, False),
    "no directions": (SGCN, {"lmax": 0}, False),
    "no directions, wide": (SGCN, {"lmax": 0, "widths": (58, 58)}, False),  # parameters of the first
    "directions, chain": (SGCN, {"lmax": 2, "separations": CHAIN}, False),
    "no directions, chain": (SGCN, {"lmax": 0, "separations": CHAIN}, False),
    "directions alone": (SGCN, {"lmax": 3, "shells": 0}, False),
    "nothing": (SGCN, {"lmax": 0, "shells": 0}, False),
    "plain, turned": (Unframed, {"lmax": 3}, True),
    "plain, chain, turned": (Unframed, {"lmax": 2, "separations": CHAIN}, True),
}


def ranks(a: Tensor, b: Tensor) -> float:
    """Spearman's correlation."""
    return float(torch.corrcoef(torch.stack([v.flatten().argsort().argsort().double() for v in (a, b)]))[0, 1])


def known(d: Decoys) -> Tensor:
    """What is known of a residue but its place in space: the fold and the place in the chain, ``[R, 5]``."""
    place = ((torch.arange(len(d.batch)) % RESIDUES + 0.5) / RESIDUES)[:, None]
    fold = nn.functional.one_hot(d.kind[d.batch], len(KINDS)).float()
    return torch.cat([fold, place, (place - 0.5).abs()], 1)


def turned(d: Decoys, generator: torch.Generator) -> Decoys:
    """Each model by its own rotation."""
    turns = random_rotations(len(d.mean), 3, generator)[d.batch]
    return d._replace(atoms=torch.einsum("rxy,ray->rax", turns, d.atoms))


def part(d: Decoys, chosen: Tensor) -> Decoys:
    """Some of the models, renumbered."""
    rows = (chosen[:, None] * RESIDUES + torch.arange(RESIDUES)).flatten()
    batch = torch.arange(len(chosen)).repeat_interleave(RESIDUES)
    return Decoys(d.atoms[rows], batch, d.residues[rows], d.mean[chosen], d.kind[chosen])


def scores(residues: Tensor, d: Decoys) -> tuple[float, float, float]:
    """Rank correlation of residues and of models, and the error of residues."""
    of_models = ranks(residues.view(-1, RESIDUES).mean(1), d.mean)
    return ranks(residues, d.residues), of_models, float((residues - d.residues).square().mean().sqrt())


def floor(train: Decoys, test: Decoys) -> Tensor:
    """Ridge regression on means and deviations of a residue's distances to those up to 8 before and behind, by fold."""

    def seen(d: Decoys) -> Tensor:
        at = d.atoms[:, 1].view(-1, RESIDUES, 3)
        table = (at[:, :, None] - at[:, None]).norm(dim=-1)
        columns = []
        for k in range(1, 9):
            for way in (k, -k):
                there = (torch.arange(RESIDUES) + way).clamp(0, RESIDUES - 1)
                columns.append(table[:, torch.arange(RESIDUES), there].flatten())
        x = torch.stack(columns, 1)
        x = torch.cat([torch.ones(len(x), 1), x, x.square() / 10, table.mean(2).flatten()[:, None]], 1)
        return (x[:, :, None] * nn.functional.one_hot(d.kind[d.batch], len(KINDS))[:, None, :]).flatten(1).double()

    x = seen(train)
    matrix = x.mT @ x + 1e-6 * x.square().sum(0).mean() * torch.eye(x.shape[1], dtype=x.dtype)
    return seen(test) @ torch.linalg.solve(matrix, x.mT @ train.residues)


@torch.no_grad()
def ask(net: SGCN, d: Decoys, centre: float) -> Tensor:
    """Scores of all residues."""
    net.eval()
    found = torch.cat(
        [net.heads(known(p), p.atoms.float(), p.batch)[0] for p in (part(d, c) for c in chunks(len(d.mean)))]
    )
    net.train()
    return found[:, 0].double() + centre


def chunks(count: int) -> tuple[Tensor, ...]:
    """Numbers of models, 50 at a time."""
    return torch.arange(count).split(50)


def run(name: str, seed: int, models: int, steps: int, test: int) -> tuple[list[float], int, float]:
    """Train one network; the scores on the test part, turned scores, what a turn moves, parameters, seconds."""
    kind, options, augment = NETWORKS[name]
    data = [decoys(n, RESIDUES, seed=100 * seed + k) for k, n in enumerate((models, 200, test))]
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = kind(len(KINDS) + 2, 1, CUTOFF, **{"widths": (16, 16), "hidden": 32, "neighbours": 20.0, **options})
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    centre, began, best, kept = float(data[0].residues.mean()), time.process_time(), float("inf"), net.state_dict()
    for step in track(range(steps), f"{name}, seed {seed}", console=Console(stderr=True), transient=True):
        if step % (models // 60) == 0:
            order = torch.randperm(models, generator=generator)
        d = part(data[0], order[step % (models // 60) * 60 :][:60])
        d = turned(d, generator) if augment else d
        residues, mean = net.heads(known(d), d.atoms.float(), d.batch)
        wrong = residues[:, 0] + centre - d.residues.float(), mean[:, 0] + centre - d.mean.float()
        loss = wrong[0].square().mean() + wrong[1].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 49:
            error = scores(ask(net, data[1], centre), data[1])[2]
            if error < best:
                best, kept = error, {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(kept)
    spent = time.process_time() - began
    answer, moved = (ask(net, d, centre) for d in (data[2], turned(data[2], generator)))
    change = float((answer - moved).square().mean().sqrt())
    figures = [*scores(answer, data[2]), scores(moved, data[2])[0], change]
    return figures, sum(p.numel() for p in net.parameters()), spent


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--models", type=int, default=600, help="to learn from, a multiple of 60")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--test", type=int, default=400)
    args = parser.parse_args()
    print("| network | parameters | residues, Spearman | models | RMSE | residues, turned | moved | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in args.networks:
        found = [run(name, s, args.models, args.steps, args.test) for s in args.seeds]
        print(f"| {name} | {found[0][1]:,} | {spread([f[0] for f in found])} | {found[0][2]:.0f} |", flush=True)
    floors, constants = [], []
    for s in args.seeds:
        train, test = decoys(args.models, RESIDUES, seed=100 * s), decoys(args.test, RESIDUES, seed=100 * s + 2)
        answer = floor(train, test)
        floors.append([*scores(answer, test), ranks(answer, test.residues), 0.0])
        constants.append(float((test.residues - train.residues.mean()).square().mean().sqrt()))
    print(f"| ridge regression on distances | | {spread(floors)} | |")
    print(f"| constant | | - | - | {sum(constants) / len(constants):.3f} | - | 0 | |")


def spread(rows: list[list[float]]) -> str:
    """Mean and standard deviation of each column over seeds."""
    table = torch.tensor(rows)
    deviation = table.std(0) if len(rows) > 1 else torch.zeros(table.shape[1])
    return " | ".join(f"{m:.3f} +- {d:.3f}" for m, d in zip(table.mean(0).tolist(), deviation.tolist(), strict=True))


if __name__ == "__main__":
    main()
