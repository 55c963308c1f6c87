"""A folder that `steerable fit` wrote, with one seed or several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data.errors import InputError
from steerable.run.answer.answerer import Answerer
from steerable.run.ask import ask, like
from steerable.run.store import find_runs, load, recipe

SAME = ("in_channels", "classes", "target", "input", "input_settings", "raw_size", "preprocessing")


class Folder(Answerer):
    """The seeds of a run: they see the same input and mean the same by their answers.

    Args:
        models: in eval mode, on one device.
        records: one for each.
        source: the folder of the run.
        folders: of each seed.
    """

    def __init__(
        self, models: list[nn.Module], records: list[dict[str, Any]], source: Path, folders: list[Path]
    ) -> None:
        self.models, self.records, self.source, self.folders = models, records, source, folders
        self.record, self.recipe = records[0], recipe(records[0])
        self.seeds = [int(r["seed"]) for r in records]

    @staticmethod
    def load(folder: str | Path, device: str = "cpu", seed: int | None = None) -> Folder:
        """Read all seeds of a folder, or one of them.

        Raises:
            InputError: no run, no such seed, or seeds that differ in what they see or answer.
        """
        runs = find_runs(Path(folder))
        found = [load(run) for run in runs]
        first = found[0][1]
        for run, (_, record) in zip(runs, found, strict=True):
            for key in SAME:
                # seeds see the same training part, so mean and spread of the target agree, too
                if record.get(key) != first.get(key):
                    raise InputError(
                        f"'{run}' has {key} {record.get(key)}, '{runs[0]}' has {first.get(key)}; expected the same in "
                        "all seeds of a run. Name one of the folders."
                    )
        kept = [k for k, (_, r) in enumerate(found) if seed is None or r["seed"] == seed]
        if not kept:
            raise InputError(f"--seed {seed}: '{folder}' has the seeds {[r['seed'] for _, r in found]}; expected one.")
        models, records, folders = zip(*((found[k][0].to(device), found[k][1], runs[k]) for k in kept), strict=True)
        return Folder(list(models), list(records), Path(folder), list(folders))

    def double(self) -> Folder:
        """Bring the networks to float64, in place."""
        self.models = [m.double() for m in self.models]
        return self

    @torch.no_grad()
    def each(self, x: Tensor) -> Tensor:
        """Return what each seed says; see :meth:`Answerer.each`."""
        return torch.stack([ask(m, like(m, x)).cpu().double() for m in self.models])
