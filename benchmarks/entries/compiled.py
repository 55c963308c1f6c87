"""The same training step with both blocks compiled, fullgraph; compiling ours over running it eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.blocks import SEED, images, plain_block, steerable_block, training_step
from benchmarks.blocks import compiled as compile_net
from benchmarks.harness import Timed
from benchmarks.timing import Thunk

FIELDS, CHANNELS = 8, 64


def _step(make: Callable[[], nn.Module], batch: int, *, compiled: bool = True) -> Callable[[Any], Thunk]:
    def run(_: Any) -> Thunk:
        torch.manual_seed(SEED)
        net = compile_net(make()) if compiled else make()
        return training_step(net, images(batch, CHANNELS))

    return run


def _entry(batch: int, goal: float) -> Timed:
    return Timed(
        f"compiled/step_c8_8f_b{batch}",
        f"training step, block C8 8 fields, both compiled (fullgraph), batch {batch}",
        goal=goal,
        setup=lambda: None,
        run=_step(lambda: steerable_block(FIELDS), batch),
        reference=_step(lambda: plain_block(CHANNELS), batch),
        notes="the peer cannot be compiled",
    )


def _over_eager(batch: int) -> Timed:
    return Timed(
        f"compiled/over_eager_b{batch}",
        f"the same step, ours compiled / ours eager, batch {batch}",
        goal=None,
        setup=lambda: None,
        run=_step(lambda: steerable_block(FIELDS), batch),
        reference=_step(lambda: steerable_block(FIELDS), batch, compiled=False),
        notes="no goal: a speed-up from compiling is promised nowhere",
    )


ENTRIES = (_entry(1, 1.30), _entry(16, 1.15), _over_eager(1), _over_eager(16))
