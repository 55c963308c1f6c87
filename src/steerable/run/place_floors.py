"""The floors of answers at every place."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Samples
from steerable.data.checks import field_type
from steerable.domains.sphere import parse_sphere
from steerable.run.coded import CODED, LowPass, coded_floors, fit_coded
from steerable.run.dense import field_figures, mean_iou, place_counts, share_right, with_turned
from steerable.run.domains import domain_of
from steerable.run.domains.sphere import answer_type, input_type, sphere_of
from steerable.run.field_units import field_units
from steerable.tasks.floor import LinearFloor, best_floor
from steerable.tasks.sky.filter_floor import FilterFloor
from steerable.tasks.statistics import find_statistics, some_places

#: the statistics of a floor that is an isotropic filter of fields
FILTER = "sphere_filter"
#: kinds of floors that are no regression on statistics
OWN_KINDS = (FILTER, CODED)
Linear = LinearFloor | FilterFloor | LowPass
Fitted = tuple[dict[str, Any], Linear, dict[str, Any]]


def fit_places(train: Samples, val: Samples, spec: dict[str, Any]) -> Fitted:
    """Return the constant, the linear floor and its statistics, fitted to the training part.

    Args:
        train, val: with answers at every place.
        spec: of the statistics of a place.
    """
    if train.target is not None and train.target.trade:
        return *fit_coded(train, val), {**spec, "kind": CODED}
    if train.target is not None and train.sampling:
        floor = FilterFloor(sphere_of(train), input_type(train), answer_type(train))
        floor.fit((train.x, train.y), (val.x, val.y))  # type: ignore[arg-type]
        more = {"kind": FILTER, "out": train.target.type, "outputs": train.outputs}
        return {"mean": field_units(train)[0]}, floor, {**spec, **more}
    statistics = find_statistics(**spec)
    parts = [some_places(part.x, part.y, statistics) for part in (train, val)]  # type: ignore[arg-type]
    linear = best_floor(parts[0], parts[1], lambda x: x)
    if train.target is not None:
        return {"mean": field_units(train)[0]}, linear, spec
    areas = domain_of(train).areas(train)
    counts = torch.ones_like(train.y, dtype=torch.float64) if areas is None else areas.expand(train.y.shape)
    known = train.y >= 0
    return {"class": int(train.y[known].bincount(counts[known]).argmax())}, linear, spec


def read_filter(value: list[dict[str, Any]], spec: dict[str, Any]) -> FilterFloor | LowPass:
    """Return the filter that a run wrote with its statistics."""
    if spec["kind"] == CODED:
        return LowPass(parse_sphere(spec["sampling"]), int(value[0]["degrees"]))
    fields = field_type(spec["type"], int(spec["channels"]), "floors")
    out = field_type(spec["out"], int(spec["outputs"]), "floors")
    return FilterFloor.from_json(value, parse_sphere(spec["sampling"]), fields, out)


def place_scores(
    constant: dict[str, Any], linear: Linear, outputs: int, spec: dict[str, Any], data: Samples
) -> dict[str, dict[str, Any]]:
    """Return the figures of :mod:`steerable.run.dense` for ``constant`` and ``linear``; a turn changes neither.

    Args:
        constant, linear, spec: what :func:`fit_places` returned.
        outputs: classes, or entries of the values.
        data: to be scored.
    """
    areas = domain_of(data).areas(data)
    if isinstance(linear, LowPass):
        return coded_floors(constant, linear, data)
    if data.target is not None:
        mean = torch.tensor(constant["mean"], dtype=torch.float64).view(-1, *[1] * len(data.places))
        answers = {"constant": mean.expand(data.y.shape), "linear": _values(linear, spec, data)}
        errors = {name: field_figures(a, data.y, areas, data.target) for name, a in answers.items()}
        return {name: {**with_turned(e, e), "moved": 0.0} for name, e in errors.items()}
    kind = torch.int64 if areas is None else torch.float64
    counts = {name: torch.zeros(outputs, outputs, dtype=kind) for name in ("constant", "linear")}
    statistics = find_statistics(**spec)
    for x, y in zip(data.x.split(1), data.y.split(1), strict=True):  # statistics are many times a volume
        found = _answer(linear, statistics(x))
        # a class that never occurred in training has no logit
        found = F.pad(found, (0, outputs - found.shape[1]), value=-torch.inf)
        one = torch.zeros_like(found)
        one[:, int(constant["class"])] = 1
        for name, logits in (("linear", found), ("constant", one)):
            counts[name] += place_counts(logits.T.reshape(1, outputs, *y.shape[1:]), y, areas)
    rows = {}
    for name, c in counts.items():
        rows[name] = {"iou": mean_iou(c), "iou_turned": mean_iou(c), "accuracy": share_right(c), "changed": 0.0}
    return rows


def _answer(linear: Linear, statistics: Tensor) -> Tensor:
    if not isinstance(linear, LinearFloor):
        raise TypeError(f"floors: {type(linear).__name__} of {list(statistics.shape)}; expected a LinearFloor")
    return linear.answer(statistics)


def _values(linear: Linear, spec: dict[str, Any], data: Samples) -> Tensor:
    if not isinstance(linear, LinearFloor):
        return linear(data.x)  # type: ignore[arg-type]
    statistics = find_statistics(**spec)
    rows = [linear.answer(statistics(x)).reshape(*data.places, -1).movedim(-1, 0) for x in data.x.split(1)]
    return torch.stack(rows)
