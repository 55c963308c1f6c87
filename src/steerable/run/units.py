"""A regression network that answers in the unit of its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from steerable.run.heads import find_head


class InUnits(nn.Module):
    """Mean and spread of the training values, folded into the answer of a network that learned standardised values.

    Args:
        model: ``[B, C, H, W] -> [B, 1]``, standardised; or one on points.
        mean: of the training values.
        std: of the training values.
        baseline: of a network on points: what each feature of a point adds, see :class:`steerable.data.Target`.
    """

    def __init__(self, model: nn.Module, mean: float, std: float, baseline: Sequence[float] = ()) -> None:
        super().__init__()
        self.model, self.mean, self.std, self.baseline = model, mean, std, tuple(baseline)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        """``[B, C, H, W] -> [B, 1]``, in the unit of the target; on points: features, positions, batch."""
        out = self.mean + self.std * self.model(x, *more)
        if not self.baseline:
            return out
        known = x.double() @ torch.tensor(self.baseline, dtype=torch.float64, device=x.device)
        total = known.new_zeros(len(out)).index_add(0, more[-1], known)
        return out + total[:, None].to(out)

    def extra_repr(self) -> str:
        """Return the two numbers."""
        return f"mean={self.mean:g}, std={self.std:g}"


class Tempered(nn.Module):
    """A classifier whose logits are divided by a temperature, so that their softmax is calibrated.

    Args:
        model: ``[B, C, H, W] -> [B, K]``.
        temperature: above 1 makes it less sure; see :mod:`steerable.run.calibrate`.
    """

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, *x: Tensor) -> Tensor:
        """``[B, C, H, W] -> [B, K]``, logits."""
        return self.model(*x) / self.temperature

    def extra_repr(self) -> str:
        """Return the temperature."""
        return f"temperature={self.temperature:g}"


class Headed(nn.Module):
    """A network and the function that makes a vector of values from what it answers.

    Args:
        model: ``[B, C, H, W] -> [B, K]``.
        head: ``[B, K] -> [B, K]``.
    """

    def __init__(self, model: nn.Module, head: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.head = model, head
        if isinstance(head, Affine):  # fields keep their type, for one spread is that of a whole field
            self.in_type, self.out_type = (getattr(model, name, None) for name in ("in_type", "out_type"))

    def forward(self, *x: Tensor) -> Tensor:
        """``[B, C, H, W] -> [B, K]``, in the unit of the target."""
        return self.head(self.model(*x))

    def extra_repr(self) -> str:
        """Return the name of the head."""
        return f"head={self.head}"


class Affine:
    """``mean + std * x``, entry by entry, also at many places: the head of a vector that has none of its own.

    Args:
        mean, std: of each entry, K numbers.
    """

    def __init__(self, mean: list[float], std: list[float]) -> None:
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def __call__(self, x: Tensor) -> Tensor:
        """``[B, K, ...] -> [B, K, ...]``."""
        mean, std = self._at(x)
        return mean + std * x

    def back(self, y: Tensor) -> Tensor:
        """The inverse."""
        mean, std = self._at(y)
        return (y - mean) / std

    def _at(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (x.ndim - 2))
        return self.mean.to(x).view(shape), self.std.to(x).view(shape)


def vector_head(target: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """Return the function from answers to values that the record of a run describes, for a vector.

    Args:
        target: ``head`` (a name, or empty), and ``mean`` and ``std`` where there is none.
    """
    return find_head(target["head"]).values if target.get("head") else Affine(target["mean"], target["std"])


def in_units(model: nn.Module, target: Mapping[str, Any]) -> nn.Module:
    """Return the network with the answer in the unit of its target.

    Args:
        model: what was trained.
        target: the ``target`` of the record of a run.
    """
    if target.get("columns"):
        return Headed(model, vector_head(target))
    return InUnits(model, float(target["mean"]), float(target["std"]), target.get("baseline", ()))
