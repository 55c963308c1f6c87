"""Numbers of any make as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_floats"]


def as_floats(value: Any, dtype: torch.dtype, name: str) -> Tensor:
    """`value` as a tensor of `dtype`: a tensor keeps its gradients, all else goes through numpy and is copied.

    Columns of FITS tables (big-endian), read-only and reversed arrays are no special case.

    Args:
        value: a number, list, array or tensor of any shape.
        dtype: a floating-point type.
        name: of the value, for the message.

    Raises:
        ValueError: what is no number, such as None, words or lists of different lengths.
    """
    if isinstance(value, Tensor):
        return value.to(dtype)
    if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in value):
        return torch.stack([as_floats(v, dtype, name) for v in value])
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(array.dtype)
        return torch.from_numpy(array.astype(np.float64)).to(dtype)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r}; expected a number, or a list, array or tensor of numbers") from None
