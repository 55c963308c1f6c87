"""Energies of QM7 from the potential around each atom: needlet networks, their plain twin, and linear fits.

Run: ``python -m benchmarks.trained.qm7_needlets [--seeds 0 1 2] [--networks ...]``; a few minutes of one core for each
seed. Reads STEERABLE_DATA/molecules/qm7.npz.

Around each atom lies a sphere with five maps, the Coulomb potential of all other atoms of an element, by its harmonics.
A network on each sphere, a sum over the atoms. The linear floor knows the elements and, for each pair of elements, the
mean and power of every degree of the maps; networks learn what an energy of each element leaves (``--floor linear``:
what the linear floor leaves). Fold 0 is the test part; validation (half of fold 1) chooses strength of the ridge and
epoch, the test part is read once. "turned": each test molecule turned at random. Root mean square errors in kcal/mol.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from steerable.data import Clouds
from steerable.data.rotations import random_rotations
from steerable.models.needlet_sets import NeedletSets, PlainSets
from steerable.tasks.molecules import element_baseline, potential_maps, qm7

#: class, its arguments, rate, share of the epochs, whether it is shown turned molecules
NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any], float, float, bool]] = {
    "needlets on the sphere": (NeedletSets, {"on": "sphere", "oversample": 1.5}, 5e-3, 1.0, False),
    "plain": (PlainSets, {"on": "sphere"}, 5e-3, 1.0, False),
    "plain, turned": (PlainSets, {"on": "sphere"}, 5e-3, 1.0, True),
}


def at_random(molecules: Clouds, seed: int) -> Clouds:
    """Every molecule turned by its own rotation about its centre."""
    g = random_rotations(len(molecules), 3, torch.Generator().manual_seed(seed)).float()
    return molecules.at(torch.einsum("nij,nj->ni", g[molecules.batch], molecules.positions))


class Maps:
    """Maps of all atoms, shifted in degree 0 and scaled in every degree: by the training part, for each element at the
    centre and each element of the map. A turn changes none of these numbers.
    """

    def __init__(self, args: argparse.Namespace, charges: Tensor, train: Clouds) -> None:
        self.args, self.charges = args, charges
        c, kind = self._raw(train), train.features.argmax(1)
        self.degree = torch.arange(args.band).repeat_interleave(2 * torch.arange(args.band) + 1)
        size = 2 * torch.arange(args.band) + 1
        shift, scale = [], []
        for k in range(train.channels):
            own = c[kind == k]
            mean = torch.zeros(own.shape[1:])
            mean[:, 0] = own[:, :, 0].sum(0) / max(len(own), 1)
            power = torch.zeros(own.shape[1], args.band).index_add(
                1, self.degree, (own - mean).square().sum(0) / max(len(own), 1)
            )
            power = power / size
            shift.append(mean)
            scale.append(power.sqrt().clamp_min(1e-6)[:, self.degree])
        self.shift, self.scale = torch.stack(shift), torch.stack(scale)

    def _raw(self, molecules: Clouds) -> Tensor:
        c = potential_maps(molecules, self.args.band, self.args.radius, self.charges)
        return c.unflatten(1, (-1, self.args.band**2))

    def __call__(self, molecules: Clouds) -> Tensor:
        """``[atoms, elements * L^2]``, of unit variance."""
        kind = molecules.features.argmax(1)
        return ((self._raw(molecules) - self.shift[kind]) / self.scale[kind]).flatten(1)


def invariants(maps: Tensor, molecules: Clouds, band: int) -> Tensor:
    """What the linear floor knows of molecules ``[N, F]``."""
    c = maps.unflatten(1, (-1, band * band))
    l = torch.arange(band).repeat_interleave(2 * torch.arange(band) + 1)
    power = torch.zeros(*c.shape[:2], band).index_add(2, l, c.square())
    power = torch.cat([c[:, :, :1], power], 2).flatten(1)
    by_centre = (molecules.features[:, :, None] * power[:, None]).flatten(1)
    sums = torch.zeros(len(molecules), by_centre.shape[1]).index_add(0, molecules.batch, by_centre)
    return torch.cat([molecules.totals().float(), sums], 1).double()


def ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Weights of standardised features."""
    return torch.linalg.solve(x.T @ x / len(x) + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y / len(x))


def rmse(found: Tensor, y: Tensor) -> float:
    """Root mean square error."""
    return float((found - y).double().square().mean().sqrt())


def ask(net: nn.Module, maps: Tensor, molecules: Clouds, index: Tensor) -> Tensor:
    """Answers for some molecules ``[len(index)]``."""
    counts = molecules.counts()[index]
    batch = torch.arange(len(index)).repeat_interleave(counts)
    rows = molecules.ptr[index].repeat_interleave(counts)
    rows = rows + torch.arange(len(rows)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return net(maps[rows], molecules.features[rows], batch, len(index))[:, 0]


@torch.no_grad()
def ask_all(net: nn.Module, maps: Tensor, molecules: Clouds) -> Tensor:
    """Answers for all."""
    net.eval()
    return torch.cat([ask(net, maps, molecules, i) for i in torch.arange(len(molecules)).split(64)])


def train(name: str, args: argparse.Namespace, seed: int, parts: dict[str, tuple[Clouds, Tensor]], maps: Maps) -> dict:
    """Train one network and score it where validation was best."""
    kind, options, rate, share, augment = NETWORKS[name]
    epochs = max(1, round(args.epochs * share))
    (x, y), (vx, vy) = parts["train"], parts["val"]
    views = [maps(at_random(x, 1000 * seed + k) if augment else x) for k in range(min(epochs, 6) if augment else 1)]
    scale, held = y.std(), maps(vx)
    torch.manual_seed(seed)
    net = kind(5, 1, args.band, 5, width=args.width, **options)
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-4)
    batches = -(-len(x) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches)
    best, kept, start = math.inf, {}, time.process_time()
    for epoch in track(range(epochs), f"{name}, seed {seed}", console=Console(stderr=True)):
        net.train()
        for some in torch.randperm(len(x)).split(args.batch):
            loss = (ask(net, views[epoch % len(views)], x, some) - y[some] / scale).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        reached = rmse(scale * ask_all(net, held, vx), vy)
        if reached < best:
            best, kept = reached, {k: v.clone() for k, v in net.state_dict().items()}
    seconds = time.process_time() - start
    net.load_state_dict(kept)
    answers = {k: scale * ask_all(net, maps(parts[k][0]), parts[k][0]) for k in ("test", "turned")}
    scores = {k: rmse(v, parts[k][1]) for k, v in answers.items()}
    moved = rmse(answers["test"], answers["turned"])
    mae = float((answers["test"] - parts["test"][1]).abs().mean())
    count = sum(p.numel() for p in net.parameters())
    return {"validation": best, **scores, "mae": mae, "moved": moved, "seconds": seconds, "parameters": count}


def linear_floor(parts: dict[str, tuple[Clouds, Tensor]], maps: Maps, band: int) -> dict[str, Tensor]:
    """Answers of a ridge on the invariants, its strength chosen on validation."""
    x = {k: invariants(maps(c), c, band) for k, (c, _) in parts.items()}
    mean, spread = x["train"].mean(0), x["train"].std(0).clamp_min(1e-9)
    x = {k: torch.cat([(v - mean) / spread, torch.ones(len(v), 1)], 1) for k, v in x.items()}
    tried = {s: ridge(x["train"], parts["train"][1].double(), s) for s in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)}
    best = min(tried.values(), key=lambda w: rmse(x["val"] @ w, parts["val"][1]))
    return {k: (v @ best).float() for k, v in x.items()}


def main() -> None:
    """Print the floors, a line for each network and seed, and their means."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    p.add_argument("--band", type=int, default=6)
    p.add_argument("--radius", type=float, default=0.45)
    p.add_argument("--floor", choices=["linear", "elements"], default="elements")
    p.add_argument("--width", type=int, default=12)
    p.add_argument("--images", type=int, default=None, help="use only so many training molecules")
    p.add_argument("--epochs", type=int, default=4)
    p.add_argument("--batch", type=int, default=16)
    args = p.parse_args()
    torch.set_num_threads(1)
    splits = qm7(images=args.images)
    base = torch.tensor(element_baseline(splits.train), dtype=torch.float64)
    whole = {k: getattr(splits, k).y for k in ("train", "val", "test")}
    parts = {k: (d.x, (d.y - d.x.totals() @ base).float()) for k in whole for d in [getattr(splits, k)]}
    parts["turned"] = at_random(parts["test"][0], 7), parts["test"][1]
    charges = torch.tensor(splits.settings["elements"], dtype=torch.float32)
    maps = Maps(args, charges, parts["train"][0])
    found = linear_floor(parts, maps, args.band)
    test = parts["test"][1]
    print(f"constant {rmse(whole['train'].mean(), whole['test']):.2f}, elements {rmse(0 * test, test):.2f}, linear in "
          f"invariants {rmse(found['test'], test):.2f} kcal/mol", flush=True)  # fmt: skip
    if args.floor == "linear":
        parts = {k: (c, y - found[k]) for k, (c, y) in parts.items()}
    rows: dict[str, list[dict[str, float]]] = {n: [] for n in args.networks}
    for seed in args.seeds:
        for name in args.networks:
            rows[name].append(train(name, args, seed, parts, maps))
            print(f"{name}, seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in rows[name][-1].items()), flush=True)
    print("| | parameters | RMSE, test | RMSE, turned | MAE, test | moved | s a seed |\n|---|---|---|---|---|---|---|")
    for name, found in rows.items():
        cells = []
        for key in ("test", "turned", "mae", "moved"):
            v = torch.tensor([r[key] for r in found], dtype=torch.float64)
            cells.append(f"{v.mean():.3g} +- {v.std(correction=min(1, len(v) - 1)):.2g}")
        seconds = sum(r["seconds"] for r in found) / len(found)
        print(f"| {name} | {found[0]['parameters']:,} | {' | '.join(cells)} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
