"""Fixed tensors of a module, kept exactly in float64 beside the buffers that are computed with."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor, nn

F = TypeVar("F", bound=Callable[..., Any])

# bytes from which tables are shared, and those that modules hold by their content: no reference of its own
_LARGE = 1 << 16
_ALIVE: WeakValueDictionary[tuple[object, ...], np.ndarray] = WeakValueDictionary()


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
        Large tables of equal content, such as those of layers on one sampling, share their float64 memory.
        """
        with torch.inference_mode(False):
            array = np.array(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, order="C")
            if array.dtype.kind == "f":
                array = self._exact[name] = shared_array(array)
            tensor = _tensor(array)
            if tensor.is_floating_point():
                # a copy: who writes into a buffer reaches no other
                tensor = tensor.to(self._dtype(torch.get_default_dtype()), copy=True)
        self.register_buffer(name, tensor, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ConstantModule:
        before = {n: b for n in self._non_persistent_buffers_set if (b := self._buffers[n]) is not None}
        super()._apply(fn, recurse)
        for name, was in before.items():
            buffer = self._buffers[name]
            if buffer is None or buffer is was or buffer.device.type == "meta":
                continue
            if name in self._exact:
                self._buffers[name] = _tensor(self._exact[name]).to(buffer.device, self._dtype(buffer.dtype), copy=True)
            elif was.device.type != "meta":  # to_empty would leave memory without values
                self._buffers[name] = was.to(buffer.device)
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


def shared_array(array: np.ndarray) -> np.ndarray:
    """An array of equal content that a living module holds, or this one; nobody writes into either."""
    if array.nbytes < _LARGE:
        return array
    key = (array.shape, array.dtype.str, blake2b(array, digest_size=16).digest())
    return _ALIVE.setdefault(key, array)


def on_processor(function: F) -> F:
    """Decorate what makes tables and no parameters: it works on the processor, wherever weights are laid out."""

    @wraps(function)
    def there(*args: Any, **options: Any) -> Any:
        with torch.device("cpu"):
            return function(*args, **options)

    return cast(F, there)


def constant_names(module: nn.Module) -> list[str]:
    """Names of all buffers that are derived and never learned: what every process holds already.

    For ``torch.nn.parallel.DistributedDataParallel``, which otherwise sends them from the first process before each
    step; running statistics are not among them::

        DDP._set_params_and_buffers_to_ignore_for_model(net, st.nn.constant_names(net))
        ddp = DDP(net)
    """
    found = []
    for prefix, part in module.named_modules():
        if isinstance(part, ConstantModule):
            names = (n for n, b in part._buffers.items() if b is not None and n in part._non_persistent_buffers_set)
            found += [f"{prefix}.{n}" if prefix else n for n in names]
    return found


def _tensor(array: np.ndarray) -> Tensor:
    """The same numbers; an empty array has strides of 0 in numpy, with which torch cannot save a program."""
    found = torch.from_numpy(array)
    return found if array.size else torch.empty(array.shape, dtype=found.dtype)
