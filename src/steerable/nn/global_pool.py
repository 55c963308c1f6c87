"""From a field on the plane to one feature vector a sample."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.pool import require_permutation


class _GlobalPool2d(EquivariantModule):
    """Reduces ``[B, C, H, W]`` to ``[B, C]``; without a type it may stand after trivial fields only."""

    in_type: FieldType | None  # type: ignore[assignment]
    out_type: FieldType | None  # type: ignore[assignment]

    def __init__(self, in_type: FieldType | None = None) -> None:
        if in_type is not None:
            require_type(in_type, type(self).__name__)
        super().__init__(in_type, in_type)  # type: ignore[arg-type]

    def _check(self, x: Tensor) -> None:
        if self.in_type is not None:
            self.check_input(x, spatial=2)
        elif x.dim() != 4:
            raise ValueError(f"{type(self).__name__}: input has shape {tuple(x.shape)}; expected an image [B, C, H, W]")

    def extra_repr(self) -> str:
        """The type, if there is one."""
        return "" if self.in_type is None else f"{self.in_type!r}"


class GlobalAvgPool2d(_GlobalPool2d):
    """Mean over all pixels, ``[B, C, H, W]`` to ``[B, C]``.

    Args:
        in_type: any type, which the output keeps: equivariant features of the whole image. Without one the layer is a
            plain module, and ``st.nn.Sequential`` lets it follow trivial fields only.

    Raises:
        ValueError: for wrong channels or a tensor that is no image.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Average ``x``."""
        self._check(x)
        return x.mean((-2, -1))

    def bake(self) -> nn.Module:
        """Average and flatten."""
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


class GlobalMaxPool2d(_GlobalPool2d):
    """Maximum over all pixels, ``[B, C, H, W]`` to ``[B, C]``. Where pixels tie, they share the gradient.

    Args:
        in_type: regular, quotient and trivial fields, which the output keeps; without one the layer is a plain module,
            and ``st.nn.Sequential`` lets it follow trivial fields only.

    Raises:
        TypeError: for other fields.
        ValueError: for wrong channels or a tensor that is no image.
    """

    def __init__(self, in_type: FieldType | None = None) -> None:
        if in_type is not None:
            require_permutation(in_type, "GlobalMaxPool2d", "GlobalAvgPool2d, or NormPool before it")
        super().__init__(in_type)

    def forward(self, x: Tensor) -> Tensor:
        """Maximum of ``x``."""
        self._check(x)
        return x.amax((-2, -1))

    def bake(self) -> nn.Module:
        """Maximum and flatten."""
        return nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())
