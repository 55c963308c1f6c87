"""One small interface: prepared images in, what each network says out; catalogues are made from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data import Recipe
from steerable.domains.sphere import parse_sphere


class Answerer(ABC):
    """One trained network or several seeds of it, answering together, wherever they come from.

    Attributes:
        source: the folder or the file, as it was named.
        record: of the run, as `steerable fit` wrote it; that of the first seed.
        seeds: one for each network.
        recipe: what is still to be done to the images before they are given to :meth:`each`.
    """

    source: Path
    record: dict[str, Any]
    seeds: list[int]
    recipe: Recipe

    @abstractmethod
    def each(self, x: Tensor) -> Tensor:
        """Return what each network says to images ``[N, C, H, W]`` that the recipe was applied to.

        Returns:
            Logits ``[S, N, K]``, or values ``[S, N, K]`` in the unit of the target (K is 1, or the length of a
            vector); float64, on the CPU.
        """

    @property
    def is_regression(self) -> bool:
        """Whether the answers are values."""
        return self.record["target"] is not None

    def __call__(self, x: Tensor) -> Tensor:
        """Return the answer of each network to images ``[N, C, H, W]`` that the recipe was applied to.

        Returns:
            Probabilities or values ``[S, N, K]``; float64, on the CPU.
        """
        each = self.each(x)
        return each if self.is_regression else each.softmax(2)

    def places(self, x: Tensor) -> Tensor:
        """Return the answers at every place, by the mean of the seeds.

        Returns:
            The class of each place, uint8 ``[N, *places]``; or values, float32 ``[N, K, *places]``.
        """
        mean = self(x).mean(0)
        return mean.float() if self.is_regression else mean.argmax(1).to(torch.uint8)

    def summary(self, places: Tensor) -> dict[str, list[Any]]:
        """Return the columns of the catalogue for answers at every place, by area on the sphere.

        Args:
            places: what :meth:`places` returned, -1 where there is no class. Of classes the share of each; of values
                the mean and the root mean square of each entry.
        """
        sampling = self.record.get("sampling")
        first = places[0].shape if not self.is_regression else places[0, 0].shape
        share = torch.full(first, 1 / first.numel(), dtype=torch.float64)
        if sampling:
            sphere = parse_sphere(sampling)
            share = (sphere.flat_weights() / sphere.flat_weights().sum()).reshape(first)
        share = share.flatten()
        if not self.is_regression:
            classes = enumerate(self.record["classes"])
            known = (places >= 0).double().flatten(1) @ share
            counted = {c: (places == k).double().flatten(1) @ share / known for k, c in classes}
            return {f"share_{c}": found.clamp(max=1).tolist() for c, found in counted.items()}  # rounding passes 1
        found: dict[str, list[Any]] = {}
        for k, name in enumerate(self.record["target"]["columns"]):
            value = places[:, k].double().flatten(1)
            found[f"{name}_mean"] = (value @ share).tolist()
            found[f"{name}_rms"] = (value.square() @ share).sqrt().tolist()
        return found

    def columns(self, x: Tensor) -> dict[str, list[Any]]:
        """Return the columns of the catalogue for images ``[N, C, H, W]`` that the recipe was applied to.

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


class Answers(torch.nn.Module):
    """An answerer as a network, for whatever scores or measures networks.

    Args:
        answerer: what answers. Several seeds answer with the logarithm of their mean probability, or their mean value.
    """

    def __init__(self, answerer: Answerer) -> None:
        super().__init__()
        self.answerer = answerer

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``[N, K]`` or values ``[N, 1]``, in the precision of `x`."""
        each = self.answerer.each(x)
        if self.answerer.is_regression or len(each) == 1:
            return each.mean(0).to(x)
        return each.softmax(2).mean(0).log().to(x)
