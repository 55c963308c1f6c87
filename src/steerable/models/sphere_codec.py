"""Codecs of panoramas: on the pixels of HEALPix, and on equirectangular images for comparison."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.domains.sphere.healpix import HealpixSphere
from steerable.models.codec import Codec
from steerable.models.gdn import GDN
from steerable.nn.healpix.conv import HealpixConv
from steerable.nn.healpix.image import require_healpix
from steerable.nn.healpix.shuffle import HealpixPixelShuffle

#: a convolution ``(in, out, stage, stride)`` and a shuffle ``(out, stage)``, at the resolution after so many halvings
Build = Callable[..., nn.Module]
_SPAN = 8.0


class SphereCodec(Codec):
    """A learned codec of maps on HEALPix: as many bits for a pixel at the pole as for one at the equator.

    Stages of convolutions over a pixel and its neighbours with stride 2 and divisive normalisation; back by pixel
    shuffles. Pixels have equal areas, so the mean square error is the one over the sphere.

    Args:
        sphere: nested HEALPix, whose nside ``2^(stages + 1)`` divides.
        channels: of the maps, 3 for colours of values from 0 to 1.
        width: channels inside.
        latents: channels of y.
        hyper: channels of z, the side information.
        stages: halvings up to the latents; the side information is one further.
        ring: 1 or 2, of all convolutions.

    Raises:
        TypeError: for another sampling.
        ValueError: for the order by rings, or an nside that does not divide.

    Source: Mahmoudian Bidgoli et al., "OSLO", IEEE TIP 31 (2022), arXiv 2107.09179.
    """

    def __init__(
        self,
        sphere: HealpixSphere,
        channels: int = 3,
        width: int = 32,
        latents: int = 32,
        hyper: int = 16,
        stages: int = 3,
        ring: int = 1,
    ) -> None:
        require_healpix(sphere, "SphereCodec", nested=True)
        _check(sphere.nside, stages, "nside", f"{sphere!r}")
        levels = [sphere]
        for _ in range(stages + 1):
            levels.append(levels[-1].coarser())

        def conv(few: int, many: int, stage: int, stride: int = 1) -> nn.Module:
            return HealpixConv(few, many, levels[stage], min(ring, levels[stage].nside), stride)

        def shuffle(many: int, stage: int) -> nn.Module:
            return HealpixPixelShuffle(many, levels[stage])

        parts = transforms(conv, shuffle, channels, width, latents, hyper, stages)
        super().__init__(*parts, hyper, (channels, sphere.num_points), torch.ones(sphere.shape))
        self.sphere, self._coarse = sphere, levels[-1].shape

    @property
    def hyper_shape(self) -> tuple[int, ...]:
        """``(hyper, pixels)``."""
        return (self.hyper, *self._coarse)

    def _hint(self, x: Tensor) -> str:
        if x.dim() == 4:
            return ". That is an image: say tasks.panoramas.resample(x, panorama_sphere(x), sphere)"
        return self.sphere._likely(x) if x.dim() == 3 else ""


class EquirectCodec(Codec):
    """The twin of :class:`SphereCodec` on equirectangular images: the same channels and parameters, ``conv2d``.

    Longitude is wrapped; beyond the poles the first and last rows are repeated. The error is weighted by area.

    Args:
        height: rows; the images are ``[B, channels, height, 2 height]``, and ``2^(stages + 1)`` divides both.
        channels, width, latents, hyper, stages, ring: as of :class:`SphereCodec`.

    Raises:
        ValueError: for a height that does not divide.
    """

    def __init__(
        self,
        height: int,
        channels: int = 3,
        width: int = 32,
        latents: int = 32,
        hyper: int = 16,
        stages: int = 3,
        ring: int = 1,
    ) -> None:
        _check(height, stages, "height", f"{height} x {2 * height}")

        def conv(few: int, many: int, stage: int, stride: int = 1) -> nn.Module:
            return WrappedConv2d(few, many, 2 * ring + 1, stride)

        def shuffle(many: int, stage: int) -> nn.Module:
            return nn.PixelShuffle(2)

        parts = transforms(conv, shuffle, channels, width, latents, hyper, stages)
        rows = torch.sin((torch.arange(height) + 0.5) * torch.pi / height)
        super().__init__(*parts, hyper, (channels, height, 2 * height), rows[:, None].expand(-1, 2 * height))
        step = 2 ** (stages + 1)
        self._coarse = (height // step, 2 * height // step)

    @property
    def hyper_shape(self) -> tuple[int, ...]:
        """``(hyper, rows, columns)``."""
        return (self.hyper, *self._coarse)

    def _hint(self, x: Tensor) -> str:
        if x.dim() == 4 and x.shape[3] != 2 * x.shape[2]:
            return ". That is a band of a panorama: expected all 180 by 360 degrees"
        return ""


class WrappedConv2d(nn.Conv2d):
    """A convolution whose columns are a circle and whose first and last rows are repeated, with He's weights."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)
        nn.init.normal_(self.weight, std=(2 / (in_channels * kernel_size**2)) ** 0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``[B, C, H, W]`` to ``[B, C', H / stride, W / stride]``."""
        r = self.kernel_size[0] // 2
        x = F.pad(F.pad(input, (r, r, 0, 0), mode="circular"), (0, 0, r, r), mode="replicate")
        return F.conv2d(x, self.weight, self.bias, self.stride)


def transforms(
    conv: Build, shuffle: Build, channels: int, width: int, latents: int, hyper: int, stages: int
) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    """Analysis, synthesis, and those of the side information, of any domain that has strides and shuffles.

    Args:
        conv: ``(in, out, stage, stride)`` at the resolution after ``stage`` halvings.
        shuffle: ``(out, stage)``: four channels to four finer samples.
        channels, width, latents, hyper, stages: as of :class:`SphereCodec`.
    """
    down: list[nn.Module] = []
    for k in range(stages):
        last = k == stages - 1
        down += [conv(channels if k == 0 else width, latents if last else width, k, 2)]
        down += [] if last else [GDN(width)]
    up: list[nn.Module] = []
    for k in range(stages, 0, -1):
        many = channels if k == 1 else width
        up += [conv(latents if k == stages else width, 4 * many, k), shuffle(many, k)]
        up += [] if k == 1 else [GDN(width, inverse=True)]
    with torch.no_grad():  # latents that span several integers, and a grey picture, to begin with
        down[-1].weight.mul_(_SPAN)  # type: ignore[operator]
        up[0].weight.div_(_SPAN)  # type: ignore[operator]
        up[-2].bias.fill_(0.5)  # type: ignore[operator]
    aside = [conv(latents, width, stages), nn.ReLU(), conv(width, hyper, stages, 2)]
    back = [conv(hyper, 4 * width, stages + 1), shuffle(width, stages + 1), nn.ReLU(), conv(width, 2 * latents, stages)]
    return nn.Sequential(*down), nn.Sequential(*up), nn.Sequential(*aside), nn.Sequential(*back)


def _check(side: int, stages: int, what: str, given: str) -> None:
    step = 2 ** (stages + 1)
    if stages < 1 or side < step or side % step:
        near = max(step, round(side / step) * step)
        raise ValueError(
            f"codec on {given} with {stages} stages: the {what} is halved {stages + 1} times; expected a multiple of "
            f"{step}, such as {near}, or fewer stages"
        )
