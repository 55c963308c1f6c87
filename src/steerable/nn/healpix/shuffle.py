"""Between four children and four channels of HEALPix pixels."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.domains.sphere.healpix import HealpixSphere
from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.healpix.image import check_pixels, require_healpix, scalars
from steerable.nn.module import EquivariantModule


class HealpixPixelShuffle(EquivariantModule):
    """Four channels of a pixel become one channel of its four children, on ``sphere.finer()``.

    In nested order the children of p are ``4 p .. 4 p + 3``, so this is a change of view: no table, no arithmetic.
    Channel ``4 c + k`` goes to child k (S, E, W, N) of channel c, as in ``torch.nn.PixelShuffle``.

    Args:
        out_type: type of the output, of C(1), or a number of channels; the input has four times as many.
        sphere: where the input lies, or its name; in nested order.

    Raises:
        TypeError: for another sampling.
        ValueError: for the order by rings, naming the mend; for types of another group.
    """

    def __init__(self, out_type: FieldType | int, sphere: HealpixSphere | str) -> None:
        name = type(self).__name__
        self_type = scalars(out_type, name, "out_type")
        super().__init__(4 * self_type, self_type)
        self.sphere = require_healpix(sphere, name, nested=True)
        self.targets = self.sphere.finer()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, 4 C, N]`` to ``[B, C, 4 N]``."""
        self.check_input(x)
        check_pixels(self, x, self.sphere)
        return shuffle(x)

    def bake(self) -> nn.Module:
        """The same."""
        return Baked(shuffle)


class HealpixPixelUnshuffle(EquivariantModule):
    """Four children of a pixel become four channels, on ``sphere.coarser()``: the inverse of the shuffle.

    Args:
        in_type: type of the input, of C(1), or a number of channels; the output has four times as many.
        sphere: where the input lies, or its name; in nested order.

    Raises:
        TypeError: for another sampling.
        ValueError: for the order by rings, an odd nside, types of another group.
    """

    def __init__(self, in_type: FieldType | int, sphere: HealpixSphere | str) -> None:
        name = type(self).__name__
        self_type = scalars(in_type, name, "in_type")
        super().__init__(self_type, 4 * self_type)
        self.sphere = require_healpix(sphere, name, nested=True)
        self.targets = self.sphere.coarser()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, N]`` to ``[B, 4 C, N / 4]``."""
        self.check_input(x)
        check_pixels(self, x, self.sphere)
        return unshuffle(x)

    def bake(self) -> nn.Module:
        """The same."""
        return Baked(unshuffle)


def shuffle(x: Tensor) -> Tensor:
    """``[B, 4 C, N]`` to ``[B, C, 4 N]``."""
    return x.unflatten(1, (-1, 4)).transpose(2, 3).flatten(2)


def unshuffle(x: Tensor) -> Tensor:
    """``[B, C, 4 N]`` to ``[B, 4 C, N]``."""
    return x.unflatten(2, (-1, 4)).transpose(2, 3).flatten(1, 2)
