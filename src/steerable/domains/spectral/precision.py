"""Transforms run in float32 at least, also where a program asks for less."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """A context without autocast for the device of a tensor."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def widened(x: Tensor) -> Tensor:
    """The tensor itself, in float32 if it has half precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
