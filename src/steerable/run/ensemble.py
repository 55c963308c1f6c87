"""One trained network or several seeds of it, answering together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerable.data import Recipe
from steerable.data.errors import InputError
from steerable.run.store import find_runs, load, recipe

SAME = ("in_channels", "classes", "target", "input", "input_settings", "raw_size", "preprocessing")


@dataclass
class Ensemble:
    """The seeds of a run: they see the same input and mean the same by their answers.

    Attributes:
        models: in eval mode, on one device.
        records: one for each.
        folder: of the run.
    """

    models: list[nn.Module]
    records: list[dict[str, Any]]
    folder: Path

    @staticmethod
    def load(folder: str | Path, device: str = "cpu") -> Ensemble:
        """Read all seeds of a folder.

        Raises:
            InputError: no run, or seeds that differ in what they see or answer.
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
        return Ensemble([m.to(device) for m, _ in found], [r for _, r in found], Path(folder))

    @property
    def record(self) -> dict[str, Any]:
        """The record of the first seed."""
        return self.records[0]

    @property
    def recipe(self) -> Recipe:
        """What is done to the images first."""
        return recipe(self.record)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return what each seed answers to prepared images ``[N, C, H, W]``.

        Returns:
            Probabilities ``[S, N, K]``, or values ``[S, N, 1]`` or ``[S, N, K]`` in the unit of the target; float64, on
            the CPU.
        """
        answers = []
        for model in self.models:
            out = model(x.to(next(model.parameters(), torch.zeros(())))).cpu().double()
            answers.append(out.softmax(1) if self.record["target"] is None else out)
        return torch.stack(answers)

    def columns(self, x: Tensor) -> dict[str, list[Any]]:
        """Return the columns of the catalogue for prepared images ``[N, C, H, W]``.

        Classes: ``prediction``, ``p_<class>`` (averaged over seeds) and ``spread``, the standard deviation over seeds
        of the probability of the predicted class. Values: ``<target>`` and ``<target>_spread``. Vectors: a column for
        each entry, and ``<target>_spread``, the root mean square over the entries. A single seed has no spread: null.
        """
        answers = self(x)
        mean = answers.mean(0)
        spread = answers.std(0) if len(answers) > 1 else None
        target = self.record["target"]
        if target is not None:
            name = target["name"]
            none = [None] * len(x)
            if target.get("columns"):
                each = {c: mean[:, k].tolist() for k, c in enumerate(target["columns"])}
                rms = none if spread is None else spread.square().mean(1).sqrt().tolist()
                return {**each, f"{name}_spread": rms}
            return {name: mean[:, 0].tolist(), f"{name}_spread": none if spread is None else spread[:, 0].tolist()}
        best = mean.argmax(1)
        classes = self.record["classes"]
        return {
            "prediction": [classes[k] for k in best.tolist()],
            **{f"p_{c}": mean[:, k].tolist() for k, c in enumerate(classes)},
            "spread": [None] * len(x) if spread is None else spread.gather(1, best[:, None])[:, 0].tolist(),
        }


def find_device(name: str) -> str:
    """Return the device of torch for ``cpu``, ``gpu`` or ``auto``.

    Raises:
        InputError: a gpu was asked for and there is none.
    """
    gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
    if name == "gpu" and gpu is None:
        raise InputError(f"--device {name}: torch {torch.__version__} finds none here; expected cpu or auto.")
    return gpu if gpu is not None and name != "cpu" else "cpu"
