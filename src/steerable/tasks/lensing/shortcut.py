"""Does a data set betray its classes to a model that sees no pattern?

A network that scores well on a data set with a shortcut may have learned the shortcut. The test: a linear classifier
on statistics of the noisy image that know nothing of position or orientation (flux, extremes, quantiles, widths, and
their squares). In the mode `physical` it must not be shown to be more than `MARGIN` above chance; in the mode
`as_published` it finds the mass that the clumps add to one and the same lens.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from steerable.tasks.floor import LinearFloor, best_floor, image_statistics, with_squares
from steerable.tasks.lensing.draw import draw_scenes
from steerable.tasks.lensing.render import add_noise, noise_level, render
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["MARGIN", "Shortcut", "noisy_images", "shortcuts"]

MARGIN = 0.03
"""Accuracy above chance that counts as a shortcut."""

_CHUNK = 100  # scenes at a time; bounds the memory


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """What a linear model on global statistics makes of some classes.

    Attributes:
        classes: which.
        accuracy: on the test images, all classes equally frequent.
        error: its binomial standard error.
        images: test images in all.
    """

    classes: tuple[str, ...]
    accuracy: float
    error: float
    images: int

    @property
    def chance(self) -> float:
        """Accuracy of a guess."""
        return 1.0 / len(self.classes)

    @property
    def shown(self) -> bool:
        """Whether the test images show a shortcut: more than `MARGIN` above chance by more than 1.645 errors."""
        return self.accuracy - 1.645 * self.error > self.chance + MARGIN

    def __str__(self) -> str:
        verdict = "SHORTCUT" if self.shown else "no shortcut shown"
        return (
            f"{' / '.join(self.classes)}: linear model on global statistics {self.accuracy:.3f} +- {self.error:.3f}, "
            f"chance {self.chance:.3f}, {self.images} test images: {verdict}"
        )


def noisy_images(settings: LensSettings, label: int, count: int, *, seed: int, split: str) -> Tensor:
    """Images [count, n, n] of one class with their noise, as they are observed."""
    rows = []
    for start in range(0, count, _CHUNK):
        drawn = draw_scenes(settings, label, range(start, min(start + _CHUNK, count)), seed=seed, split=split)
        image = render(drawn, settings)
        rows.append(add_noise(image, noise_level(image, settings), drawn, settings))
    return torch.cat(rows)


def shortcuts(
    settings: LensSettings,
    *,
    train: int = 1000,
    validation: int = 300,
    test: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Shortcut]:
    """The test for all classes together and for each pair.

    Args:
        settings: of the simulation.
        train: images of each class that the linear model is fitted to.
        validation: images of each class that choose its penalty.
        test: images of each class that judge it.
        seed: of the images.
        progress: called with (class and split done, all).
    """
    statistics = with_squares(image_statistics)
    features: dict[str, list[Tensor]] = {}
    counts = {"train": train, "validation": validation, "test": test}
    done, total = 0, len(counts) * len(settings.classes)
    for split, count in counts.items():
        features[split] = []
        for label in range(len(settings.classes)):
            features[split].append(statistics(noisy_images(settings, label, count, seed=seed, split=split)))
            done += 1
            if progress is not None:
                progress(done, total)
    labels = tuple(range(len(settings.classes)))
    groups = [labels, *itertools.combinations(labels, 2)] if len(labels) > 2 else [labels]
    found = []
    for group in groups:
        parts = {
            split: (torch.cat([rows[k] for k in group]), torch.arange(len(group)).repeat_interleave(counts[split]))
            for split, rows in features.items()
        }
        floor: LinearFloor = best_floor(parts["train"], parts["validation"], statistics=lambda x: x)
        right = (floor.answer(parts["test"][0]).argmax(1) == parts["test"][1]).double()
        accuracy = float(right.mean())
        error = math.sqrt(accuracy * (1.0 - accuracy) / len(right))
        found.append(Shortcut(tuple(settings.classes[k] for k in group), accuracy, error, len(right)))
    return found
