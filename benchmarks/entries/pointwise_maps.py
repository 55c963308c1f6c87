"""1x1 convolutions: block-diagonal by Schur in the Fourier basis, and with a transform on both sides, against dense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.blocks import SEED, forward_backward, forward_only, images
from benchmarks.harness import Entry, Timed
from benchmarks.timing import Thunk

FIELDS, SIDE = 32, 32


def group_of(label: str) -> Any:
    """C(8) for "c8", D(8) for "d8"."""
    import steerable as st

    return {"c8": st.C, "d8": st.D}[label](8)


def fourier_type(label: str) -> Any:
    """The irreps of ``FIELDS`` regular fields, each irrep with all its copies in one block."""
    group = group_of(label)
    copies = Counter(group.regular.irreps)
    total = None
    for identity, count in copies.items():
        block = (FIELDS * count) * group.irrep(identity)
        total = block if total is None else total + block
    return total


def _ours(label: str, batch: int, both: bool, backward: bool) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        import steerable as st

        torch.manual_seed(SEED)
        t = FIELDS * group_of(label).regular if both else fourier_type(label)
        layer = st.nn.Conv2d(t, t, kernel_size=1, bias=False)
        return (forward_backward if backward else forward_only)(layer, images(batch, t.size, SIDE))

    return run


def _dense(channels: int, batch: int, backward: bool) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        layer = nn.Conv2d(channels, channels, 1, bias=False)
        return (forward_backward if backward else forward_only)(layer, images(batch, channels, SIDE))

    return run


def _entries() -> list[Entry]:
    found: list[Entry] = []
    kept = {("c8", False): 0.40, ("d8", False): 0.25, ("c8", True): 0.8, ("d8", True): 0.5}
    for (label, backward), goal in kept.items():
        channels = FIELDS * {"c8": 8, "d8": 16}[label]
        for batch in (1, 8):
            pass_name = "fwd_bwd" if backward else "fwd"
            words = "fwd+bwd" if backward else "forward"
            found.append(
                Timed(
                    f"pointwise_maps/{label}_{pass_name}_b{batch}",
                    f"1x1 conv, Fourier basis / dense, {label.upper()}, {channels} ch, batch {batch}, {words}",
                    goal=goal,
                    setup=lambda: None,
                    run=_ours(label, batch, False, backward),
                    reference=_dense(channels, batch, backward),
                )
            )
    for label in ("c8", "d8"):
        channels = FIELDS * {"c8": 8, "d8": 16}[label]
        found.append(
            Timed(
                f"pointwise_maps/{label}_regular_fwd_b1",
                f"1x1 conv of regular fields / dense, {label.upper()}, {channels} ch, batch 1, forward",
                goal=None,
                setup=lambda: None,
                run=_ours(label, 1, True, False),
                reference=_dense(channels, 1, False),
                notes="no goal: the transforms on both sides cost about what Schur saves for C8",
            )
        )
    return found


ENTRIES = tuple(_entries())
