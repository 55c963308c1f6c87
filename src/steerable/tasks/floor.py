"""The linear floor: what numbers that know nothing of position or orientation already tell.

A score is worth only what it has above this floor. The fit is convex and runs to convergence in double precision, so
the floor is a property of the data, not of a training run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["LinearFloor", "best_floor", "image_statistics"]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
PIXELS = 4_000_000  # worked on at a time
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
CLIP = 5.0


def image_statistics(images: Tensor) -> Tensor:
    """Statistics of each channel that a turn of the grid by 90 degrees or a flip leaves as they are.

    Flux, maximum, minimum, logarithm of the mean square and of the mean fourth power, standard deviation, quantiles;
    and of the light above the median: mean radius and rms radius about the centre of the image, distance of the
    centroid from it.

    Args:
        images: ``[N, C, H, W]`` or ``[N, H, W]``; or volumes ``[N, C, D, H, W]``.

    Returns:
        ``[N, 16 C]``, float64.
    """
    x = images[:, None] if images.ndim == 3 else images
    some = max(1, PIXELS // max(1, x[0].numel()))
    return torch.cat([_statistics(part.double()).flatten(1) for part in x.split(some)])


def _statistics(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    last = flat.shape[-1] - 1
    lines = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in x.shape[2:]]
    points = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).flatten(0, -2)
    radius = points.norm(dim=-1)
    order = flat.sort(-1).values
    place = torch.tensor(QUANTILES, dtype=torch.float64) * last
    low = place.floor().long()
    quantiles = torch.lerp(order[..., low], order[..., (low + 1).clamp_max(last)], place - low)
    light = (flat - quantiles[..., QUANTILES.index(0.5), None]).clamp_min(0)
    light = light / light.sum(-1, keepdim=True).clamp_min(1e-300)
    tiny = 1e-12  # an empty channel has no logarithm
    numbers = [
        flat.sum(-1),
        order[..., -1],
        order[..., 0],
        (flat.square().mean(-1) + tiny).log(),
        (flat.pow(4).mean(-1) + tiny).log(),
        flat.std(-1, unbiased=False),
        light @ radius,
        (light @ radius.square()).sqrt(),
        (light @ points).norm(dim=-1),
    ]
    return torch.cat([torch.stack(numbers, -1), quantiles], -1)


class LinearFloor:
    """Logistic regression for labels, ridge regression for values, on standardised statistics of images.

    Args:
        statistics: ``[N, ...] -> [N, F]``, float64.
        penalty: weight of the squared norm of the coefficients; keeps separable data finite.
        squares: whether the squares of the standardised statistics are features, too.
        clip: standardised statistics beyond this are set to it, so that one odd image does not carry the answer away.
    """

    def __init__(
        self,
        statistics: Callable[[Tensor], Tensor] = image_statistics,
        penalty: float = 1e-3,
        squares: bool = False,
        clip: float = math.inf,
    ) -> None:
        self.statistics = statistics
        self.penalty, self.squares, self.clip = penalty, squares, clip
        self.mean: Tensor | None = None
        self.std: Tensor | None = None
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None

    def fit(self, x: Tensor, y: Tensor) -> LinearFloor:
        """Fit to images ``[N, ...]`` and labels, int64 ``[N]``, or values, floating ``[N]`` or ``[N, K]``, K > 1.

        Returns:
            Itself.

        Raises:
            ValueError: answers of another shape.
        """
        vectors = y.is_floating_point() and y.ndim == 2 and y.shape[1] > 1  # a column [N, 1] would broadcast
        if y.shape[:1] != (len(x),) or not (y.ndim == 1 or vectors):
            raise ValueError(f"LinearFloor: answers of {list(y.shape)} for {len(x)} images; expected [{len(x)}].")
        return self.fit_features(self.statistics(x), y)

    def fit_features(self, features: Tensor, y: Tensor) -> LinearFloor:
        """Fit to statistics ``[N, F]`` that were computed before, as :meth:`fit` does."""
        self.mean, self.std = features.mean(0), features.std(0).clamp_min(1e-12)
        features = self._features(features)
        if y.is_floating_point():
            self._ridge(features, y.double())
        else:
            self._logistic(features, y)
        return self

    def _features(self, statistics: Tensor) -> Tensor:
        z = (statistics - self.mean) / self.std
        z = z.clamp(-self.clip, self.clip) if math.isfinite(self.clip) else z
        return torch.cat([z, z.square()], -1) if self.squares else z

    def _ridge(self, features: Tensor, y: Tensor) -> None:
        n, f = features.shape
        middle = features.mean(0)
        centred = features - middle
        left = centred.T @ centred / n + self.penalty * torch.eye(f, dtype=torch.float64)
        self.weight = torch.linalg.solve(left, centred.T @ (y - y.mean(0)) / n)
        self.bias = y.mean(0) - middle @ self.weight

    def _logistic(self, features: Tensor, label: Tensor) -> None:
        classes = int(label.max()) + 1
        weight = torch.zeros(features.shape[1], classes, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=300, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(features @ weight + bias, label)
            loss = loss + self.penalty * weight.square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        self.weight, self.bias = weight.detach(), bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` or values ``[N]`` or ``[N, K]``, float64.

        Raises:
            RuntimeError: before :meth:`fit`.
        """
        return self.answer(self.statistics(x))

    def answer(self, features: Tensor) -> Tensor:
        """The same from statistics ``[N, F]``.

        Raises:
            RuntimeError: before :meth:`fit`.
        """
        if self.mean is None or self.std is None or self.weight is None or self.bias is None:
            raise RuntimeError(f"LinearFloor: called on {tuple(features.shape)} before fit(images, answers)")
        return self._features(features) @ self.weight + self.bias

    def to_json(self) -> dict[str, Any]:
        """Return the fitted numbers as plain JSON; the statistics are not among them."""
        clip = self.clip if math.isfinite(self.clip) else None
        own = {"penalty": self.penalty, "squares": self.squares, "clip": clip}
        return {**own, **{k: getattr(self, k).tolist() for k in ("mean", "std", "weight", "bias")}}

    @staticmethod
    def from_json(value: dict[str, Any], statistics: Callable[[Tensor], Tensor] = image_statistics) -> LinearFloor:
        """Build from what :meth:`to_json` returned and the statistics that it was fitted to."""
        clip = math.inf if value["clip"] is None else float(value["clip"])
        floor = LinearFloor(statistics, float(value["penalty"]), bool(value["squares"]), clip)
        for k in ("mean", "std", "weight", "bias"):
            setattr(floor, k, torch.tensor(value[k], dtype=torch.float64))
        return floor


def best_floor(
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    statistics: Callable[[Tensor], Tensor] = image_statistics,
    penalties: Sequence[float] = PENALTIES,
) -> LinearFloor:
    """Fit floors with each penalty, with and without squares; return the one with the lowest loss on validation.

    A floor should be as high as the statistics allow.

    Args:
        train: images ``[N, ...]`` and answers ``[N]``.
        validation: the same; it chooses.
        statistics: of the images.
        penalties: to choose from.
    """
    x, held = statistics(train[0]), statistics(validation[0])
    best, lowest = None, math.inf
    for penalty, squares in itertools.product(penalties, (False, True)):
        floor = LinearFloor(statistics, penalty, squares, CLIP).fit_features(x, train[1])
        answer, y = floor.answer(held), validation[1]
        if y.is_floating_point():
            # a single value is scored by its absolute error, a vector by the root of the mean square
            loss = float((answer - y).abs().mean() if y.ndim == 1 else (answer - y).square().mean())
        else:
            # a class that the training part lacks has no logit
            known = y < answer.shape[1]
            loss = float(torch.nn.functional.cross_entropy(answer[known], y[known])) if known.any() else math.inf
        if best is None or loss < lowest:
            best, lowest = floor, loss
    if best is None:
        raise ValueError(f"best_floor: no penalty among {list(penalties)}; expected at least one.")
    return best
