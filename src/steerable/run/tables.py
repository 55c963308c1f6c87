"""One run or several seeds as a row: for the terminal and for a Markdown page."""

from __future__ import annotations

import math
from typing import Any

COLUMNS = ("accuracy", "accuracy_turned", "auc", "changed", "logit_error", "floor")
HEADS = ("accuracy", "turned by 90 deg", "AUC", "changed", "logit error", "constant floor")


def mean_and_spread(values: list[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of the sample (0 for one value)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def summarise(runs: list[dict[str, Any]], keys: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return mean and spread over seeds of each figure that is a number in every run."""
    out = {}
    for key in keys:
        values = [float(r[key]) for r in runs if key in r]
        if len(values) == len(runs) and all(map(math.isfinite, values)):
            mean, spread = mean_and_spread(values)
            out[key] = {"mean": mean, "spread": spread}
    return out


def cell(figure: dict[str, float] | None, several: bool) -> str:
    """Return one cell of the table."""
    if figure is None:
        return "-"
    mean, spread = figure["mean"], figure["spread"]
    if 0 < mean < 1e-3:
        return f"{mean:.0e}"
    return f"{mean:.3f} +- {spread:.3f}" if several else f"{mean:.3f}"


def cells(record: dict[str, Any], summary: dict[str, dict[str, float]], seeds: int) -> list[str]:
    """Return the row of one network: name, symmetry, augmentation, parameters, seeds and the figures."""
    config = record["config"]
    head = [
        config["model"]["name"],
        config["model"]["group"] or "-",
        config["train"]["augment"],
        f"{record['parameters']:,}",
        str(seeds),
    ]
    return head + [cell(summary.get(k), seeds > 1) for k in COLUMNS]


def heads() -> list[str]:
    """Return the names of the columns of :func:`cells`."""
    return ["network", "group", "augmentation", "parameters", "seeds", *HEADS]


def markdown(rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    names = heads()
    return "\n".join("| " + " | ".join(r) + " |" for r in [names, ["---"] * len(names), *rows]) + "\n"


def show(rows: list[list[str]], title: str) -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in heads():
        table.add_column(name, justify="left" if name in ("network", "group", "augmentation") else "right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    # a pipe has no width of its own: do not wrap there
    Console(width=None if console.is_terminal else 200).print(table)
