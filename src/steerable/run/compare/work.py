"""Doing the runs of a plan: whole ones are skipped, interrupted ones are continued, each is done by one process."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from steerable.data import Splits
from steerable.data.errors import InputError
from steerable.data.shards.lock import locked
from steerable.run.build import build_model, for_data, try_model
from steerable.run.commands.evaluate import evaluate
from steerable.run.commands.fit import fit_seed
from steerable.run.compare.merit import merit_of
from steerable.run.compare.plan import Cell, Plan
from steerable.run.config import DataConfig, FitConfig
from steerable.run.floors import Floors
from steerable.run.objectives import objective_of
from steerable.run.outputs import CHECKPOINT, partial_name, read_json, write_json
from steerable.run.readers import load_data
from steerable.run.scores import predict
from steerable.run.store import RECORD, data_config, load
from steerable.run.training import LARGER

CHOSEN = "chosen.json"
ANSWERS = "answers.npy"
SCORES = "evaluation.json"


@dataclass
class Images:
    """Data sets that were read, and their floors; the last few are kept."""

    keep: int = 4
    _data: dict[str, Splits] = field(default_factory=dict)
    _floors: dict[str, Floors] = field(default_factory=dict)

    def read(self, config: DataConfig) -> tuple[Splits, Floors]:
        """Return the parts and the floors of a config."""
        key = repr(config)
        if key not in self._data:
            for store in (self._data, self._floors):
                while len(store) >= self.keep:
                    del store[next(iter(store))]
            self._data[key] = load_data(config)
            self._floors[key] = Floors.fit(self._data[key])
        return self._data[key], self._floors[key]

    @property
    def parts(self) -> dict[str, Splits]:
        """The parts by the text of their config."""
        return self._data


def do(plan: Plan, cells: Iterable[Cell], images: Images, say: Any = None) -> int:
    """Do the runs that are not there yet, and return how many another process is at.

    Args:
        plan: the comparison.
        cells: the runs that count; those that choose their settings are done first.
        images: read data.
        say: called with (done, total, text) before each cell.
    """
    todo, busy = list(cells), 0
    for k, cell in enumerate(todo):
        if say is not None:
            say(k, len(todo), f"{cell.task} {cell.network} {cell.size or 'all'} seed {cell.seed}")
        if (cell.folder(Path(plan.out)) / ANSWERS).is_file():
            continue
        try:
            chosen = choose(plan, cell, images)
            run(plan, cell, chosen, images)
        except Busy:
            busy += 1
    if say is not None:
        say(len(todo), len(todo), "done")
    return busy


def try_networks(plan: Plan, cells: Iterable[Cell], images: Images) -> None:
    """Show each network of each task one image before the first run: a wrong name must not be found after a night.

    Args:
        plan: the comparison.
        cells: the runs that were asked for; those that are there are left out.
        images: read data.

    Raises:
        InputError: naming the network, which cannot be built or cannot take the images, or fewer images than the
            largest size.
    """
    first: dict[tuple[str, str], Cell] = {}
    for cell in sorted(cells, key=lambda c: -c.size):
        if not (cell.folder(Path(plan.out)) / ANSWERS).is_file():
            first.setdefault((cell.task, cell.network), cell)
    points = plan.points() if any(key.startswith("model.") for key in plan.grid) else plan.points()[:1]
    for cell in first.values():
        for keys in points:
            config = plan.config(cell, keys)
            data = images.read(config.data)[0].train
            try:
                model = build_model(for_data(config.model, data), data.channels, data.outputs)
                try_model(model, data, config.model.exact_sizes)
            except InputError as e:
                raise InputError(f"network '{cell.network}' of the plan ({cell.task}): {e}") from None


class Busy(Exception):
    """Another process is at this run."""


def choose(plan: Plan, cell: Cell, images: Images) -> dict[str, Any]:
    """Return the settings of a cell: those of the trial that is best on validation.

    Raises:
        Busy: another process is at one of the trials.
    """
    trials = plan.trials(cell)
    if not trials:
        return plan.points()[0]
    place = trials[0].folder(Path(plan.out)).parent / CHOSEN
    if place.is_file():
        found = read_json(place, "the settings that were chosen")
        if [t["keys"] for t in found["trials"]] == plan.points() and found.get("seed") == plan.tuning_seed:
            return dict(found["keys"])
    rows = []
    for trial, keys in zip(trials, plan.points(), strict=True):
        record = run(plan, trial, keys, images)
        figures = {k: v for k, v in record["validation"].items() if isinstance(v, float)}
        rows.append({"keys": keys, "validation": figures})
    data, _ = images.read(plan.config(cell, {}).data)
    figure = objective_of(data.train, plan.config(cell, {}).train).select
    sign = 1 if figure in LARGER else -1
    best = max(rows, key=lambda r: sign * r["validation"][figure])
    write_json(place, {"keys": best["keys"], "by": figure, "seed": plan.tuning_seed, "trials": rows})
    return dict(best["keys"])


def run(plan: Plan, cell: Cell, keys: dict[str, Any], images: Images) -> dict[str, Any]:
    """Train (or go on with, or find) one run and return its record; a run that counts is scored on the test part.

    Raises:
        Busy: another process is at it.
        InputError: the folder holds a run with other settings.
    """
    config = plan.config(cell, keys)
    folder = Path(config.out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder.with_name(folder.name + ".lock"), str(folder)):
            record = _found(folder, config)
            if record is None:
                record = _train(folder, config, cell.seed, images)
            if cell.point is None and not (folder / ANSWERS).is_file():
                _score(folder, images)
            shutil.rmtree(folder.with_name(folder.name + ".lock"), ignore_errors=True)
            return record
    except InputError as e:
        if "another process" in str(e):
            raise Busy from None
        raise


def _found(folder: Path, config: FitConfig) -> dict[str, Any] | None:
    if not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD, "a run of the comparison")
    # through the class, so that keys which came later have their defaults
    then, now = FitConfig.from_dict(record["config"]).to_dict(), config.to_dict()
    for key in now:
        if key != "out" and then.get(key) != now[key]:
            raise InputError(
                f"'{folder}' was trained with {key} {then.get(key)}; the plan says {now[key]}; expected the same. "
                "Remove that folder to train it again, or say --out OTHER."
            )
    return record


def _train(folder: Path, config: FitConfig, seed: int, images: Images) -> dict[str, Any]:
    data, floors = images.read(config.data)
    partial = partial_name(folder)
    checkpoint = partial / CHECKPOINT
    if partial.exists() and not checkpoint.is_file():
        shutil.rmtree(partial)
    return fit_seed(config, data, seed, floors, checkpoint if checkpoint.is_file() else None)


def _score(folder: Path, images: Images) -> None:
    """Write the scores and then what is kept of the answers to the test part, by which a run counts as whole."""
    model, record = load(folder)
    data, _ = images.read(data_config(record))
    evaluate(folder, None, None, images.parts)
    answers = merit_of(data.test).keep(predict(model, data.test.x), data.test)
    temporary = folder / f".{ANSWERS}"
    with temporary.open("wb") as file:
        np.save(file, answers)
    temporary.replace(folder / ANSWERS)
