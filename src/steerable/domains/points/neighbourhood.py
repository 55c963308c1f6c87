"""Which points are near which, as plain tensors: what a layer on points takes beside its features."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Neighbourhood:
    """Pairs ``i <- j``: E edges, each with the place of its source as seen from its target.

    A registered pytree, so that it passes through `torch.compile`, `torch.export` and `tree_map`; nothing in it is
    cached. Pairs are sorted by target, then by source, then by periodic shift.

    Attributes:
        target: i, int64 ``[E]``, ascending.
        source: j, int64 ``[E]``.
        offset: ``x_j - x_i`` ``[E, n]``, periodic shifts included; differentiable in the positions and the cell.
        num_targets: number of points that receive.
        num_sources: number of points that send.
        weight: of each edge ``[E]``, such as the share of space of its source; None: 1.
        attributes: whatever else a kernel depends on ``[E, ...]``; None: nothing.
        transport: of each edge ``[E]``, the angle by which the frame of the source, carried to the target, is turned
            against the frame there (curved surfaces): coefficients c of the source become ``rho(t) c``. None: 0.

    Raises:
        ValueError: shapes that do not belong together. Values are not looked at.
    """

    target: Tensor
    source: Tensor
    offset: Tensor
    num_targets: int
    num_sources: int
    weight: Tensor | None = None
    attributes: Tensor | None = None
    transport: Tensor | None = None

    def __post_init__(self) -> None:
        tensors = (self.target, self.source, self.offset, self.weight, self.attributes, self.transport)
        if not all(t is None or isinstance(t, Tensor) for t in tensors) or torch.compiler.is_compiling():
            return  # pytrees are also made of shapes and of names
        edges = self.target.shape
        if len(edges) != 1 or self.source.shape != edges:
            raise ValueError(
                f"Neighbourhood: target is {list(edges)} and source {list(self.source.shape)}; expected [E] twice."
            )
        if self.offset.ndim != 2 or self.offset.shape[0] != edges[0]:
            raise ValueError(
                f"Neighbourhood: offset is {list(self.offset.shape)}; expected [E, n] with E = {edges[0]} edges, one "
                "row x_j - x_i for each."
            )
        if self.weight is not None and self.weight.shape != edges:
            raise ValueError(f"Neighbourhood: weight is {list(self.weight.shape)}; expected {list(edges)} or None.")
        if self.transport is not None and self.transport.shape != edges:
            raise ValueError(
                f"Neighbourhood: transport is {list(self.transport.shape)}; expected {list(edges)} or None."
            )
        if self.attributes is not None and self.attributes.shape[:1] != edges:
            raise ValueError(
                f"Neighbourhood: attributes are {list(self.attributes.shape)}; expected [{edges[0]}, ...] or None."
            )

    @property
    def num_edges(self) -> int:
        """E."""
        return self.target.shape[0]

    @property
    def dimension(self) -> int:
        """n, the number of coordinates of an offset."""
        return self.offset.shape[1]

    @property
    def distance(self) -> Tensor:
        """``|x_j - x_i|`` ``[E]``; where points coincide it is 0 and so is its gradient, never NaN."""
        square = self.offset.square().sum(-1)
        same = square == 0
        return torch.where(same, 0.0, torch.where(same, 1.0, square).sqrt())

    def to(self, *args: Any, **kwargs: Any) -> Neighbourhood:
        """Move all tensors to a device; a dtype applies to those that hold real numbers.

        Args:
            args, kwargs: as of :meth:`torch.Tensor.to`, with a device, a dtype or both.
        """
        place = self.offset.to(*args, **kwargs).device

        def move(t: Tensor) -> Tensor:
            return t.to(*args, **kwargs) if t.is_floating_point() else t.to(place)

        return replace(self, **{k: move(v) for k, v in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v for k, v in found.items() if isinstance(v, Tensor)}


torch.export.register_dataclass(Neighbourhood, serialized_type_name="steerable.Neighbourhood")
