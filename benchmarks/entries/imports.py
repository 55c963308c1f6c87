"""What ``import steerable`` costs a program that imports torch anyway."""

from __future__ import annotations

from benchmarks.harness import Fresh, Value, run_program

_INSIDE = """
import time
a = time.process_time(); import torch
b = time.process_time(); import steerable, steerable.nn
c = time.process_time(); print((c - a) / (b - a))
"""


def _inside() -> float:
    """Median over seven new interpreters of (torch + steerable) / torch, both imported in the same interpreter."""
    import sys

    return sorted(run_program(sys.executable, _INSIDE, clock_process=False) for _ in range(7))[3]


ENTRIES = (
    Fresh(
        "imports/process",
        "`import steerable` / `import torch`, whole process",
        goal=1.05,
        peer="import",
        reference="import torch",
        run="import steerable, steerable.nn",
        clock_process=True,
        notes="processor time of a new interpreter; steerable.nn is named so that laziness hides nothing",
    ),
    Value(
        "imports/inside",
        "`import torch, steerable` / `import torch`, within one process",
        goal=1.05,
        compute=_inside,
        notes="median of seven new interpreters; the same import of torch is in both parts",
    ),
)
