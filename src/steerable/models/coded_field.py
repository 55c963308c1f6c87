"""Codecs as networks from fields to fields: what comes out, and what it costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.domains.sphere import HealpixSphere, RingSphere, Sphere, parse_sphere
from steerable.models.codec import Codec
from steerable.models.sphere_codec import EquirectCodec, SphereCodec


class CodedField(nn.Module):
    """A codec whose answer is one tensor: the channels as they come out, and the bits that a sample costs.

    :attr:`codec` writes and reads files.

    Args:
        in_channels: of the maps.
        num_classes: one more than channels.
        sphere: nested HEALPix, as of :class:`SphereCodec`; None: :attr:`usual`.
        width, latents, hyper, stages, ring: as of :class:`SphereCodec`; latents and hyper are by default `width` and
            its half.

    Raises:
        ValueError: for another number of outputs, or a sampling that the codec cannot take.
    """

    usual = "healpix(32, nested)"

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 4,
        sphere: str | Sphere | None = None,
        width: int = 32,
        latents: int | None = None,
        hyper: int | None = None,
        stages: int = 3,
        ring: int = 1,
    ) -> None:
        super().__init__()
        self.sphere = parse_sphere(self.usual if sphere is None else sphere)
        if num_classes != in_channels + 1:
            raise ValueError(
                f"a codec of {in_channels} channels with {num_classes} outputs; expected {in_channels + 1}, the "
                "channels and the bits that a sample costs"
            )
        sizes = (in_channels, width, latents or width, hyper or max(1, width // 2), stages, ring)
        self.codec = self.build(self.sphere, sizes)

    def build(self, sphere: Sphere, sizes: tuple[int, ...]) -> Codec:
        """The codec on a sampling."""
        if not isinstance(sphere, HealpixSphere):
            raise ValueError(f"a codec on {sphere!r}; expected nested HEALPix such as 'healpix(32, nested)'")
        return SphereCodec(sphere, *sizes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *shape]`` to ``[B, in_channels + 1, *shape]``; the last channel is the same everywhere."""
        coded = self.codec(x)
        rate = (coded.bits / self.codec.pixels).to(coded.output)
        return torch.cat([coded.output, rate.view(-1, *[1] * (x.dim() - 1)).expand_as(coded.output[:, :1])], 1)


class PlainCodedField(CodedField):
    """The twin on equirectangular images, ``'equiangular(nlat=80, kind=fejer, shift=0.5)'``; arguments as there."""

    usual = "equiangular(nlat=80, kind=fejer, shift=0.5)"

    def build(self, sphere: Sphere, sizes: tuple[int, ...]) -> Codec:
        """The codec on rows and columns."""
        if not isinstance(sphere, RingSphere) or len(sphere.shape) != 2 or sphere.shape[1] != 2 * sphere.shape[0]:
            raise ValueError(
                f"a plain codec on {sphere!r}; expected rows of an image twice as wide as high, such as "
                "'equiangular(nlat=80, kind=fejer, shift=0.5)'"
            )
        return EquirectCodec(sphere.shape[0], *sizes)
