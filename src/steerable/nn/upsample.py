"""Upsampling that keeps the centre of the image where it is."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule, require_type

_MODES = {2: ("bilinear", "bicubic", "nearest"), 3: ("trilinear", "nearest")}


class _Upsample(EquivariantModule):
    """Interpolation in any dimension."""

    #: dimension of the space
    spatial: ClassVar[int]

    def __init__(
        self,
        in_type: FieldType,
        scale_factor: float | None = None,
        size: int | None = None,
        mode: str | None = None,
        align_corners: bool = False,
    ) -> None:
        name = type(self).__name__
        require_type(in_type, name)
        super().__init__(in_type, in_type)
        if (scale_factor is None) == (size is None):
            raise ValueError(
                f"{name}: give either scale_factor or size, got scale_factor={scale_factor!r} and size={size!r}"
            )
        modes = _MODES[self.spatial]
        mode = modes[0] if mode is None else mode
        if mode not in modes:
            raise ValueError(f"{name}: mode must be one of {', '.join(map(repr, modes))}, got {mode!r}")
        if mode == "nearest" and (scale_factor is None or scale_factor != int(scale_factor)):
            raise ValueError(
                f"{name}: nearest is exact for an integer scale_factor only, got "
                f"scale_factor={scale_factor!r}, size={size!r}; use mode={modes[0]!r}"
            )
        given = size if scale_factor is None else scale_factor
        if given is None or given <= 0:
            raise ValueError(f"{name}: size and scale_factor are positive, got {given!r}")
        self.scale_factor, self.size, self.mode = scale_factor, size, mode
        self.align_corners = None if mode == "nearest" else align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Interpolate ``x``."""
        self.check_input(x, spatial=self.spatial)
        # the factor is derived from the rounded size: with the given one the grid would not be centred
        again = True if self.scale_factor is not None else None
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, again)

    def extra_repr(self) -> str:
        """Type and options, for printing."""
        return f"{self.in_type!r}, scale_factor={self.scale_factor}, size={self.size}, mode={self.mode!r}"

    def bake(self) -> nn.Module:
        """``torch.nn.Upsample``."""
        return nn.Upsample(
            self.size, self.scale_factor, self.mode, self.align_corners, True if self.scale_factor is not None else None
        )


class Upsample2d(_Upsample):
    """Interpolation of ``[B, C, H, W]`` to another size; linear in the values, so it takes any type.

    Bilinear and bicubic are exact for quarter turns and reflections at every size, with either ``align_corners``;
    nearest is exact for integer factors, the only ones it accepts.

    Args:
        in_type: any type.
        scale_factor: factor of both sides; the side is rounded down. Give this or ``size``.
        size: side of the output.
        mode: ``"bilinear"`` (default), ``"bicubic"`` or ``"nearest"``.
        align_corners: whether corner pixels keep their place (not for nearest).

    Raises:
        ValueError: for a bad combination of arguments or wrong channels.
    """

    spatial = 2


class Upsample3d(_Upsample):
    """:class:`Upsample2d` of volumes ``[B, C, D, H, W]``; the modes are ``"trilinear"`` and ``"nearest"``."""

    spatial = 3
