"""Resident memory of a program that imports, builds a block and trains it for two steps."""

from __future__ import annotations

from benchmarks.harness import ALLOCATOR, Fresh

# What both programs share. Growth is counted from the import on; the total from the start of the interpreter.
_HEAD = """
import torch
torch.set_num_threads(1)
from benchmarks.memory_probe import resident, two_steps
"""
_PLAIN = (
    _HEAD
    + """
start = resident()
from benchmarks.blocks import plain_block
two_steps(lambda: plain_block(128))
print(resident("VmHWM") - {base})
"""
)
_OURS = (
    _HEAD
    + """
import steerable as st
start = resident()
from benchmarks.blocks import steerable_block
two_steps(lambda: steerable_block(16))
print(resident("VmHWM") - {base})
"""
)

ENTRIES = (
    Fresh(
        "memory/total",
        "peak memory of import, build and two steps, C8 block 16 fields / plain (MB resident)",
        goal=1.05,
        peer="memory_total",
        reference=_PLAIN.format(base="0"),
        run=_OURS.format(base="0"),
        variables=ALLOCATOR,
        notes="batch 16, 32x32; interpreter and torch in both; large blocks mapped one by one on both sides",
    ),
    Fresh(
        "memory/growth",
        "the same, growth since the import (MB resident)",
        goal=1.05,
        peer="memory_growth",
        reference=_PLAIN.format(base="start"),
        run=_OURS.format(base="start"),
        variables=ALLOCATOR,
    ),
)
