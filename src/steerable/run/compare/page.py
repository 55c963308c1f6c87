"""The table and the figure of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steerable.run.compare.plan import Plan
from steerable.run.compare.summary import Row
from steerable.run.outputs import write_json, write_text
from steerable.run.tables import markdown, number

HEADS = ("network", "parameters", "M mult-adds", "s a seed", "seeds")
NAMES = {"accuracy": "accuracy", "auc": "AUC", "mae": "MAE", "rmse": "RMSE", "relative": "RMSE/spread",
         "iou": "mean IoU", "psnr": "PSNR [dB]", "rate": "bits a sample", "loss": "loss"}  # fmt: skip
TITLES = {"accuracy": "share right"}  # of places: what is a share of samples elsewhere


def table(plan: Plan, rows: list[Row]) -> str:
    """Return Markdown: for each task and size the networks, the difference to the best reference, and the floors."""
    parts = []
    for task in plan.tasks:
        for size in plan.sizes:
            here = [r for r in rows if (r.task, r.size) == (task, size)]
            if here:
                unit = f"\n{here[0].unit}\n" if here[0].unit else ""
                parts.append(
                    f"**{called(plan, task)}, {size or 'all'} {counted(here[0])}**\n\n{_one(plan, here)}{unit}"
                )
    return "\n".join(parts)


def called(plan: Plan, task: str) -> str:
    """Return what a task is called: its name, or that of the data where the plan names no tasks."""
    return task if plan.tasks != {"classify": {}} else str(plan.base.get("data", {}).get("name", task))


def counted(row: Row) -> str:
    """Return what a size counts, such as ``training images of each class``."""
    each = " of each class" if row.size and next(iter(row.figures)) == "accuracy" else ""
    return f"training {row.samples}{each}"


def titles(row: Row) -> list[str]:
    """Return what the figures of a row are called."""
    keys = list(row.figures)
    return [TITLES.get(k, NAMES[k]) if k != keys[0] else NAMES[k] for k in keys]


def _one(plan: Plan, rows: list[Row]) -> str:
    keys = list(rows[0].figures)
    heads = [*HEADS, *titles(rows[0]), "against the best reference (95 %)", "chosen on validation"]
    lines = []
    for r in rows:
        figures = [f"{number(m)} +- {number(s)}" if len(r.seeds) > 1 else number(m) for m, s in r.figures.values()]
        gain = "reference" if r.network in plan.reference and r.gain is None else "-"
        if r.gain is not None:
            gain = f"{r.gain[0]:+.3f} ({r.gain[1]:+.3f} to {r.gain[2]:+.3f})"
        chosen = ", ".join(f"{k.split('.')[-1]} {v}" for k, v in r.chosen.items()) or "-"
        size = [f"{r.parameters:,}", f"{r.cost / 1e6:.1f}", f"{r.seconds:.0f}", str(len(r.seeds))]
        lines.append([r.network, *size, *figures, gain, chosen])
    for name, title in (("constant", "constant"), ("linear", rows[0].linear)):
        for networks, floor in floors_of(rows, name, keys):
            of = f", {rows[0].samples} of {'; '.join(networks)}" if len(networks) < len(rows) else ""
            lines.append([title + of, "-", "-", "-", "-", *(number(v) for v in floor), "-", "-"])
    return markdown(heads, lines)


def floors_of(rows: list[Row], name: str, keys: list[str]) -> list[tuple[list[str], tuple[float, ...]]]:
    """Return each different floor of this name and whose it is: networks may see images prepared in different ways."""
    found: dict[tuple[float, ...], list[str]] = {}
    for r in rows:
        found.setdefault(tuple(float(r.floors[name][k]) for k in keys), []).append(r.network)
    return [(networks, values) for values, networks in found.items()]


def figure(plan: Plan, rows: list[Row], path: Path) -> None:
    """Draw one panel a task: the first figure against the number of training samples, one line a network.

    A plan of one size has no lines: there each network has a row of the panel.
    """
    import matplotlib

    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    tasks = [t for t in plan.tasks if any(r.task == t for r in rows)]
    most = max(sum(r.task == t for r in rows) for t in tasks)
    height = 4.8 if len(plan.sizes) > 1 else min(max(2.6, 0.6 * most + 1.8), 8.0)  # a row a network
    fig, axes = plt.subplots(1, len(tasks), figsize=(6.4 * len(tasks), height), squeeze=False, layout="constrained")
    colours = plt.get_cmap("tab10").colors + plt.get_cmap("Dark2").colors
    for axis, task in zip(axes[0], tasks, strict=True):
        own = [r for r in rows if r.task == task]
        (_curves if len(plan.sizes) > 1 else _dots)(axis, plan, own, colours)
        axis.set(title=called(plan, task))
        axis.grid(alpha=0.3)
    if len(plan.sizes) > 1:
        # a network may be in one task only
        known = {name: line for axis in axes[0] for line, name in zip(*axis.get_legend_handles_labels(), strict=True)}
        axes[0][-1].legend(list(known.values()), list(known), fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    fig.savefig(path, dpi=130)
    plt.close(fig)


def _dots(axis: Any, plan: Plan, rows: list[Row], colours: Any) -> None:
    """One row a network, with the floors of its images in grey."""
    key = next(iter(rows[0].figures))
    for k, r in enumerate(rows):
        mean, spread = r.figures[key]
        colour = colours[list(plan.networks).index(r.network) % len(colours)]
        axis.errorbar([mean], [k], xerr=[spread], marker="o", ms=5, capsize=2, ls="", color=colour)
        for name, marker in (("linear", "|"), ("constant", "x")):
            label = name if k == 0 else None
            axis.plot([r.floors[name][key]], [k], marker=marker, ls="", color="0.5", label=label)
    axis.set_yticks(range(len(rows)), [r.network for r in rows])
    axis.invert_yaxis()
    size = rows[0].size or "all"
    axis.set(xlabel=f"{NAMES[key]}, test part; {size} {counted(rows[0])}")
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, -0.12), ncols=2)


def _curves(axis: Any, plan: Plan, rows: list[Row], colours: Any) -> None:
    """One line a network, and the floors."""
    key = next(iter(rows[0].figures))
    for k, network in enumerate(plan.networks):
        line = sorted((r for r in rows if r.network == network), key=lambda r: r.size or 10**9)
        if not line:
            continue
        y, spread = zip(*(r.figures[key] for r in line), strict=True)
        style = {"marker": "o", "ms": 4, "capsize": 2, "ls": "--" if network in plan.reference else "-"}
        x = [r.size or 1 for r in line]
        axis.errorbar(x, y, spread, color=colours[k % len(colours)], label=network, **style)
    sizes = [s for s in plan.sizes if any(r.size == s for r in rows)]
    for name, ls in (("linear", "-."), ("constant", ":")):
        at = [floors_of([r for r in rows if r.size == s], name, [key]) for s in sizes]
        points = [(s or 1, values[0]) for s, each in zip(sizes, at, strict=True) for _, values in each]
        ls = ls if all(len(each) == 1 for each in at) else ""  # several at one size are points
        axis.plot(*zip(*points, strict=True), ls=ls, marker=".", color="0.5", label=name)
    axis.set(xscale="log", xlabel=counted(max(rows, key=lambda r: r.size)), ylabel=f"{NAMES[key]}, test part")
    axis.set_xticks([s or 1 for s in sizes], [str(s or "all") for s in sizes], minor=False)
    axis.minorticks_off()


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    skipped = {"right", "merit"}
    return [{k: v for k, v in vars(r).items() if k not in skipped} for r in rows]


def write(plan: Plan, rows: list[Row], out: Path) -> str:
    """Write table.md, rows.json and curves.png into `out`, and return the table."""
    text = table(plan, rows)
    write_text(out / "table.md", text)
    write_json(out / "rows.json", {"plan": plan.out, "rows": as_json(rows)})
    figure(plan, rows, out / "curves.png")
    return text
