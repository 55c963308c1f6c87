"""The two floors below every figure: what a constant answers, and what a linear model of global statistics answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Samples, Splits
from steerable.data.errors import InputError
from steerable.run.domains import domain_of
from steerable.run.heads import find_head
from steerable.run.outputs import read_json, write_text
from steerable.run.place_floors import OWN_KINDS, Linear, fit_places, place_scores, read_filter
from steerable.run.scores import accuracy, auc, binned, error_figures
from steerable.tasks.floor import LinearFloor, best_floor
from steerable.tasks.statistics import find_statistics

FILE = "floors.json"


@dataclass(frozen=True)
class Floors:
    """Both floors, fitted to the training part; validation chose the penalty and the features of the linear one.

    Attributes:
        constant: ``class`` (the most frequent one), or ``median`` and ``mean`` of the values or of each entry.
        low, high: the range of the training values; 0 for classes.
        linear: logistic or ridge regression on global statistics, blind to position and orientation; for answers at
            every place on statistics of its surroundings, blind to orientation; for fields on the sphere the best
            isotropic filter.
        outputs: classes; 1 for values; the entries of a vector.
        statistics: which, and of which sampling and fields: see :func:`steerable.tasks.statistics.find_statistics`.
    """

    constant: dict[str, Any]
    low: float
    high: float
    linear: Linear
    outputs: int
    statistics: dict[str, Any]

    @staticmethod
    def fit(data: Splits) -> Floors:
        """Fit both to the training part; the test part is not looked at."""
        train, val = data.train, data.val
        domain = domain_of(train)
        kind = domain.place_statistics if train.dense else domain.statistics
        spec = {"kind": kind}
        if train.sampling:
            spec |= {"sampling": train.sampling, "type": train.type, "channels": train.channels}
        if train.dense:
            constant, linear, spec = fit_places(train, val, spec)
            return Floors(constant, 0.0, 0.0, linear, train.outputs, spec)
        linear = best_floor((train.x, train.y), (val.x, val.y), find_statistics(**spec))
        if data.target is None:
            common = int(torch.tensor(train.counts()).argmax())
            return Floors({"class": common}, 0.0, 0.0, linear, train.outputs, spec)
        y = train.y.double()
        if data.target.columns:
            parts = {"median": y.median(0).values.tolist(), "mean": y.mean(0).tolist()}
            return Floors(parts, 0.0, 0.0, linear, train.outputs, spec)
        middle = float(torch.quantile(y, 0.5))
        return Floors({"median": middle, "mean": float(y.mean())}, float(y.min()), float(y.max()), linear, 1, spec)

    def edges(self, bins: int) -> list[float]:
        """Return the edges of equal bins over the range of the training values."""
        return torch.linspace(self.low, self.high, bins + 1, dtype=torch.float64).tolist()

    def scores(self, data: Samples, bins: int = 4) -> dict[str, dict[str, Any]]:
        """Return the figures of :mod:`steerable.run.scores` for ``constant`` and ``linear``.

        The constant answers the most frequent class; for values it is the median where absolute errors are averaged,
        and the mean elsewhere. Both floors are blind to orientation: a turned image changes nothing.
        """
        if data.dense:
            return place_scores(self.constant, self.linear, self.outputs, self.statistics, data)
        found = self.linear(data.x)  # type: ignore[arg-type]
        if data.target is None:
            constant = torch.zeros(len(data), self.outputs)
            constant[:, int(self.constant["class"])] = 1
            # a class that never occurred in training has no logit
            linear = F.pad(found, (0, self.outputs - found.shape[1]), value=-torch.inf)
            flat = torch.zeros(len(data), self.outputs)
            return {"constant": self._classes(constant, flat, data), "linear": self._classes(linear, linear, data)}
        if data.target.columns:
            return self._vectors(found, data)
        y, edges = data.y, self.edges(bins)
        median, mean = (torch.full((len(data),), self.constant[k], dtype=torch.float64) for k in ("median", "mean"))
        rows = [{**b, "mae": a["mae"]} for a, b in zip(binned(median, y, edges), binned(mean, y, edges), strict=True)]
        mae = error_figures(median, y)["mae"]
        linear = error_figures(found, y)
        return {
            "constant": {**error_figures(mean, y), "mae": mae, "mae_turned": mae, "moved": 0.0, "bins": rows},
            "linear": {**linear, "mae_turned": linear["mae"], "moved": 0.0, "bins": binned(found, y, edges)},
        }

    def _vectors(self, found: Tensor, data: Samples) -> dict[str, dict[str, Any]]:
        target = data.target
        report = find_head(target.head).report if target is not None and target.head else None
        rows = {}
        each = {k: torch.tensor(self.constant[k], dtype=torch.float64) for k in ("mean", "median")}
        mean, median = (each[k].expand_as(found) for k in ("mean", "median"))
        for name, answer, middle in (("constant", mean, median), ("linear", found, found)):
            rmse = error_figures(answer, data.y)["rmse"]
            more = {} if report is None else report(answer, data.y.double())
            mae = error_figures(middle, data.y)["mae"]
            rows[name] = {"rmse": rmse, "rmse_turned": rmse, "mae": mae, "moved": 0.0, **more}
        return rows

    @staticmethod
    def _classes(choice: Tensor, order: Tensor, data: Samples) -> dict[str, float]:
        hit = accuracy(choice, data.y)
        return {"accuracy": hit, "accuracy_turned": hit, "auc": auc(order, data.y), "changed": 0.0}

    def save(self, folder: Path) -> None:
        """Write both floors into the folder of a run, one line."""
        import json

        value: dict[str, Any] = {"constant": self.constant, "range": [self.low, self.high], "outputs": self.outputs}
        value["statistics"] = self.statistics
        write_text(folder / FILE, json.dumps({**value, "linear": self.linear.to_json()}) + "\n")

    @staticmethod
    def load(folder: Path) -> Floors:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: no such file, or another content.
        """
        what = f"the floors that `steerable fit` writes beside a network, {FILE}"
        return Floors.from_json(read_json(folder / FILE, what), str(folder / FILE))

    @staticmethod
    def from_json(value: Any, where: str) -> Floors:
        """Build from what :meth:`save` wrote.

        Args:
            value: the JSON.
            where: what it is called in an error message.

        Raises:
            InputError: another content.
        """
        try:
            low, high = value["range"]
            spec = value.get("statistics", "image")
            spec = {"kind": spec} if isinstance(spec, str) else spec
            linear = (
                read_filter(value["linear"], spec)
                if spec["kind"] in OWN_KINDS
                else LinearFloor.from_json(value["linear"], find_statistics(**spec))
            )
            return Floors(value["constant"], float(low), float(high), linear, int(value["outputs"]), spec)
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(
                f"'{where}' lacks or garbles {e}; expected the floors that `steerable fit` writes. Train again."
            ) from None
