"""From finished runs to rows: means over seeds, floors, cost, and the difference to the best reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steerable.data import Splits
from steerable.run.compare.cost import multiplications
from steerable.run.compare.merit import merit_of, plain_mean
from steerable.run.compare.plan import Plan
from steerable.run.compare.work import ANSWERS, CHOSEN, SCORES, Images
from steerable.run.domains import domain_of
from steerable.run.outputs import read_json
from steerable.run.store import RECORD, load
from steerable.run.tables import mean_and_spread

DRAWS = 2000


@dataclass
class Row:
    """One network at one size of one task.

    Attributes:
        task, network, size: as in the plan.
        seeds: those that are done.
        figures: mean and spread over seeds of what :mod:`steerable.run.compare.merit` compares, on the test part.
        validation: mean over seeds of the figure that the reference is chosen by; larger is better.
        floors: of the first seed.
        parameters, cost, seconds: of the network; cost in multiply-adds an image, seconds of training a seed.
        chosen: dotted keys that validation chose.
        right: tally of each seed on each test sample, see :func:`difference`.
        gain: difference to the reference (positive is better) with a 95 % interval; None for the reference itself.
        merit: from mean tallies to the figure, see :class:`steerable.run.compare.merit.Merit`.
        samples: what the samples are called.
        linear: what the linear floor is a model of.
        unit: of the intervals where it is not plain: test samples that answer at every place.
    """

    task: str
    network: str
    size: int
    seeds: list[int]
    figures: dict[str, tuple[float, float]]
    validation: float
    floors: dict[str, Any]
    parameters: int
    cost: int
    seconds: float
    chosen: dict[str, Any]
    right: np.ndarray
    gain: tuple[float, float, float] | None = None
    merit: Callable[[np.ndarray], np.ndarray] = plain_mean
    samples: str = "images"
    linear: str = "linear model of global statistics"
    unit: str = ""


def gather(plan: Plan, images: Images) -> list[Row]:
    """Return a row for every network and size with at least one finished run, in the order of the plan."""
    groups: dict[tuple[str, str, int], list[Any]] = {}
    for cell in plan.cells():
        if (cell.folder(Path(plan.out)) / ANSWERS).is_file():
            groups.setdefault(cell.group, []).append(cell)
    rows = [_row(plan, cells, images) for cells in groups.values()]
    for row in rows:
        rivals = [r for r in rows if (r.task, r.size) == (row.task, row.size) and r.network in plan.reference]
        best = max(rivals, key=lambda r: r.validation, default=None)
        if best is not None and best is not row:
            row.gain = difference(row.right, best.right, figure=row.merit)
    order = {
        (t, s, n): i
        for i, (t, s, n) in enumerate((t, s, n) for t in plan.tasks for s in plan.sizes for n in plan.networks)
    }
    return sorted(rows, key=lambda r: order[r.task, r.size, r.network])


def difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    draws: int = DRAWS,
    figure: Callable[[np.ndarray], np.ndarray] = plain_mean,
) -> tuple[float, float, float]:
    """Return the figure of ours minus that of theirs and a 95 % interval.

    The interval is for new seeds and new test samples. Samples are drawn again in pairs (bootstrap). Three seeds drawn
    again would vary too little (by 2/3 of their variance, and never beyond the three), so the error of the means over
    seeds is drawn from Student's distribution with the variance of both networks pooled. With one seed each that part
    is unknown, and the interval is for new samples alone. Draws of samples in which no answer is known, such as of
    maps that have hardly a label, are left out.

    Args:
        ours, theirs: tallies of each seed on each test sample, ``[seeds, samples, ...]``: 1 for a right class, minus
            the absolute error of a value, counts of places, ...; the same samples for both.
        draws: of the bootstrap.
        figure: from mean tallies ``[seeds, ...]`` to what is compared, ``[seeds]``; more is better.
    """
    rng = np.random.default_rng(0)

    def mean(tally: np.ndarray) -> float:
        return float(figure(tally.mean(1)).mean())

    count = ours.shape[1]
    drawn = (rng.integers(count, size=count) for _ in range(draws))
    found = np.array([mean(ours[:, k]) - mean(theirs[:, k]) for k in drawn])
    freedom = len(ours) + len(theirs) - 2
    if freedom:
        seeds = [figure(x.mean(1)) for x in (ours, theirs)]
        pooled = sum(float(((s - s.mean()) ** 2).sum()) for s in seeds) / freedom
        found += rng.standard_t(freedom, draws) * (pooled * (1 / len(ours) + 1 / len(theirs))) ** 0.5
    known = found[~np.isnan(found)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return mean(ours) - mean(theirs), float(low), float(high)


def linear_of(data: Splits) -> str:
    """Return what the linear floor of a comparison is, see :class:`steerable.run.floors.Floors`."""
    target = data.target
    if not data.test.dense:
        return "linear model of global statistics"
    if target is not None and target.trade:
        return "the first degrees, 8 bits each"
    if target is not None and data.test.domain == "sphere":
        return "the best isotropic filter"
    return "linear model of what surrounds a place"


def unit_of(data: Splits) -> str:
    """Return what the intervals are for where answers stand at every place: neighbouring places are no new samples."""
    test = data.test
    if not test.dense:
        return ""
    noun = domain_of(test).noun
    globe = "; views of one globe are not new globes" if test.domain == "sphere" else ""
    return f"Unit of the intervals: one of the {len(test)} {noun} of the test part, as the reader gives them{globe}."


def _row(plan: Plan, cells: list[Any], images: Images) -> Row:
    folders = [c.folder(Path(plan.out)) for c in cells]
    records = [read_json(f / RECORD, "a run of the comparison") for f in folders]
    scores = [read_json(f / SCORES, "the scores of a run") for f in folders]
    first = cells[0]
    data, _ = images.read(plan.config(first, {}).data)
    merit = merit_of(data.test)
    kept = np.stack([np.load(f / ANSWERS) for f in folders])
    sign = 1 if merit.larger else -1
    validation = [sign * r["validation"][merit.select] for r in records]
    trials = plan.trials(first)
    chosen = trials[0].folder(Path(plan.out)).parent / CHOSEN if trials else folders[0].parent / CHOSEN
    model, record = load(folders[0])
    return Row(
        *first.group,
        [c.seed for c in cells],
        {k: mean_and_spread([float(s[k]) for s in scores]) for k in merit.keys},
        float(np.mean(validation)),
        scores[0]["floors"],
        int(record["parameters"]),
        multiplications(model, int(record["in_channels"]), data.train.size),
        float(np.mean([r["validation"]["seconds"] for r in records])),
        read_json(chosen, "chosen settings")["keys"] if chosen.is_file() else {},
        merit.tally(kept, data.test),
        merit=merit.figure,
        samples=domain_of(data.test).noun,
        linear=linear_of(data),
        unit=unit_of(data),
    )
