"""Networks and floors as rows: for the terminal and for a Markdown page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Columns:
    """Which figures a table shows, and what their columns are called."""

    keys: tuple[str, ...]
    heads: tuple[str, ...]


#: stands for what the turn is called
TURNED = "turned"
CLASSES = Columns(
    ("accuracy", "accuracy_turned", "auc", "changed", "logit_error"),
    ("accuracy", TURNED, "AUC", "changed", "logit error"),
)
VALUES = Columns(
    ("mae", "mae_turned", "rmse", "bias", "moved"),
    ("MAE", TURNED, "RMSE", "bias", "moved"),
)
VECTORS = Columns(("rmse", "rmse_turned", "mae", "moved"), ("RMSE", TURNED, "MAE", "moved"))
FIELDS = Columns(
    ("rmse", "rmse_turned", "mae", "bias", "moved"),
    ("RMSE", TURNED, "MAE", "bias", "moved"),
)
CODEC = Columns(("psnr", "psnr_turned", "rate", "loss"), ("PSNR [dB]", TURNED, "bits a sample", "loss"))
REGIONS = Columns(
    ("iou", "iou_turned", "accuracy", "changed", "logit_error"),
    ("mean IoU", TURNED, "right", "changed", "logit error"),
)
NETWORK = ("network", "group", "augmentation", "parameters", "seeds")
FLOORS = {"constant": "floor: constant", "linear": "floor: linear"}


def columns_of(record: dict[str, Any], turn: str = TURNED) -> Columns:
    """Return the columns for the run with this record.

    Args:
        record: of the run.
        turn: what the turn is called by which it was tried.
    """
    if record.get("regions"):
        found = REGIONS
    elif record["target"] is None:
        found = CLASSES
    elif record["target"].get("trade"):
        found = CODEC
    elif record["target"].get("everywhere"):
        found = FIELDS
    else:
        found = VECTORS if record["target"].get("columns") else VALUES
    return Columns(found.keys, tuple(turn if h == TURNED else h for h in found.heads))


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


def number(value: float) -> str:
    """Return a figure with three digits, in powers of ten where it is very small or large."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}" if abs(value) < 1e-3 else f"{value:.3g}"
    return f"{value:.3f}"


def tidy(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the figures with a bias of zero where it is far below the error: what rounding leaves says nothing."""
    bias, rmse = figures.get("bias"), figures.get("rmse")
    if bias is None or rmse is None or abs(bias["mean"]) > 1e-3 * rmse["mean"]:
        return figures
    return {**figures, "bias": {**bias, "mean": 0.0}}


def cell(figure: dict[str, float] | None, several: bool) -> str:
    """Return one cell of the table."""
    if figure is None:
        return "-"
    mean, spread = figure["mean"], figure["spread"]
    if not several or 0 < abs(mean) < 1e-3:
        return number(mean)
    return f"{number(mean)} +- {number(spread)}"


def network(record: dict[str, Any], seeds: int) -> list[str]:
    """Return the first cells of the row of a network: name, symmetry, augmentation, parameters, seeds."""
    config = record["config"]
    return [
        config["model"]["name"],
        config["model"]["group"] or "-",
        config["train"]["augment"],
        f"{record['parameters']:,}",
        str(seeds),
    ]


def floor_row(name: str, figures: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Return the row of a floor, ``constant`` or ``linear``."""
    blank = ["-"] * (len(NETWORK) - 1)
    found = tidy(summarise([figures], keys))
    return [FLOORS[name], *blank, *(cell(found.get(k), False) for k in keys)]


def bin_heads(bins: list[dict[str, float]]) -> list[str]:
    """Return the columns of :func:`bin_cells`: the range of the true value, and how many images lie in it."""
    return [f"{b['from']:.4g} to {b['to']:.4g} ({b['images']})" for b in bins]


def bin_cells(runs: list[list[dict[str, float]]]) -> list[str]:
    """Return for each bin MAE and bias, averaged over the seeds; a dash where no image lies in it."""
    cells = []
    for rows in zip(*runs, strict=True):
        found = tidy(summarise(list(rows), ("mae", "rmse", "bias")))
        bias = found["bias"]["mean"] if found else 0.0
        cells.append(f"{number(found['mae']['mean'])}, {'+' * (bias >= 0)}{number(bias)}" if found else "-")
    return cells


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(r) + " |" for r in [heads, ["---"] * len(heads), *rows]) + "\n"


def show(heads: list[str], rows: list[list[str]], title: str) -> None:
    """Print a table for people."""
    from rich.console import Console
    from rich.markup import escape  # a unit stands in brackets
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for name in heads:
        table.add_column(escape(name), justify="left" if name in NETWORK[:3] else "right")
    for row in rows:
        table.add_row(*map(escape, row), style="dim" if row[0] in FLOORS.values() else None)
    console = Console()
    # a pipe has no width of its own: do not wrap there
    Console(width=None if console.is_terminal else 200).print(table)
