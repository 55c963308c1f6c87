"""What a comparison is made of: tasks, networks, training sizes, seeds, and a grid to choose from on validation."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError, did_you_mean
from steerable.run.config import FitConfig
from steerable.run.outputs import finite
from steerable.run.parse import known_keys
from steerable.run.readers import NO_CLASSES

COUNTS = ("auto", "per_class", "images")
SECTIONS = ("model", "data", "train")
Overrides = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training run of a comparison.

    Attributes:
        task, network: names in the plan.
        size: training samples, see `count` of :class:`Plan`; 0 takes all.
        seed: of the run.
        point: index of the point of the grid; None: a run with the settings that were chosen.
    """

    task: str
    network: str
    size: int
    seed: int
    point: int | None = None

    @property
    def group(self) -> tuple[str, str, int]:
        """Task, network and size: what the seeds share."""
        return self.task, self.network, self.size

    def folder(self, out: Path) -> Path:
        """Return where the run lies."""
        place = out / self.task / self.network / (str(self.size) if self.size else "all")
        return place / (f"seed{self.seed}" if self.point is None else f"tuning{self.point}")


@dataclass
class Plan:
    """A comparison. Keys of ``base``, of a task, of a network and of a size are laid over each other, in this order.

    Args:
        out: the folder of all runs, of the table and of the figure.
        base: keys of a run (``model``, ``data``, ``train``) that all share.
        tasks: name and keys of each task.
        networks: name and keys of each network.
        sizes: numbers of training samples; 0 takes all.
        count: what they count: per_class (samples of each class) or images (all samples together: values, regions);
            auto: the second where there is a target, or the reader has no classes.
        by_size: further keys for some of the sizes: few images want more epochs.
        grid: dotted keys and the values to try; each network tries every combination, on validation.
        tuning_seed: of the runs that try; none of `seeds`.
        tuning_size: choose at this size for all sizes; null: at each size anew.
        seeds: of the runs that count.
        reference: networks against the best of which (by validation) every other one is compared on the test part.
    """

    out: str = "runs/compare"
    base: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=lambda: {"classify": {}})
    networks: dict[str, Any] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=lambda: [0])
    count: str = "auto"
    by_size: dict[int, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    tuning_seed: int = 1000
    tuning_size: int | None = None
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    reference: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for what, values in (("networks", self.networks), ("sizes", self.sizes), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise InputError(f"plan: {what} are {list(values)}; expected at least one, each once.")
        for what, names in (("tasks", self.tasks), ("networks", self.networks)):
            for name in names:
                if not str(name) or "/" in str(name) or str(name).startswith("."):
                    raise InputError(f"plan: '{name}' in {what} cannot name a folder; expected a word without '/'.")
        if self.count not in COUNTS:
            raise InputError(f"plan: count is '{self.count}'; expected one of {', '.join(COUNTS)}.")
        if self.grid and self.tuning_seed in self.seeds:
            raise InputError(
                f"plan: tuning_seed {self.tuning_seed} is one of seeds {self.seeds}; expected another, since what "
                "was chosen by a run may not be scored by it."
            )
        if self.tuning_size is not None and self.tuning_size not in self.sizes:
            raise InputError(f"plan: tuning_size {self.tuning_size}; expected one of sizes {self.sizes}, or null.")
        for name in self.reference:
            if name not in self.networks:
                raise InputError(
                    f"plan: reference '{name}' is no network; expected one of {', '.join(self.networks)}."
                    f"{did_you_mean(name, self.networks)}"
                )
        known = known_keys()
        for key in self.grid:
            if key not in known and not key.startswith("model.options."):
                raise InputError(f"plan: grid has the key '{key}'; expected one of {known}.{did_you_mean(key, known)}")
        for cell in self.cells():  # every key is looked at before the first run
            self.config(cell, {})

    def points(self) -> list[dict[str, Any]]:
        """Return the combinations of the grid, as dotted keys; one empty combination where there is none."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def cells(self) -> Iterator[Cell]:
        """Yield the runs that count, the small sizes and the first seeds of all networks before the next ones."""
        for size, seed in itertools.product(self.sizes, self.seeds):
            for task, network in itertools.product(self.tasks, self.networks):
                yield Cell(task, network, size, seed)

    def trials(self, cell: Cell) -> list[Cell]:
        """Return the runs that choose the settings of a cell; none where there is nothing to choose."""
        count = len(self.points())
        if count < 2:
            return []
        size = cell.size if self.tuning_size is None else self.tuning_size
        return [dataclasses.replace(cell, size=size, seed=self.tuning_seed, point=k) for k in range(count)]

    def config(self, cell: Cell, chosen: Overrides) -> FitConfig:
        """Return the config of a run.

        Args:
            cell: which run.
            chosen: dotted keys that were chosen on validation, or are being tried.

        Raises:
            InputError: a key that no run has, or a value that a section refuses.
        """
        merged: dict[str, Any] = {s: {} for s in SECTIONS}
        layers = (self.base, self.tasks[cell.task], self.networks[cell.network], self.by_size.get(cell.size, {}))
        for layer in layers:
            for section, keys in (layer or {}).items():
                if section not in SECTIONS or not isinstance(keys, dict):
                    raise InputError(
                        f"plan: '{section}: {keys}' for {cell.task} {cell.network}; expected one of "
                        f"{', '.join(SECTIONS)} with keys of its own.{did_you_mean(section, SECTIONS)}"
                    )
                own = merged[section]
                own.update({k: {**own.get(k, {}), **v} if k == "options" else v for k, v in keys.items()})
        for key, value in chosen.items():
            section, *path = key.split(".")
            place = merged[section]
            for step in path[:-1]:
                place = place.setdefault(step, {})
            place[path[-1]] = value
        if cell.size:
            values = merged["data"].get("target") or merged["data"].get("name") in NO_CLASSES
            auto = "images" if values else "per_class"
            merged["data"][auto if self.count == "auto" else self.count] = cell.size
        return FitConfig.from_dict({"out": str(cell.folder(Path(self.out))), "seeds": [cell.seed], **merged})

    def to_json(self) -> str:
        """Return the plan as text, for the record in its folder."""
        return json.dumps(finite(dataclasses.asdict(self)), indent=2)
