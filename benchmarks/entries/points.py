"""Point convolutions: the ways to contract them, against each other on the same cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.harness import Entry, Timed
from benchmarks.timing import Thunk

POINTS, SIDE, CUTOFF = 512, 3.2, 1.0


class State(NamedTuple):
    """A cloud, its pairs, features, and the layer in its two forms, of equal weights."""

    x: Tensor
    pairs: Any
    layers: dict[str, nn.Module]


def setup(top: int) -> Callable[[], State]:
    """16 fields of each degree up to ``top``, about 44 neighbours a point."""

    def make() -> State:
        import steerable as st

        torch.manual_seed(0)
        t = st.SO3().type(" + ".join(f"16x{degree}" for degree in range(top + 1)))
        pairs = st.Points(torch.rand(POINTS, 3) * SIDE).neighbours(CUTOFF)
        tops = (0,) + (min(2 * top, 6),) * 3
        layers = {b: st.nn.PointConv(t, t, CUTOFF, bandlimit=tops, backend=b) for b in ("functions", "frame")}
        layers["frame"].load_state_dict(layers["functions"].state_dict())
        return State(torch.randn(POINTS, t.size), pairs, layers)

    return make


def step(backend: str) -> Callable[[State], Thunk]:
    """Forward and backward of one form of the layer."""

    def prepare(state: State) -> Thunk:
        leaf = state.x.clone().requires_grad_()
        return lambda: state.layers[backend](leaf, state.pairs).sum().backward()

    return prepare


def contraction(order: str) -> Callable[[State], Thunk]:
    """Forward and backward by scalar functions, the pairs contracted in one order."""

    def prepare(state: State) -> Thunk:
        from steerable.aggregate.scatter import point_conv

        layer, g = state.layers["functions"], state.pairs
        leaf = state.x.clone().requires_grad_()

        def run() -> None:
            values = layer.values(g)  # type: ignore[operator]
            filter = layer.filter()  # type: ignore[operator]
            point_conv(values, leaf, filter, g.target, g.source, g.num_targets, order).sum().backward()  # type: ignore[arg-type]

        return run

    return prepare


ENTRIES: tuple[Entry, ...] = (
    *(
        Timed(
            f"points/frame_l{top}",
            f"PointConv, 16 fields of each degree <= {top}: in the frame of each pair / by scalar functions, fwd+bwd",
            goal=1.0 if top >= 3 else None,
            setup=setup(top),
            run=step("frame"),
            reference=step("functions"),
        )
        for top in (1, 2, 3, 4)
    ),
    *(
        Timed(
            f"points/padded_l{top}",
            f"the same, degrees <= {top}: neighbours by batched products / an array of pairs x functions x channels",
            goal=1.0,
            setup=setup(top),
            run=contraction("padded"),
            reference=contraction("gather"),
        )
        for top in (1, 2)
    ),
)
