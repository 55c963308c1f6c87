"""Pooling over the four children of HEALPix pixels."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.domains.sphere.healpix import HealpixSphere
from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.healpix.image import check_pixels, require_healpix, scalars
from steerable.nn.module import EquivariantModule


class HealpixPool(EquivariantModule):
    """The mean, or the largest, of the four children of each pixel of ``sphere.coarser()``.

    Pixels have equal areas, so the mean over the sphere stays. In nested order children stand side by side; by rings
    they are gathered.

    Args:
        type: of input and output, of C(1), or a number of channels.
        sphere: where the input lies, or its name; with an even nside.
        mode: ``"mean"`` or ``"max"``.

    Raises:
        TypeError: for another sampling.
        ValueError: for another mode, an odd nside, types of another group.
    """

    def __init__(self, type: FieldType | int, sphere: HealpixSphere | str, mode: str = "mean") -> None:
        found = scalars(type, "HealpixPool", "type")
        super().__init__(found, found)
        if mode not in ("mean", "max"):
            raise ValueError(f"HealpixPool: mode is {mode!r}; expected 'mean' or 'max'")
        self.sphere = sphere = require_healpix(sphere, "HealpixPool")
        self.mode = mode
        self.targets = sphere.coarser()
        if sphere.nested:
            self.register_buffer("fours", None, persistent=False)
        else:
            self.register_constant("fours", self.targets.children().flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, N]`` to ``[B, C, N / 4]``."""
        self.check_input(x)
        check_pixels(self, x, self.sphere)
        return healpix_pool(x, self.mode, self.fours)

    def bake(self) -> nn.Module:
        """The same."""
        return Baked(healpix_pool, self.mode, fours=self.fours)


def healpix_pool(x: Tensor, mode: str, fours: Tensor | None) -> Tensor:
    """The mean or the largest of four pixels side by side, or of those whose numbers are ``fours [N]``."""
    if fours is not None:
        x = x.gather(2, fours.expand(*x.shape[:2], -1))
    quads = x.unflatten(2, (-1, 4))
    return quads.mean(3) if mode == "mean" else quads.amax(3)
