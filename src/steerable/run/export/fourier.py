"""Transforms along rings as products with matrices: what every runtime of ONNX does well, whatever the length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: longer ones are left to the runtime
LONGEST = 512
_SCALES = {None: (1.0, 0.0), "backward": (1.0, 0.0), "ortho": (0.5, 0.5), "forward": (0.0, 1.0)}


class Matrices(TorchFunctionMode):
    """Within it real transforms of the last axis are matrix products, as a trace then holds them.

    onnxruntime computes transforms whose length is no power of two in a way that loses two digits of float32: gauss(12)
    in a small network differed from torch by 1.5e-5, and by 2e-7 with matrices.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replace `rfft` and `irfft` of the last axis, of a length that does not change, up to :data:`LONGEST`."""
        kwargs = kwargs or {}
        if func is torch.fft.rfft or func is torch.fft.irfft:
            found = self._product(func is torch.fft.rfft, *args, **kwargs)
            if found is not None:
                return found
        return func(*args, **kwargs)

    def _product(
        self, forward: bool, input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None,
        out: Any = None,
    ) -> Tensor | None:  # fmt: skip
        x = input if input.is_complex() or input.is_floating_point() else input.to(torch.get_default_dtype())
        held = x.shape[-1]
        size = held if forward else 2 * (held - 1) if n is None else n
        whole = size // 2 + 1
        if dim not in (-1, x.ndim - 1) or out is not None or size > LONGEST or (n not in (None, held) and forward):
            return None
        if not forward and held > whole:
            return None
        with self:  # the constants, too, are ordinary operators of the trace
            real, imaginary = (m.to(x.real if x.is_complex() else x) for m in self._matrices(forward, size))
        there, back = _SCALES[norm]
        if forward:
            scale = size**-back
            return torch.complex(x @ (real * scale), x @ (imaginary * scale))
        real, imaginary = real[:held], imaginary[:held]  # orders that are not given are zero
        parts = torch.view_as_real(x)
        scale = size**-there
        return parts[..., 0] @ (real * scale) + parts[..., 1] @ (imaginary * scale)

    def _matrices(self, forward: bool, size: int) -> tuple[Tensor, Tensor]:
        key = ("there" if forward else "back", size)
        if key not in self._known:
            angle = torch.outer(torch.arange(size), torch.arange(size // 2 + 1)).remainder(size).double()
            angle = angle * (2 * math.pi / size)
            if forward:
                self._known[key] = (angle.cos(), -angle.sin())
            else:
                weight = torch.full((size // 2 + 1,), 2.0, dtype=torch.float64)
                weight[0] = 1.0
                if size % 2 == 0:
                    weight[-1] = 1.0
                self._known[key] = ((angle.cos() * weight).T, (-angle.sin() * weight).T)
        return self._known[key]
