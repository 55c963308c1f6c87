"""Resident memory, and the two training steps that are measured with it. Shared by our programs and the peers'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from benchmarks.blocks import images, training_step


def resident(field: str = "VmRSS") -> float:
    """Megabytes of this process from /proc: ``VmRSS`` now, ``VmHWM`` at its peak. Raises RuntimeError without /proc."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError as error:
        raise RuntimeError(
            f"resident: expected /proc/self/status to be readable ({error}); this entry needs Linux"
        ) from error
    raise RuntimeError(f"resident: /proc/self/status has no line {field!r}; expected VmRSS or VmHWM")


def two_steps(make: Callable[[], nn.Module], batch: int = 16, channels: int = 128) -> None:
    """Build a block and take two training steps on [batch, channels, 32, 32]."""
    step = training_step(make(), images(batch, channels))
    step()
    step()
