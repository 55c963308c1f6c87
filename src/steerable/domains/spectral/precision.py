"""Transforms run in float32 at least, also where a program asks for less."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.groups.eager import full_precision as full_precision


def widened(x: Tensor) -> Tensor:
    """The tensor itself, in float32 if it has half precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
