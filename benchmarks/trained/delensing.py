"""Delensing of made-up maps of the microwave background: needlet networks, their plain twin, and the Wiener filter.

Run: ``python -m benchmarks.trained.delensing [--seeds 0 1 2] [--networks ...] [--fields T] [--tracer 0.1]``; about two
minutes of one core for a seed.

Maps of temperature on Gauss rings, lensed by a potential whose gradient has a root mean square of ``--deflection``
radians, 60 times the true one, so that something happens at this resolution; white noise; and a noisy map of the
potential (``--tracer``, the noise over the power of the gradient; below 0: none, "blind"). The answer is the unlensed
map. All networks learn what the Wiener filter (one matrix a degree, fitted on the training maps) leaves. Figures: root
mean square of the error over that of the truth, by area; "turned": the test maps, each turned by its own rotation.
Validation chooses the epoch, the test part is read once.
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

import steerable as st
from steerable.domains.spectral import rotate_coefficients
from steerable.models.needlet_net import NeedletNet
from steerable.models.needlet_parts import SphericalScalars
from steerable.tasks.cmb import DelensingMaps, delensing

TWIN = {"on": "sphere", "width": 32}
#: model, its arguments, rate (5e-3 was worse on validation), share of the epochs, whether it is shown turned maps
NETWORKS: dict[str, tuple[str, dict[str, Any], float, float, bool]] = {
    "needlets on SO(3)": ("needlet_net", {"on": "group", "width": 6, "band": 12, "oversample": 1.5}, 1e-2, 0.4, False),
    "needlets on the sphere": ("needlet_net", TWIN, 1e-2, 1.0, False),
    "plain": ("needlet_net_plain", TWIN, 1e-2, 2.0, False),
    "plain, turned": ("needlet_net_plain", TWIN, 1e-2, 2.0, True),
}
Pair = tuple[Tensor, Tensor]


class Wiener:
    """The best linear filter that knows no direction: a matrix of each degree, from training maps.

    Args:
        maps: pairs to fit.
        ridge: relative to the mean power of the inputs of a degree.
    """

    def __init__(self, maps: DelensingMaps, ridge: float = 1e-6) -> None:
        self.sphere, self.band = maps.sphere, maps.sphere.band
        self.types = [st.SO2().type(t) for t in (maps.in_type, maps.out_type)]
        self.scalars = [SphericalScalars(t, self.band) for t in self.types]
        self.fields = SphericalScalars(self.types[1], self.band, back=True)
        self.analysis, self.answer = (st.nn.SHT(self.sphere, t, self.band).double() for t in self.types)
        x, y = (self._degrees(v, k) for k, v in enumerate((maps.lensed, maps.unlensed)))
        self.matrices = []
        for l in range(self.band):
            a, b = (v[:, :, l * l : (l + 1) ** 2].permute(1, 0, 2).flatten(1) for v in (x, y))
            gram = a @ a.T
            gram = gram + (ridge * gram.trace() / len(gram) + 1e-12) * torch.eye(len(gram), dtype=gram.dtype)
            self.matrices.append(b @ a.T @ gram.inverse())

    def _degrees(self, maps: Tensor, k: int) -> Tensor:
        transform = self.answer if k else self.analysis
        return self.scalars[k](transform(maps.double())).unflatten(1, (self.scalars[k].count, -1))

    def __call__(self, x: Tensor) -> Tensor:
        """Filtered maps."""
        c = self._degrees(x, 0)
        parts = [m @ c[:, :, l * l : (l + 1) ** 2] for l, m in enumerate(self.matrices)]
        return self.answer.inverse()(self.fields(torch.cat(parts, 2).flatten(1))).to(x.dtype)


def turned(pair: Pair, maps: DelensingMaps, seed: int) -> Pair:
    """Every pair of maps, turned by its own rotation, in the harmonic domain."""
    g = st.SO3().sample(len(pair[0]), torch.Generator().manual_seed(seed))
    found = []
    for x, t in zip(pair, (maps.in_type, maps.out_type), strict=True):
        analysis = st.nn.SHT(maps.sphere, t, maps.sphere.band).double()
        c = rotate_coefficients(analysis(x.double()), analysis.out_type, g)
        found.append(analysis.inverse()(c).to(x.dtype))
    return found[0], found[1]


def error(answer: Tensor, truth: Tensor, area: Tensor) -> float:
    """Root mean square by area over that of the truth."""
    return float((((answer - truth).square() * area).sum() / (truth.square() * area).sum()).sqrt())


def ask(net: nn.Module, x: Tensor, batch: int = 32) -> Tensor:
    """What a network adds to the filter."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(batch)])


def train(
    name: str, args: argparse.Namespace, seed: int, data: dict[str, Pair], maps: DelensingMaps, filter: Wiener
) -> dict[str, float]:
    """Train one network and score it where validation was best."""
    model, options, rate, share, augment = NETWORKS[name]
    x = data["train"][0]
    epochs = max(1, round(args.epochs * share))
    copies = [turned(data["train"], maps, 100 * seed + k) for k in range(min(args.copies, epochs))] if augment else []
    area = maps.sphere.weights().float()
    spread = x.square().mean((0, 2, 3), keepdim=True).sqrt()
    missed = {k: b - filter(a) for k, (a, b) in data.items()}
    scale = missed["train"].square().mean().sqrt()
    torch.manual_seed(seed)
    net = st.create_model(model, sphere=maps.sphere, in_type=maps.in_type, out_type=maps.out_type, **options)
    if isinstance(net, NeedletNet):
        nn.init.zeros_(net.linear.weight)  # the filter has done that
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-4)
    batches = -(-len(x) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches)
    best, kept, start = math.inf, {}, time.process_time()
    console = Console(stderr=True)
    for epoch in track(range(epochs), f"{name}, seed {seed}", console=console):
        net.train()
        here, there = (x, missed["train"])
        if copies:
            a, b = copies[epoch % len(copies)]
            here, there = a, b - filter(a)
        for some in torch.randperm(len(x)).split(args.batch):
            loss = ((net(here[some] / spread) - there[some] / scale).square() * area).mean() / area.mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        a, b = data["val"]
        reached = error(filter(a) + scale * ask(net, a / spread), b, area)
        if reached < best:
            best, kept = reached, {k: v.clone() for k, v in net.state_dict().items()}
    seconds = time.process_time() - start
    net.load_state_dict(kept)
    scores = {
        part: error(filter(data[part][0]) + scale * ask(net, data[part][0] / spread), data[part][1], area)
        for part in ("test", "turned")
    }
    count = sum(p.numel() for p in net.parameters())
    return {"validation": best, **scores, "seconds": seconds, "parameters": count, "epochs": epochs}


def parts(args: argparse.Namespace, seed: int) -> tuple[dict[str, Pair], DelensingMaps]:
    """Maps of all parts, and those of training."""
    options = {
        "sphere": f"gauss({args.rings})", "fields": args.fields, "noise": args.noise, "deflection": args.deflection,
        "tracer": args.tracer if args.tracer >= 0 else None,
    }  # fmt: skip
    counts = {"train": args.train, "val": args.validation, "test": args.test}
    found = {k: delensing(n, **options, seed=10 * seed + i) for i, (k, n) in enumerate(counts.items())}
    data = {k: (m.lensed, m.unlensed) for k, m in found.items()}
    data["turned"] = turned(data["test"], found["test"], seed=9)
    return data, found["train"]


def main() -> None:
    """Print the floors and a line for every network and seed, and their means."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    p.add_argument("--rings", type=int, default=16)
    p.add_argument("--fields", default="T")
    p.add_argument("--deflection", type=float, default=0.05)
    p.add_argument("--noise", type=float, default=0.02)
    p.add_argument("--tracer", type=float, default=0.1)
    p.add_argument("--train", type=int, default=400)
    p.add_argument("--validation", type=int, default=100)
    p.add_argument("--test", type=int, default=200)
    p.add_argument("--epochs", type=int, default=8)
    p.add_argument("--copies", type=int, default=8, help="of the training maps, each turned otherwise")
    p.add_argument("--batch", type=int, default=8)
    args = p.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[dict[str, float]]] = {n: [] for n in ("constant", "as observed", "Wiener", *args.networks)}
    for seed in args.seeds:
        data, maps = parts(args, seed)
        filter, area = Wiener(maps), maps.sphere.weights().float()
        for name, answer in (("constant", lambda x, y: 0 * y), ("as observed", lambda x, y: x[:, : y.shape[1]]),
                             ("Wiener", lambda x, y: filter(x))):  # fmt: skip  # noqa: B023
            rows[name].append({k: error(answer(*data[k]), data[k][1], area) for k in ("test", "turned")})
        for name in args.networks:
            rows[name].append(train(name, args, seed, data, maps, filter))
            line = ", ".join(f"{k} {v:.4g}" for k, v in rows[name][-1].items())
            print(f"{name}, seed {seed}: {line} (Wiener {rows['Wiener'][-1]['test']:.4f})", flush=True)
    print("| | parameters | error, test | error, turned | s a seed |\n|---|---|---|---|---|")
    for name, found in rows.items():
        cells = []
        for key in ("test", "turned"):
            v = torch.tensor([r[key] for r in found], dtype=torch.float64)
            cells.append(f"{v.mean():.4f} +- {v.std(correction=min(1, len(v) - 1)):.4f}")
        count = f"{found[0].get('parameters', 0):,.0f}"
        print(
            f"| {name} | {count} | {' | '.join(cells)} | {sum(r.get('seconds', 0) for r in found) / len(found):.0f} |"
        )


if __name__ == "__main__":
    main()
