"""Parts of a layer that keep the dtype of their tensors under autocast."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def no_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Autocast switched off on the device of a tensor; nothing while exporting, for programs hold plain operators."""
    return nullcontext() if torch.compiler.is_exporting() else torch.autocast(x.device.type, enabled=False)
