"""From a field on the plane or in space to one feature vector a sample."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.pool import require_permutation

_WANTED = {2: "an image [B, C, H, W]", 3: "a volume [B, C, D, H, W]"}
_PLAIN_AVG: dict[int, type[nn.Module]] = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
_PLAIN_MAX: dict[int, type[nn.Module]] = {2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}


class _GlobalPool(EquivariantModule):
    """Reduces ``[B, C, *sides]`` to ``[B, C]``; without a type it may stand after trivial fields only."""

    #: dimension of the space
    spatial: ClassVar[int]
    in_type: FieldType | None  # type: ignore[assignment]
    out_type: FieldType | None  # type: ignore[assignment]

    def __init__(self, in_type: FieldType | None = None) -> None:
        if in_type is not None:
            require_type(in_type, type(self).__name__)
        super().__init__(in_type, in_type)  # type: ignore[arg-type]

    def _check(self, x: Tensor) -> None:
        if self.in_type is not None:
            self.check_input(x, spatial=self.spatial)
        elif x.dim() != 2 + self.spatial:
            raise ValueError(
                f"{type(self).__name__}: input has shape {tuple(x.shape)}; expected {_WANTED[self.spatial]}"
            )

    def extra_repr(self) -> str:
        """The type, if there is one."""
        return "" if self.in_type is None else f"{self.in_type!r}"


class _GlobalAvgPool(_GlobalPool):
    """Mean over the grid."""

    def forward(self, x: Tensor) -> Tensor:
        """Average ``x``."""
        self._check(x)
        return x.mean(tuple(range(2, x.dim())))

    def bake(self) -> nn.Module:
        """Average and flatten."""
        return nn.Sequential(_PLAIN_AVG[self.spatial](1), nn.Flatten())


class _GlobalMaxPool(_GlobalPool):
    """Maximum over the grid."""

    def __init__(self, in_type: FieldType | None = None) -> None:
        if in_type is not None:
            require_permutation(in_type, type(self).__name__, f"GlobalAvgPool{self.spatial}d, or NormPool before it")
        super().__init__(in_type)

    def forward(self, x: Tensor) -> Tensor:
        """Maximum of ``x``."""
        self._check(x)
        return x.amax(tuple(range(2, x.dim())))

    def bake(self) -> nn.Module:
        """Maximum and flatten."""
        return nn.Sequential(_PLAIN_MAX[self.spatial](1), nn.Flatten())


class GlobalAvgPool2d(_GlobalAvgPool):
    """Mean over all pixels, ``[B, C, H, W]`` to ``[B, C]``.

    Args:
        in_type: any type, which the output keeps: equivariant features of the whole image. Without one the layer is a
            plain module, and ``st.nn.Sequential`` lets it follow trivial fields only.

    Raises:
        ValueError: for wrong channels or a tensor that is no image.
    """

    spatial = 2


class GlobalAvgPool3d(_GlobalAvgPool):
    """Mean over all voxels, ``[B, C, D, H, W]`` to ``[B, C]``; arguments and errors as :class:`GlobalAvgPool2d`."""

    spatial = 3


class GlobalMaxPool2d(_GlobalMaxPool):
    """Maximum over all pixels, ``[B, C, H, W]`` to ``[B, C]``. Where pixels tie, they share the gradient.

    Args:
        in_type: regular, quotient and trivial fields, which the output keeps; without one the layer is a plain module,
            and ``st.nn.Sequential`` lets it follow trivial fields only.

    Raises:
        TypeError: for other fields.
        ValueError: for wrong channels or a tensor that is no image.
    """

    spatial = 2


class GlobalMaxPool3d(_GlobalMaxPool):
    """Maximum over all voxels, ``[B, C, D, H, W]`` to ``[B, C]``; otherwise :class:`GlobalMaxPool2d`."""

    spatial = 3
