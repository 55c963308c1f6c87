"""The demo: simulate, train three networks, judge them with the same measure, write a page."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from steerable.tasks.floor import best_floor
from steerable.tasks.lensing.dataset import LensData, simulate
from steerable.tasks.lensing.evaluate import AngleCurve, Evaluation, angle_curve, difference, evaluate
from steerable.tasks.lensing.metrics import accuracy, macro_auc
from steerable.tasks.lensing.residual import BANNERS
from steerable.tasks.lensing.settings import LensSettings
from steerable.tasks.lensing.train import Fit, fit

__all__ = ["ENTRANTS", "DemoResult", "Entrant", "Row", "run_demo"]

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A network of the demo and how it is trained; the schedule was chosen on validation images.

    Attributes:
        name: row of the table.
        model: name in the registry of models.
        epochs, lr: schedule of `fit`.
        augment: train on images moved by random elements of D(4).
        expected: of `EXPECTED`, by column of the table; empty where the run is not the usual one.
    """

    name: str
    model: str
    epochs: int
    lr: float
    augment: bool
    expected: dict[str, float] = dataclasses.field(default_factory=dict)


def _expected(
    accuracy: float, turned: float, auc: float, changed: float, error: float, parameters: int, seconds: float
) -> dict[str, float]:
    return {
        "accuracy": accuracy,
        "accuracy_turned": turned,
        "auc": auc,
        "changed": changed,
        "error": error,
        "parameters": parameters,
        "seconds": seconds,
    }


ENTRANTS = (
    Entrant("equivariant D(4)", "lens_cnn", 25, 1e-2, False),
    Entrant("plain CNN", "lens_cnn_plain", 40, 5e-3, False),
    Entrant("plain CNN + augmentation", "lens_cnn_plain", 60, 5e-3, True),
)

USUAL = {"train": 200, "validation": 100, "test": 300}

EXPECTED = {
    "residual": {
        "equivariant D(4)": _expected(0.865, 0.865, 0.959, 0, 1.7e-7, 39_571, 25),
        "plain CNN": _expected(0.786, 0.784, 0.917, 0.193, 0.48, 39_129, 13),
        "plain CNN + augmentation": _expected(0.852, 0.855, 0.954, 0.068, 0.21, 39_129, 20),
    },
    "fit_residual": {
        "equivariant D(4)": _expected(0.875, 0.875, 0.959, 0, 1.8e-7, 39_571, 29),
        "plain CNN": _expected(0.786, 0.783, 0.921, 0.194, 0.48, 39_129, 13),
        "plain CNN + augmentation": _expected(0.860, 0.856, 0.957, 0.079, 0.22, 39_129, 18),
    },
}
"""Means of the seeds 0, 1, 2 on the usual numbers of images, by input, network and column of the table; single runs
spread by about 0.015 in accuracy. Seconds are those of one core."""

EXPECTED_FLOOR = {
    "residual": {"accuracy": 0.735, "auc": 0.891},
    "fit_residual": {"accuracy": 0.730, "auc": 0.886},
}


def fit_summary(data: LensData) -> dict[str, Any]:
    """How the blind fits of a split went, see `DemoResult.fits`."""
    if data.fit_converged is None or data.fit_chi2 is None:
        return {}
    linear = data.residual.double().square().mean((1, 2))
    rows = {
        name: {
            "blind": float(data.fit_chi2[data.label == k].median()),
            "at_truth": float(linear[data.label == k].median()),
        }
        for k, name in enumerate(data.classes)
    }
    return {"images": len(data), "converged": float(data.fit_converged.double().mean()), "median_chi2": rows}


@dataclasses.dataclass(frozen=True)
class Row:
    """One network: what it is, how it trained, how it scored on the test split."""

    entrant: Entrant
    parameters: int
    training: Fit
    test: Evaluation


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """Everything the table and the page show.

    Attributes:
        rows: one per network, in the order of `ENTRANTS`.
        floor: accuracy and AUC of the linear floor on the test split.
        expected_floor: the same on the mean of three seeds; empty where the run is not the usual one.
        claims: sentences that follow from the numbers of this run.
        curve: answers against the angle of the sky.
        images: images a class by split.
        seed: of data, weights and order.
        quick: a run too small to mean anything.
        seconds: wall time by stage.
        report: the page.
        input: the residual that the networks saw, "fit_residual" (blind) or "residual" (linearised at the truth).
        fits: of the test split: share of blind fits that converged, and by class the median chi2 per pixel of the
            blind fit and of the linearisation at the truth; empty without blind fits.
    """

    rows: tuple[Row, ...]
    floor: dict[str, float]
    expected_floor: dict[str, float]
    claims: tuple[str, ...]
    curve: AngleCurve
    images: dict[str, int]
    seed: int
    quick: bool
    seconds: dict[str, float]
    report: Path
    input: str
    fits: dict[str, Any]

    def to_dict(self) -> dict[str, object]:
        """Numbers of the run, JSON-ready."""
        return {
            "note": BANNERS[self.input],
            "input": self.input,
            "blind_fits": self.fits,
            "seed": self.seed,
            "quick": self.quick,
            "images_per_class": self.images,
            "rows": [
                {
                    "name": row.entrant.name,
                    "model": row.entrant.model,
                    "epochs": row.entrant.epochs,
                    "lr": row.entrant.lr,
                    "augment": row.entrant.augment,
                    "parameters": row.parameters,
                    "seconds": row.training.seconds,
                    "validation_accuracy": row.training.validation_accuracy,
                    "expected": row.entrant.expected,
                    **row.test.to_dict(),
                }
                for row in self.rows
            ],
            "linear_floor": self.floor,
            "claims": list(self.claims),
            "angle_curve": dataclasses.asdict(self.curve),
            "seconds": self.seconds,
            "torch": torch.__version__,
        }


def compare(one: Row, other: Row) -> str:
    """A sentence on the difference in accuracy; it names a winner only beyond two standard errors."""
    gain, error = difference(one.test, other.test)
    points = f"{abs(100 * gain):.1f} points (standard error {100 * error:.1f}, {len(one.test.label)} test images)"
    if abs(gain) <= 2 * error:
        return f"{one.entrant.name} and {other.entrant.name} are level: they differ by {points}."
    return f"{one.entrant.name} is {points} {'above' if gain > 0 else 'below'} {other.entrant.name}."


def claims(rows: tuple[Row, ...], floor: dict[str, float], curve: AngleCurve | None = None) -> tuple[str, ...]:
    """What this run shows, and no more."""
    sentences = [compare(rows[0], other) for other in rows[1:]]
    for row in rows:
        changed = round(row.test.changed * len(row.test.label))
        sentences.append(
            f"Turning the sky by 90 degrees changes {changed} of {len(row.test.label)} answers of {row.entrant.name} "
            f"({100 * row.test.changed:.1f} %)."
        )
    above = ", ".join(f"{row.entrant.name} {100 * (row.test.accuracy - floor['accuracy']):+.1f}" for row in rows)
    sentences.append(
        f"A linear model on global statistics of the residual, blind to any pattern, reaches {floor['accuracy']:.3f}; "
        f"against it, in points: {above}."
    )
    if curve is not None and 45.0 in curve.degrees:
        at = curve.degrees.index(45.0)
        errors = ", ".join(f"{name} {100 * values[at]:.0f} %" for name, values in curve.error.items())
        sentences.append(
            f"Turned by 45 degrees, which is no symmetry of a square grid, the same scenes simulated again change the "
            f"logits by: {errors}."
        )
    return tuple(sentences)


def _build(entrant: Entrant, seed: int, stem: str, classes: int) -> nn.Module:
    from steerable.models import create_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_model(entrant.model, in_channels=1, num_classes=classes, stem=stem)


def run_demo(
    out_dir: str | Path,
    seed: int = 0,
    n_train: int = USUAL["train"],
    n_val: int = USUAL["validation"],
    n_test: int = USUAL["test"],
    quick: bool = False,
    progress: Progress | None = None,
    settings: LensSettings | None = None,
    stem: str = "pooled",
    input: str = "fit_residual",
) -> DemoResult:
    """Run the demo and write `report.html` and `result.json` into `out_dir`.

    Args:
        out_dir: folder of the report, made if absent.
        seed: of data, weights and order of images.
        n_train: training images of each class.
        n_val: validation images of each class.
        n_test: test images of each class; nothing is chosen on them.
        quick: two epochs on a handful of images: shows that everything runs; the scores mean nothing.
        progress: called with (stage, steps done, steps in all).
        settings: of the simulation; defaults to `LensSettings()`.
        stem: first layers of all three networks, `pooled` or `strided` (see `steerable.models.lens`).
        input: what the networks see: "fit_residual" after blind fits, or "residual", linearised at the truth.
    """
    from steerable.tasks.lensing.report import write_report

    settings = LensSettings() if settings is None else settings
    settings = dataclasses.replace(settings, blind_fit=input == "fit_residual")
    if quick:
        n_train, n_val, n_test = min(n_train, 16), min(n_val, 8), min(n_test, 16)
    counts = {"train": n_train, "validation": n_val, "test": n_test}
    clock, seconds = time.perf_counter(), {}

    def stage(name: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(name, done, total) if progress is not None else None

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name], clock = now - clock, now

    # Expected values stand beside what they were measured for, and beside nothing else.
    usual = counts == USUAL and dataclasses.replace(settings, blind_fit=True) == LensSettings() and stem == "pooled"
    entrants = tuple(
        dataclasses.replace(entrant, expected=EXPECTED[input][entrant.name] if usual else {}) for entrant in ENTRANTS
    )
    data = {split: simulate(n, seed, split, settings, stage(f"simulate {split}")) for split, n in counts.items()}
    lap("simulate")
    pairs = {split: (part.inputs(input), part.label) for split, part in data.items()}
    rows, models = [], {}
    for entrant in entrants:
        model = _build(entrant, seed, stem, len(settings.classes))
        training = fit(
            model,
            pairs["train"],
            pairs["validation"],
            epochs=2 if quick else entrant.epochs,
            lr=entrant.lr,
            augment=entrant.augment,
            seed=seed,
            progress=stage(f"train {entrant.name}"),
        )
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        rows.append(Row(entrant, parameters, training, evaluate(model, *pairs["test"])))
        models[entrant.name] = model
        lap(f"train {entrant.name}")
    seen = {split: (getattr(part, input), part.label) for split, part in data.items()}
    logits = best_floor(seen["train"], seen["validation"])(seen["test"][0])
    floor = {"accuracy": accuracy(logits, data["test"].label), "auc": macro_auc(logits, data["test"].label)}
    curve = angle_curve(
        models,
        settings,
        seed=seed,
        per_class=(2, 2) if quick else (20, 60),
        steps=(2, 2) if quick else (12, 6),
        kind=input,
        progress=stage("turn the sky"),
    )
    lap("turn the sky")
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    result = DemoResult(
        rows=tuple(rows),
        floor=floor,
        expected_floor=EXPECTED_FLOOR[input] if usual else {},
        claims=("A quick run shows that everything runs, and nothing else.",)
        if quick
        else claims(tuple(rows), floor, curve),
        curve=curve,
        images=counts,
        seed=seed,
        quick=quick,
        seconds=seconds,
        report=folder / "report.html",
        input=input,
        fits=fit_summary(data["test"]),
    )
    write_report(result, models, settings, stage("write the report"))
    lap("write the report")
    (folder / "result.json").write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    return result
