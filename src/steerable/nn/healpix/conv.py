"""Convolutions over the pixels of HEALPix."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.sphere.healpix import HealpixSphere
from steerable.fields.type import FieldType
from steerable.kernels.pixels import Pixels
from steerable.nn.baked import Baked
from steerable.nn.healpix.image import check_pixels, face_images, require_healpix, scalars
from steerable.nn.init import initialise
from steerable.nn.steerable_map import SteerableMap


class HealpixConv(SteerableMap):
    r"""Convolution over a pixel and its eight neighbours: ``out_p = c_p (W_0 x_p + sum_k W_k x_(n_k(p)))``.

    The neighbours SW, W, NW, N, NE, E, SE, S are ordered along the pixel grid: within each of the twelve base pixels
    this is an ordinary convolution of an image whose axes run to the north-east and the north-west. Where a neighbour
    is missing (24 pixels have seven; at nside 1 all have six) its weight meets a zero, and ``c_p`` is the number of
    taps over that of the neighbours there are: a kernel of equal weights keeps constants.

    The map is laid out as twelve images with borders, by one gather, for one library convolution; time and memory are
    linear in the pixels.

    **Not equivariant under rotations**, and no gauge layer: the frame is that of the pixel grid, whose axes change from
    one base pixel to the next. Exact are the quarter turns about the poles alone, at every nside. For other rotations
    take :class:`SphereConv`.

    Args:
        in_type: type of the input ``[B, in_type.size, 12 nside^2]``, of C(1), or a number of channels.
        out_type: type of the output.
        sphere: where the input lies: nested, or by rings; a sampling or its name.
        ring: 1, or 2 for the neighbours of neighbours: 25 taps.
        stride: 1, or 2: the output is on ``sphere.coarser()``, from windows around the southern child of each pixel.
        bias: learned bias a channel.
        init: ``"he"`` or ``"delta"``.

    Attributes:
        sphere, targets: where the input and the output lie.

    Raises:
        TypeError: for another sampling.
        ValueError: for types of another group, another ring or stride, an odd nside with stride 2, nside 1 with ring 2.

    Source: Mahmoudian Bidgoli, Azevedo, Maugey, Roumy and Frossard, "OSLO: On-the-Sphere Learning for Omnidirectional
    Images", IEEE TIP 31 (2022), arXiv 2107.09179, section III.
    """

    def __init__(
        self,
        in_type: FieldType | int,
        out_type: FieldType | int,
        sphere: HealpixSphere | str,
        ring: int = 1,
        stride: int = 1,
        bias: bool = True,
        init: str = "he",
    ) -> None:
        name = type(self).__name__
        sphere = require_healpix(sphere, name)
        if ring not in (1, 2) or stride not in (1, 2) or ring > sphere.nside:
            raise ValueError(
                f"{name}: ring is {ring}, stride is {stride} on {sphere!r}; expected 1 or 2 each, and a ring of at "
                "most nside"
            )
        in_type, out_type = scalars(in_type, name, "in_type"), scalars(out_type, name, "out_type")
        super().__init__(in_type, out_type, Pixels(2 * ring + 1), 2 * ring + 1, 2, 1, bias)
        self.sphere, self.targets = sphere, sphere if stride == 1 else sphere.coarser()
        self.ring, self.stride = ring, stride
        with torch.device("cpu"):  # tables are worked out there, wherever weights are laid
            into, out, share = face_images(sphere, ring, stride)
        self.register_constant("into", into)
        self.register_constant("out", out)
        self.register_constant("share", share)
        self._init = init
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again, bias zero."""
        initialise(self, self._init)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, N]`` to ``[B, out_type.size, N / stride^2]``.

        Raises:
            ValueError: for other channels, or a map of another length.
        """
        self.check_input(x)
        check_pixels(self, x, self.sphere)
        return healpix_conv(x, self.stride, self.filter(), self.expanded_bias(), self.into, self.out, self.share)

    def bake(self) -> nn.Module:
        """The same with a fixed filter."""
        return Baked(
            healpix_conv,
            self.stride,
            weight=self.filter(),
            bias=self.expanded_bias(),
            into=self.into,
            out=self.out,
            share=self.share,
        )

    def extra_repr(self) -> str:
        """Types, sampling and window."""
        return f"{self.in_type!r} -> {self.out_type!r}, {self.sphere!r}, ring={self.ring}, stride={self.stride}"


def healpix_conv(
    x: Tensor, stride: int, weight: Tensor, bias: Tensor | None, into: Tensor, out: Tensor, share: Tensor
) -> Tensor:
    """Lay out, convolve, collect.

    Args:
        x: ``[B, C_in, N]``.
        stride: 1 or 2.
        weight: ``[C_out, C_in, k, k]``.
        bias: ``[C_out]``.
        into, out, share: of :func:`face_images`.
    """
    padded = F.pad(x, (0, 1))
    image = padded.gather(2, into.flatten().expand(*x.shape[:2], -1)).unflatten(2, into.shape)
    y = F.conv2d(image, weight, None, stride).flatten(2)
    y = y.gather(2, out.expand(*y.shape[:2], -1)) * share.to(y)
    return y if bias is None else y + bias[:, None].to(y)
