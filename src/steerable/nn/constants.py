"""Fixed tensors of a module, kept exactly in float64 beside the buffers that are computed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn


class ConstantModule(nn.Module):
    """A ``torch.nn.Module`` whose derived constants are no part of its state and keep their accuracy in every dtype.

    Attributes:
        half_constants: whether constants follow the module to half precision; otherwise they stay in float32, for
            layers that compute in float32 at least.
    """

    half_constants: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, np.ndarray] = {}

    def register_constant(self, name: str, value: Tensor | np.ndarray) -> None:
        """Hold a fixed tensor that is no part of the state dict.

        Floating values are kept in float64 beside the buffer, which has the default dtype; whenever the module changes
        its dtype or device the buffer is derived again, so ``.double()`` gives float64 accuracy, not a widened float32.
        """
        with torch.inference_mode(False):
            array = np.array(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, order="C")
            tensor = _tensor(array)
            if tensor.is_floating_point():
                self._exact[name] = array
                tensor = tensor.to(self._dtype(torch.get_default_dtype()))
        self.register_buffer(name, tensor, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ConstantModule:
        before = {name: (b.dtype, b.device) for name in self._exact if (b := self._buffers[name]) is not None}
        super()._apply(fn, recurse)
        for name, was in before.items():
            buffer = self._buffers[name]
            if buffer is not None and (buffer.dtype, buffer.device) != was and buffer.device.type != "meta":
                self._buffers[name] = _tensor(self._exact[name]).to(buffer.device, self._dtype(buffer.dtype))
        return self

    def _dtype(self, wanted: torch.dtype) -> torch.dtype:
        return wanted if self.half_constants else at_least_float32(wanted)

    def fingerprint(self) -> dict[str, float]:
        """One number for each derived constant of this layer: a saved model keeps it and loading compares."""
        return {
            name: float(np.dot(a.reshape(-1), np.cos(1.0 + np.arange(a.size) % 9973)))
            for name, a in self._exact.items()
        }


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """The dtype itself, or float32 for half precision."""
    return torch.promote_types(dtype, torch.float32)


def _tensor(array: np.ndarray) -> Tensor:
    """The same numbers; an empty array has strides of 0 in numpy, with which torch cannot save a program."""
    found = torch.from_numpy(array)
    return found if array.size else torch.empty(array.shape, dtype=found.dtype)
