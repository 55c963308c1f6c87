"""Judge one classifier on one split, upright and turned."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from steerable.tasks.lensing.dataset import blind_fit, observe
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.macro.result import MacroFit
from steerable.tasks.lensing.metrics import (
    accuracy,
    changed_predictions,
    confusion_matrix,
    equivariance_error,
    macro_auc,
    predict,
)
from steerable.tasks.lensing.render import noise_level, render
from steerable.tasks.lensing.residual import network_input
from steerable.tasks.lensing.scene import turn_macro
from steerable.tasks.lensing.settings import LensSettings
from steerable.tasks.lensing.train import turn_d4

__all__ = ["AngleCurve", "Evaluation", "TurningSky", "angle_curve", "difference", "evaluate"]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores on N images.

    Attributes:
        accuracy, accuracy_turned: share of correct predictions, upright and with every image turned by 90 degrees.
        auc: macro one-vs-rest area under the ROC curve, upright.
        changed: share of images whose prediction changes under the turn.
        error: relative change of the logits under the turn.
        confusion: [3, 3] counts, row = truth.
        logits: [N, 3], upright.
        label: [N].
    """

    accuracy: float
    accuracy_turned: float
    auc: float
    changed: float
    error: float
    confusion: Tensor
    logits: Tensor
    label: Tensor

    def to_dict(self) -> dict[str, object]:
        """The scores, JSON-ready, without logits and labels."""
        scores = {name: getattr(self, name) for name in ("accuracy", "accuracy_turned", "auc", "changed", "error")}
        return {**scores, "confusion": self.confusion.tolist(), "images": len(self.label)}


def evaluate(model: nn.Module | Callable[[Tensor], Tensor], inputs: Tensor, label: Tensor) -> Evaluation:
    """Scores of a classifier on inputs [N, 1, n, n] and labels [N]; the turn by 90 degrees is exact on the grid."""
    upright, turned = predict(model, inputs), predict(model, turn_d4(inputs, 1))
    return Evaluation(
        accuracy=accuracy(upright, label),
        accuracy_turned=accuracy(turned, label),
        auc=macro_auc(upright, label),
        changed=changed_predictions(upright, turned),
        error=equivariance_error(upright, turned),
        confusion=confusion_matrix(upright, label),
        logits=upright,
        label=label,
    )


def difference(one: Evaluation, other: Evaluation) -> tuple[float, float]:
    """(accuracy of one - of other, its standard error) on the same images: the error of paired differences."""
    gain = (one.logits.argmax(1) == one.label).double() - (other.logits.argmax(1) == other.label).double()
    return float(gain.mean()), float(gain.std(correction=0)) / math.sqrt(len(gain))


class TurningSky:
    """Scenes that are turned and then **simulated again**: nothing is interpolated.

    The noise level stays that of the upright scene, so that the angle is the only change. A blind fit starts from the
    turned parameters of the blind fit to the upright image, which saves its search.

    Args:
        scenes: upright, one batch for each class.
        settings: of the simulation.
        noise: without it the images are noise-free while sigma is the same: white noise has no exact turn by less than
            90 degrees.
        kind: the residual that the networks see, "residual" or "fit_residual".
    """

    def __init__(self, scenes: list[Drawn], settings: LensSettings, noise: bool, kind: str) -> None:
        self.scenes, self.settings, self.noise, self.kind = scenes, settings, noise, kind
        self.sigmas = [noise_level(render(scene, settings), settings) for scene in scenes]
        self.upright: list[Tensor | None] = [None] * len(scenes)
        if kind == "fit_residual":
            self.upright = [self._fit(i, 0.0).macro for i in range(len(scenes))]

    def _observe(self, i: int, degrees: float) -> tuple[Tensor, Tensor]:
        image, residual, _ = observe(
            self.scenes[i].turned(degrees), self.settings, noise=self.noise, sigma=self.sigmas[i]
        )
        return image, residual

    def _fit(self, i: int, degrees: float) -> MacroFit:
        start = self.upright[i]
        starts = None if start is None else turn_macro(start, degrees)[:, None]
        return blind_fit(self._observe(i, degrees)[0], self.sigmas[i], self.settings, starts)

    def inputs(self, degrees: float) -> Tensor:
        """[N, 1, n, n] inputs of all scenes after a turn by `degrees`."""
        rows = []
        for i in range(len(self.scenes)):
            blind = self.kind == "fit_residual"
            rows.append(network_input(self._fit(i, degrees).residual if blind else self._observe(i, degrees)[1]))
        return torch.cat(rows)


@dataclasses.dataclass(frozen=True)
class AngleCurve:
    """Answers against the angle of the sky.

    Attributes:
        degrees: the angles.
        error: by model, relative change of the logits at each angle (noise-free scenes).
        accuracy: by model, accuracy at each angle of `accuracy_degrees` (noisy scenes, noise not turned).
        accuracy_degrees: the angles of the accuracies.
        scenes: number of scenes behind each point of (error, accuracy).
    """

    degrees: tuple[float, ...]
    error: dict[str, list[float]]
    accuracy_degrees: tuple[float, ...]
    accuracy: dict[str, list[float]]
    scenes: tuple[int, int]


def angle_curve(
    models: dict[str, nn.Module],
    settings: LensSettings,
    *,
    seed: int = 0,
    per_class: tuple[int, int] = (20, 60),
    steps: tuple[int, int] = (12, 6),
    kind: str = "residual",
    progress: Callable[[int, int], None] | None = None,
) -> AngleCurve:
    """Error and accuracy of the models between 0 and 90 degrees, on turned test scenes that are simulated again.

    Args:
        models: classifiers by name.
        settings: of the simulation.
        seed: of the test split.
        per_class: scenes of each class for the error and for the accuracy.
        steps: intervals between 0 and 90 degrees for the error and for the accuracy.
        kind: the residual that the networks see, "residual" or "fit_residual".
        progress: called with (angles done, angles in all).
    """
    grids = [tuple(90.0 * i / n for i in range(n + 1)) for n in steps]
    done, total = 0, sum(len(grid) for grid in grids)
    results: list[dict[str, list[float]]] = []
    for grid, count, noise in zip(grids, per_class, (False, True), strict=True):
        scenes = [draw_scenes(settings, k, range(count), seed=seed, split="test") for k in range(len(settings.classes))]
        label = torch.cat([scene.label for scene in scenes])
        values: dict[str, list[float]] = {name: [] for name in models}
        upright: dict[str, Tensor] = {}
        sky = TurningSky(scenes, settings, noise, kind)
        for degrees in grid:
            inputs = sky.inputs(degrees)
            for name, model in models.items():
                logits = predict(model, inputs)
                upright.setdefault(name, logits)
                values[name].append(accuracy(logits, label) if noise else equivariance_error(upright[name], logits))
            done += 1
            if progress is not None:
                progress(done, total)
        results.append(values)
    counts = (per_class[0] * len(settings.classes), per_class[1] * len(settings.classes))
    return AngleCurve(grids[0], results[0], grids[1], results[1], counts)
