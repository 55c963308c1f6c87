"""Images brought to a side at which strides are exact."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.exactness import ExactnessWarning
from steerable.nn.module import EquivariantModule, require_type


def exact_side(side: int, step: int, rest: int = 1) -> int:
    """The smallest side of at least ``side`` pixels with ``side % step == rest % step``.

    Strides whose product is ``step`` are exact on it if their windows are odd and padded by half: 32 becomes 33, 96
    becomes 97 and 128 becomes 129 for two strides of 2.

    Raises:
        ValueError: for a side or a step below 1.
    """
    if side < 1 or step < 1:
        raise ValueError(f"exact_side: got side {side} and step {step}; expected positive integers")
    return side + (rest - side) % step


def fit_side(x: Tensor, step: int, rest: int, mode: str) -> Tensor:
    """``[B, C, H, W]`` with both sides brought to :func:`exact_side`."""
    size = [exact_side(int(n), step, rest) for n in x.shape[-2:]]
    if size == list(x.shape[-2:]):
        return x
    if mode == "resample":
        return F.interpolate(x, size, mode="bilinear", align_corners=True)
    left = [(wanted - int(n)) // 2 for wanted, n in zip(size, x.shape[-2:], strict=True)]
    right = [wanted - int(n) - a for wanted, n, a in zip(size, x.shape[-2:], left, strict=True)]
    return F.pad(x, (left[1], right[1], left[0], right[0]))


class FitSide2d(EquivariantModule):
    """``[B, C, H, W]`` enlarged to the next side that is ``rest`` modulo ``step``; linear, so it takes any type.

    ``"resample"`` stretches the image a little, corner to corner: exact for quarter turns and reflections of the image
    that is given, at every side. ``"pad"`` adds zeros: the values stay, but where an odd number is missing (32 to 33)
    no padding has the same centre, so turns about the centre of the *image* are no longer exact, only those about the
    centre of what comes out; it warns once (raises in strict mode).

    Args:
        in_type: any type.
        step: product of the strides that follow.
        rest: what is left of an exact side, 1 for odd windows.
        mode: ``"resample"`` or ``"pad"``.

    Raises:
        ValueError: for another mode, a step below 1, or wrong channels.
    """

    def __init__(self, in_type: FieldType, step: int, rest: int = 1, mode: str = "resample") -> None:
        require_type(in_type, "FitSide2d")
        super().__init__(in_type, in_type)
        if mode not in ("resample", "pad"):
            raise ValueError(f"FitSide2d: got mode {mode!r}; expected 'resample' or 'pad'")
        exact_side(1, step)
        self.step, self.rest, self.mode, self.strict = step, rest, mode, False
        self._told = False

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge ``x``."""
        self.check_input(x, spatial=2)
        if self.mode == "pad" and not torch.compiler.is_compiling():
            self._check(x)
        return fit_side(x, self.step, self.rest, self.mode)

    def _check(self, x: Tensor) -> None:
        side = next((int(n) for n in x.shape[-2:] if (exact_side(int(n), self.step, self.rest) - n) % 2), None)
        if side is None or (self._told and not self.strict):
            return
        message = (
            f"FitSide2d: side {side} padded to {exact_side(side, self.step, self.rest)} moves the centre by half a "
            f"pixel, so turns of the image are not exact; use mode='resample'"
        )
        if self.strict:
            raise ValueError(message)
        self._told = True
        warnings.warn(message, ExactnessWarning, stacklevel=3)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, step={self.step}, rest={self.rest}, mode={self.mode!r}"

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(fit_side, self.step, self.rest, self.mode)
