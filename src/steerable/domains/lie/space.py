"""What a graph on a Lie group is made of: samples, distances, and the samples that are near."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from steerable.groups.group import Group

# pairs at the very distance of a cut-off belong to it, whatever rounding says
TIE = 1 + 1e-9


class Metric(NamedTuple):
    """A left-invariant metric ``diag(1, eps, xi)``.

    Attributes:
        eps: price of a step across the orientation against one along it; 1: isotropic.
        xi: price of a turn by one radian, in squared steps of the grid; None: that of the samples, see each.
    """

    eps: float = 1.0
    xi: float | None = None


class Edges(NamedTuple):
    """Pairs in order of target and source, without those of a sample and itself.

    Attributes:
        target, source: int64 ``[E]``.
        square: squared distance ``[E]``, in steps of the grid.
    """

    target: Tensor
    source: Tensor
    square: Tensor

    @classmethod
    def joined(cls, parts: list[Edges], count: int) -> Edges:
        """Sort parts of pairs of ``count`` samples."""
        none = torch.zeros(0, dtype=torch.int64)
        target = torch.cat([none, *(p.target for p in parts)])
        source = torch.cat([none, *(p.source for p in parts)])
        square = torch.cat([none.double(), *(p.square for p in parts)])
        order = (target * count + source).argsort()
        return cls(target[order], source[order], square[order])


class Shares(NamedTuple):
    """Which samples make up each of a coarser space.

    Attributes:
        index: int64 ``[coarse, n]``.
        weight: float64 ``[coarse, n]``, of sum 1; 0 pads.
    """

    index: Tensor
    weight: Tensor


class GroupSamples(ABC):
    """Samples of a Lie group or of a space it acts on, with distances of a metric in steps of the grid."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Axes of a field after the channels."""

    @property
    @abstractmethod
    def key(self) -> tuple[object, ...]:
        """What makes two equal."""

    @property
    @abstractmethod
    def xi(self) -> float:
        """The usual price of a turn."""

    @property
    def orientations_at(self) -> int:
        """Orientations at each place, along the last axis; 0: there is no such axis."""
        return self.shape[-1]

    @abstractmethod
    def points(self) -> Tensor:
        """Coordinates ``[*shape, n]`` float64."""

    @abstractmethod
    def areas(self) -> Tensor:
        """Share of the space of each sample, ``[V]``."""

    @abstractmethod
    def reach(self, metric: Metric, k: int) -> Tensor:
        """Distance of the k-th nearest sample, of samples that stand for all and are not at a border, ``[n]``."""

    @abstractmethod
    def pairs(self, metric: Metric, radius: float) -> Edges:
        """All pairs at most ``radius`` apart, found by locality."""

    @abstractmethod
    def coarser(self) -> GroupSamples:
        """The same with about a quarter of the places. Raises ``ValueError`` where there is none."""

    @abstractmethod
    def shares(self) -> Shares:
        """Which samples make up each of :meth:`coarser`."""

    @abstractmethod
    def permutation(self, group: Group, g: Tensor) -> Tensor | None:
        """Number of the sample to which each is moved by one element, ``[V]``; None if samples fall between."""

    def turn(self, metric: Metric) -> float:
        """The price of a turn: of the metric, or the usual one."""
        return self.xi if metric.xi is None else metric.xi


def kth(square: Tensor, k: int) -> Tensor:
    """Square root of the k-th smallest entry of each row ``[n, many]``."""
    return square.kthvalue(k, -1).values.sqrt()
