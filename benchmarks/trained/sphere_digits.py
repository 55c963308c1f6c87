"""Equivariance or augmentation for spherical images: digits painted on the sphere, upright or turned any way.

Run: ``python -m benchmarks.trained.sphere_digits --out DIR`` (goes on after an interruption; ``--report`` only prints).
Digits of STEERABLE_DATA/mnist (54,000 to learn from, 5,000 to test on), or items of your own as an npz file of the same
names (``--pictures FILE``: ``x_train``, ``y_train``, ``x_test``, ``y_test``, such as Fashion-MNIST), one, two or four
on a sphere of Gauss rings. Networks see them upright (on the equator) and are tested upright and turned; plain networks
also see ``--copies`` times as many, turned at random, in ``--sizes`` times the widths: the sweep of augmentation and of
model size. ``--target`` asks when a network first reached a score on turned validation spheres. After Gerken, Carlsson,
Linander, Ohlsson, Petersson and Persson, "Equivariance versus Augmentation for Spherical Images", ICML 2022, arXiv
2202.03990. Validation chooses the epoch; the test part is used once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import steerable as st
from steerable.tasks.sky import spherical_items

WIDTHS = (8, 12, 16)
#: copies, and times the passes, of networks that are trained about as long as one another, ten minutes of one core
LONG: dict[str, tuple[int, dict[str, int]]] = {
    "steerable, as long": (1, {"classify": 4, "segment": 2}),
    "plain, equal channels, turned, as long": (16, {"classify": 12, "segment": 4}),
}
#: name: model, its arguments, whether it is shown turned spheres
NETWORKS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "steerable": ("sphere_{}", {"degree": 1}, False),
    "steerable, as long": ("sphere_{}", {"degree": 1}, False),
    "steerable, reach 3": ("sphere_{}", {"degree": 1, "reach": 3.0}, False),
    "axisymmetric": ("sphere_{}", {"degree": 0, "widths": (16, 24, 32)}, False),
    "s2cnn": ("s2{}", {}, False),
    "held by north": ("sphere_{}", {"group": "C1", "widths": (10, 14, 20)}, False),
    "plain": ("sphere_{}_plain", {}, False),
    "plain, turned": ("sphere_{}_plain", {}, True),
    "plain, equal channels, turned": ("sphere_{}_plain", {"match": "compute"}, True),
    "plain, equal channels, turned, as long": ("sphere_{}_plain", {"match": "compute"}, True),
}


def named(name: str, size: float) -> str:
    """A network of so many times the width, as rows and reports call it."""
    return name if size == 1 else f"{name}, width x {size:g}"


def pictures(file: str | None, part: str, count: int, start: int = 0) -> tuple[Tensor, Tensor]:
    """Items in [0, 1] and their classes."""
    with np.load(file or Path(os.environ["STEERABLE_DATA"]) / "mnist" / "mnist.npz") as z:
        x, y = (torch.from_numpy(z[f"{k}_{part}"][start : start + count]) for k in "xy")
    return x.float() / float(x.max()), y.long()


def parts(args: argparse.Namespace, turned: bool, copies: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Fields and answers of all parts."""
    sphere, found = st.Sphere.gauss(args.rings), {}
    diameter = math.radians(args.diameter or {1: 120, 2: 120, 4: 75}[args.items])
    rows = {
        "train": ("train", args.train, 0, turned, copies),
        "val": ("train", args.validation, args.train, turned, 1),
        "val turned": ("train", args.validation, args.train, True, 1),
        "upright": ("test", args.test, 0, False, 1),
        "turned": ("test", args.test, 0, True, 1),
    }
    for k, (name, (part, count, start, turn, times)) in enumerate(rows.items()):
        x, y = pictures(args.pictures, part, count, start)
        fields, first, regions = spherical_items(x, y, sphere, args.items, turn, times, diameter, seed=k)
        found[name] = (fields, first if args.task == "classify" else regions)
    return found


def score(model: nn.Module, data: tuple[Tensor, Tensor], task: str, classes: int, area: Tensor) -> float:
    """Accuracy, or the mean intersection over union of the digits by area."""
    x, y = data
    with torch.no_grad():
        answer = torch.cat([model.eval()(part).argmax(1) for part in x.split(64)])
    if task == "classify":
        return float((answer == y).double().mean())
    area = area.expand(y.shape[1:])
    found = []
    for k in range(1, classes):
        here, there = answer == k, y == k
        union = ((here | there) * area).sum()
        found.append(float(((here & there) * area).sum() / union) if float(union) else float("nan"))
    return float(np.nanmean(found))


def train(args: argparse.Namespace, name: str, size: float, copies: int, seed: int) -> dict[str, Any]:
    """Train one network and score it; ``history``: seconds of training and the score on turned validation spheres."""
    form, options, shown_turned = NETWORKS[name]
    data = parts(args, shown_turned, copies)
    sphere = st.Sphere.gauss(args.rings)
    area = sphere.weights().float()
    classes = 10 if args.task == "classify" else 11
    torch.manual_seed(seed)
    kind = "cnn" if args.task == "classify" else "cnn_dense" if form.startswith("s2") else "unet"
    more: dict[str, Any] = {"widths": WIDTHS}
    if form.startswith("s2"):
        more = {} if args.task == "classify" else {"bands": (18, 12, 8, 12), "oversample": 1.5}
    if size != 1:
        more["widths"] = tuple(round(size * w) for w in {**more, **options}["widths"])
        options = {k: v for k, v in options.items() if k != "widths"}
    model = st.create_model(form.format(kind), in_channels=1, num_classes=classes, sphere=sphere, **{**more, **options})
    x, y = data["train"]
    passes = args.epochs * (LONG[name][1][args.task] if name in LONG else 1)
    epochs = max(passes // copies, 2)
    steps = epochs * -(-len(x) // args.batch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, total_steps=steps)
    weight = None
    if args.task == "segment":  # background is nearly everything
        weight = torch.ones(classes)
        weight[0] = 0.1
    best: tuple[float, dict[str, Tensor]] = (-1.0, {})
    seconds, history = 0.0, []
    for _ in range(epochs):
        start = time.process_time()
        model.train()
        for rows in torch.randperm(len(x)).split(args.batch):
            loss = F.cross_entropy(model(x[rows]), y[rows], weight, reduction="none")
            loss = loss.mean() if args.task == "classify" else (loss * area).mean() / area.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        reached = score(model, data["val"], args.task, classes, area)
        if reached > best[0]:
            best = reached, {k: v.clone() for k, v in model.state_dict().items()}
        seconds += time.process_time() - start
        history.append([seconds, score(model, data["val turned"], args.task, classes, area)])
    model.load_state_dict(best[1])
    begin = time.process_time()
    figures = {k: score(model, data[k], args.task, classes, area) for k in ("upright", "turned")}
    latency = (time.process_time() - begin) / (2 * args.test)
    count = sum(p.numel() for p in model.parameters())
    found = {"validation": best[0], **figures, "seconds": seconds, "latency": latency, "parameters": count}
    return {**found, "history": history}


def all_copies(args: argparse.Namespace) -> list[int]:
    """Those that were asked for, and those of the long training."""
    return sorted({*args.copies, *(copies for copies, _ in LONG.values())})


def report(rows: dict[str, Any], args: argparse.Namespace) -> None:
    """Print the table of all cells that are there, and draw turned score against copies and against time."""
    unit = "accuracy" if args.task == "classify" else "mean IoU"
    more = ("", "") if args.target is None else (f" s to {args.target:g}, turned |", "---|")
    print(f"| network | copies | parameters | {unit}, upright | turned | seeds | s a seed | ms a sphere |{more[0]}")
    print(f"|---|---|---|---|---|---|---|---|{more[1]}")
    curves: dict[str, list[tuple[int, float]]] = {}
    times: dict[str, dict[int, list[list[float]]]] = {}
    for name, size, copies in itertools.product(NETWORKS, args.sizes, all_copies(args)):
        label = named(name, size)
        cells = [r for k, r in rows.items() if k.startswith(f"{label}/{copies}/")]
        if not cells:
            continue
        upright, turned = ([c[k] for c in cells] for k in ("upright", "turned"))
        text = [f"{np.mean(v):.3f} +- {np.std(v, ddof=1) if len(v) > 1 else 0:.3f}" for v in (upright, turned)]
        seconds, latency = np.mean([c["seconds"] for c in cells]), 1e3 * np.mean([c["latency"] for c in cells])
        line = f"| {label} | {copies} | {cells[0]['parameters']:,} | {text[0]} | {text[1]} | {len(cells)} | "
        line += f"{seconds:.0f} | {latency:.1f} |"
        if args.target is not None:
            first = [next((t for t, v in c["history"] if v >= args.target), math.inf) for c in cells]
            line += " never |" if math.inf in first else f" {np.mean(first):.0f} |"
        print(line)
        curves.setdefault(label, []).append((copies, float(np.mean(turned))))
        times.setdefault(label, {})[copies] = np.mean([c["history"] for c in cells], 0).tolist()
    floor = 0.1 if args.task == "classify" else 0.0
    print(f"| constant | | | {floor:.3f} | {floor:.3f} | | | |{'' if args.target is None else ' never |'}")
    draw(curves, times, unit, Path(args.out) / "augmentation.png")


def draw(
    curves: dict[str, list[tuple[int, float]]], times: dict[str, dict[int, list[list[float]]]], unit: str, file: Path
) -> None:
    """Score of turned test spheres against copies, and of turned validation spheres against seconds of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.5), layout="constrained", sharey=True)
    colours = dict(zip(curves, plt.get_cmap("tab20").colors, strict=False))  # pyright: ignore
    for name, points in curves.items():
        if "turned" in name:
            left.plot(*zip(*points, strict=True), "*" if name in LONG else "o-", color=colours[name])
        else:  # it saw no copies
            left.axhline(points[0][1], linestyle="--", color=colours[name])
        for copies, history in times[name].items():
            several = copies > 1 and name not in LONG
            line = right.plot(*zip(*history, strict=True), ":" if several else "-", color=colours[name])
            line[0].set_label("_" if several else name)
    copies = sorted({c for name, points in curves.items() if "turned" in name for c, _ in points})
    left.set_xscale("log", base=2)
    left.set_xticks(copies, [str(c) for c in copies])
    left.set(xlabel="copies of the training set, turned at random (dashed: none)", ylabel=f"{unit} on turned spheres")
    right.set(xlabel="seconds of training, one core (dotted: more copies)", xscale="log")
    figure.legend(*right.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Train what is missing and print the table."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--out", required=True)
    p.add_argument("--task", choices=["classify", "segment"], default="classify")
    p.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    p.add_argument("--items", type=int, default=1, choices=[1, 2, 4])
    p.add_argument("--diameter", type=float, help="of an item in degrees; default 120, of four items 75")
    p.add_argument("--pictures", help="an npz file; default the digits of STEERABLE_DATA")
    p.add_argument("--rings", type=int, default=24)
    p.add_argument("--train", type=int, default=2000)
    p.add_argument("--validation", type=int, default=500)
    p.add_argument("--test", type=int, default=1000)
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--lr", type=float, default=5e-3)
    p.add_argument("--copies", type=int, nargs="+", default=[1, 4])
    p.add_argument("--sizes", type=float, nargs="+", default=[1], help="widths of plain networks, times theirs")
    p.add_argument("--target", type=float, help="a score on turned spheres whose time is asked for")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--report", action="store_true")
    args = p.parse_args()
    if args.items > 1 and args.task == "classify":
        p.error("a turned sphere with several items has no first one: --items 2 and 4 go with --task segment")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "rows.json"
    rows = json.loads(file.read_text()) if file.exists() else {}
    for seed, name, size, copies in itertools.product(args.seeds, args.networks, args.sizes, all_copies(args)):
        if name in LONG:
            if size != 1 or copies != LONG[name][0]:
                continue
        elif copies not in args.copies or (copies > 1 and not NETWORKS[name][2]) or (size != 1 and "plain" not in name):
            continue
        key = f"{named(name, size)}/{copies}/{seed}"
        if key not in rows and not args.report:
            rows[key] = train(args, name, size, copies, seed)
            file.write_text(json.dumps(rows))
            print(key, {k: round(v, 4) for k, v in rows[key].items() if k != "history"}, flush=True)
    report(rows, args)


if __name__ == "__main__":
    main()
