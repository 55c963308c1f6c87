"""The size rule, watched by hooks: which strided layers meet a size at which quarter turns are not exact."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from steerable.laws.setting import evaluated
from steerable.nn.exactness import is_exact_stride


@dataclass(frozen=True)
class SizeViolation:
    """A strided layer that visits pixels off the centre.

    Attributes:
        layer: its path within the model.
        size: spatial shape that it was given.
        window: kernel size, stride, padding, dilation.
        mend: sides nearby that are exact.
    """

    layer: str
    size: tuple[int, ...]
    window: tuple[int, int, int, int]
    mend: str

    def __str__(self) -> str:
        k, s, p, _ = self.window
        size = " x ".join(map(str, self.size))
        return f"{self.layer}: size {size} is not exact for kernel {k}, stride {s}, padding {p}; use {self.mend}"


def _window(layer: nn.Module) -> tuple[int, int, int, int] | None:
    """Kernel size, stride, padding and dilation of a strided layer, or ``None``."""
    if type(layer).__name__.startswith("ConvTranspose"):
        return None  # exact at every size
    values = []
    for name, default in (("kernel_size", None), ("stride", 1), ("padding", 0), ("dilation", 1)):
        value = getattr(layer, name, default)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, str):
            value = 0 if value == "valid" else default
        if not isinstance(value, int):
            return None
        values.append(value)
    return tuple(values) if values[1] > 1 else None  # type: ignore[return-value]


def size_violations(module: nn.Module, x: Tensor) -> list[SizeViolation]:
    """Strided layers, plain ones too, for which ``(side + 2 padding - kernel) % stride`` is not 0 when ``x`` passes.

    The model is run once, in eval.
    """
    found: dict[str, SizeViolation] = {}
    handles = []

    def watch(name: str, window: tuple[int, int, int, int]) -> None:
        k, s, p, d = window

        def hook(_: nn.Module, inputs: tuple) -> None:
            size = tuple(int(n) for n in inputs[0].shape[2:])
            broken = [n for n in size if not is_exact_stride(n, k, s, p, d)]
            if broken:
                low = broken[0] - (broken[0] + 2 * p - d * (k - 1) - 1) % s
                mend = f"side {low} or {low + s}" if low > 0 else f"side {low + s}"
                found.setdefault(name, SizeViolation(name, size, window, mend))

        handles.append(layer.register_forward_pre_hook(hook))

    for name, layer in module.named_modules():
        window = _window(layer)
        if window is not None:
            watch(name or type(layer).__name__, window)
    try:
        with evaluated(module) as call:
            call(x)
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())
