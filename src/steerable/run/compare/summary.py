"""From finished runs to rows: means over seeds, floors, cost, and the difference to the best reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steerable.run.compare.cost import multiplications
from steerable.run.compare.plan import Plan
from steerable.run.compare.work import ANSWERS, CHOSEN, SCORES, Images
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
        figures: mean and spread over seeds of accuracy and AUC, of MAE and RMSE, or, for vectors, of RMSE and MAE, on
            the test part.
        validation: mean over seeds of the figure that the reference is chosen by; larger is better.
        floors: of the first seed.
        parameters, cost, seconds: of the network; cost in multiply-adds an image, seconds of training a seed.
        chosen: dotted keys that validation chose.
        right: merit of each seed on each test image, see :func:`difference`.
        gain: difference to the reference (positive is better) with a 95 % interval; None for the reference itself.
        rooted: the figure is the root of the mean of `right`, not its mean.
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
    rooted: bool = False


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
            row.gain = difference(row.right, best.right, rooted=row.rooted)
    order = {
        (t, s, n): i
        for i, (t, s, n) in enumerate((t, s, n) for t in plan.tasks for s in plan.sizes for n in plan.networks)
    }
    return sorted(rows, key=lambda r: order[r.task, r.size, r.network])


def difference(
    ours: np.ndarray, theirs: np.ndarray, draws: int = DRAWS, rooted: bool = False
) -> tuple[float, float, float]:
    """Return the mean of ``ours - theirs`` and a 95 % interval.

    The interval is for new seeds and new test images. Images are drawn again in pairs (bootstrap). Three seeds drawn
    again would vary too little (by 2/3 of their variance, and never beyond the three), so the error of the means over
    seeds is drawn from Student's distribution with the variance of both networks pooled. With one seed each that part
    is unknown, and the interval is for new images alone.

    Args:
        ours, theirs: merit of each seed on each test image, ``[seeds, images]``: 1 for a right class, minus the
            absolute error of a value, or minus the mean squared error of a vector.
        draws: of the bootstrap.
        rooted: compare minus the root of the mean error (RMSE) in place of the mean merit.
    """
    rng = np.random.default_rng(0)

    def figure(merit: np.ndarray) -> np.ndarray:
        mean = merit.mean(1)
        return -np.sqrt(-mean) if rooted else mean

    count = ours.shape[1]
    drawn = (rng.integers(count, size=count) for _ in range(draws))
    found = np.array([figure(ours[:, k]).mean() - figure(theirs[:, k]).mean() for k in drawn])
    freedom = len(ours) + len(theirs) - 2
    if freedom:
        seeds = [figure(x) for x in (ours, theirs)]
        pooled = sum(float(((s - s.mean()) ** 2).sum()) for s in seeds) / freedom
        found += rng.standard_t(freedom, draws) * (pooled * (1 / len(ours) + 1 / len(theirs))) ** 0.5
    low, high = np.quantile(found, (0.025, 0.975))
    return float(figure(ours).mean() - figure(theirs).mean()), float(low), float(high)


def _row(plan: Plan, cells: list[Any], images: Images) -> Row:
    folders = [c.folder(Path(plan.out)) for c in cells]
    records = [read_json(f / RECORD, "a run of the comparison") for f in folders]
    scores = [read_json(f / SCORES, "the scores of a run") for f in folders]
    first = cells[0]
    data, _ = images.read(plan.config(first, {}).data)
    answers = np.stack([np.load(f / ANSWERS) for f in folders])
    truth = data.test.y.numpy()
    if data.target is None:
        keys, right = ("accuracy", "auc"), (answers.argmax(-1) == truth).astype(float)
        validation = [r["validation"]["val_accuracy"] for r in records]
    elif data.target.columns:
        keys, right = ("rmse", "mae"), -np.square(answers.astype(float) - truth).mean(-1)
        validation = [-r["validation"]["val_rmse"] for r in records]
    else:
        keys, right = ("mae", "rmse"), -np.abs(answers[..., 0] - truth)
        validation = [-r["validation"]["val_mae"] for r in records]
    trials = plan.trials(first)
    chosen = trials[0].folder(Path(plan.out)).parent / CHOSEN if trials else folders[0].parent / CHOSEN
    model, record = load(folders[0])
    return Row(
        *first.group,
        [c.seed for c in cells],
        {k: mean_and_spread([float(s[k]) for s in scores]) for k in keys},
        float(np.mean(validation)),
        scores[0]["floors"],
        int(record["parameters"]),
        multiplications(model, int(record["in_channels"]), data.train.size),
        float(np.mean([r["validation"]["seconds"] for r in records])),
        read_json(chosen, "chosen settings")["keys"] if chosen.is_file() else {},
        right,
        rooted=bool(data.target and data.target.columns),
    )
