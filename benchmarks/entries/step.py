"""A training step (forward, backward, update) against the plain block of the same channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.blocks import SEED, images, plain_block, steerable_block, training_step
from benchmarks.harness import Timed
from benchmarks.timing import Thunk


def _ours(fields: int, batch: int) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        return training_step(steerable_block(fields), images(batch, 8 * fields))

    return run


def _theirs(fields: int, batch: int) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        return training_step(plain_block(8 * fields), images(batch, 8 * fields))

    return run


def _entry(fields: int, batch: int, goal: float | None) -> Timed:
    return Timed(
        f"step/c8_{fields}f_b{batch}",
        f"training step, residual block C8 {fields} fields ({8 * fields} ch) k3, 32x32, batch {batch}",
        goal=goal,
        peer=f"step_c8_{fields}f_b{batch}",
        setup=lambda: None,
        run=_ours(fields, batch),
        reference=_theirs(fields, batch),
    )


ENTRIES = (_entry(8, 16, 1.03), _entry(8, 1, 1.10), _entry(16, 16, 1.03), _entry(16, 1, 1.10))
