"""Chains of icosahedral layers whose frames are checked when they are built."""

from __future__ import annotations

from typing import Any

from steerable.aggregate.hexagon import HexFrames
from steerable.nn.module import EquivariantModule
from steerable.nn.sequential import Sequential


class IcoSequential(Sequential):
    """:class:`Sequential` that also checks that each icosahedral layer reads fields in the frames they are given in.

    Fields do not carry their frames with them: a mixture of gauges has the right shape and the wrong meaning. Scalars
    have no frames, so behind them any may follow.

    Raises:
        TypeError: if the types of neighbours do not meet.
        ValueError: if the levels or the frames of two layers do not.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__(*modules)
        given: HexFrames | None = None
        last = 0
        for i, layer in enumerate(self):
            frames = getattr(layer, "frames", None)
            if not isinstance(frames, HexFrames):
                continue
            if given is not None:
                self._meet(last, given, i, frames, layer)
            given, last = getattr(layer, "out_frames", frames), i

    def _meet(self, i: int, given: HexFrames, j: int, wanted: HexFrames, layer: EquivariantModule) -> None:
        names = f"IcoSequential: entry {i} ({type(self[i]).__name__}) gives", f"entry {j} ({type(layer).__name__})"
        if given.sphere != wanted.sphere:
            raise ValueError(f"{names[0]} fields on {given.sphere!r}, but {names[1]} is on {wanted.sphere!r}")
        different = int((given.against(wanted)[12:] != 0).sum())
        if different and not layer.in_type.is_trivial and layer.in_type.group.order != 1:
            raise ValueError(
                f"{names[0]} fields in frames that differ at {different} of {len(given.gauges)} vertices from those "
                f"that {names[1]} reads: a mixture of gauges. Pass the same gauges to both"
            )
