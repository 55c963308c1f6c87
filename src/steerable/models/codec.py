"""Compression by learned transforms with a hyper-prior: what codecs of all domains share."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from steerable.models.entropy import (
    FactorisedPrior,
    bits,
    functional_double,
    gaussian_mass,
    gaussian_tables,
    level_of,
    scale_of,
)
from steerable.models.range_coder import RangeDecoder, RangeEncoder

_HEADER = struct.Struct(">4sIHII")  # magic, model, maps, bytes of the body, checksum of the symbols
_MAGIC = b"stC1"


class Coded(NamedTuple):
    """What a codec answers.

    Attributes:
        output: the maps as they come out, of the shape of the input.
        bits: estimated bits of each map, ``[B]``; differentiable.
    """

    output: Tensor
    bits: Tensor


class Symbols(NamedTuple):
    """What is written: integers, and what both sides know about them.

    Attributes:
        hyper: int64 ``[B, hyper, ...]``.
        latent: int64 ``[B, latents, ...]``: latents less their means, rounded.
        mean, level: means in float64, and numbers of frequency tables, of the shape of ``latent``.
    """

    hyper: Tensor
    latent: Tensor
    mean: Tensor
    level: Tensor

    @property
    def quantised(self) -> Tensor:
        """The latents that the decoder sees, float64."""
        return self.latent + self.mean


class Codec(nn.Module):
    r"""Maps to few bytes and back: ``y = g_a(x)`` is rounded, with a Gaussian for each latent from side information.

    Rate ``E[-log2 p(y | z) - log2 p(z)]``, with ``z = h_a(y)``, ``p(y | z) = N(mu, sigma) * U(-1/2, 1/2)`` and
    ``mu, sigma = h_s(z)``; ``p(z)`` is free. In training uniform noise stands for rounding; in eval it rounds.

    A file is bound to the weights by which it was written. The side information is evaluated in float64, and the
    symbols have a checksum, so another machine either reads the same latents or says that it does not.

    Args:
        analysis, synthesis: ``g_a`` and ``g_s``.
        hyper_analysis, hyper_synthesis: ``h_a`` and ``h_s``; the latter gives twice the latents.
        hyper: channels of z.
        shape: of a map, without the batch: ``(channels, *space)``.
        areas: of the samples, ``space``, to weigh the distortion; sums to anything.

    Source: Balle et al., ICLR 2018, arXiv 1802.01436; means by Minnen, Balle and Toderici, NeurIPS 2018, arXiv
    1809.02736.
    """

    def __init__(
        self,
        analysis: nn.Module,
        synthesis: nn.Module,
        hyper_analysis: nn.Module,
        hyper_synthesis: nn.Module,
        hyper: int,
        shape: tuple[int, ...],
        areas: Tensor,
    ) -> None:
        super().__init__()
        self.analysis, self.synthesis = analysis, synthesis
        self.hyper_analysis, self.hyper_synthesis = hyper_analysis, hyper_synthesis
        self.prior = FactorisedPrior(hyper)
        self.shape, self.hyper = shape, hyper
        self.register_buffer("shares", (areas / areas.sum()).float(), persistent=False)

    @property
    def pixels(self) -> int:
        """Samples of a map."""
        return self.shares.numel()

    def forward(self, x: Tensor) -> Coded:
        """Maps ``[B, *shape]`` of values from 0 to 1, as they come out, and their bits.

        Raises:
            ValueError: for another shape.
        """
        self.check(x)
        y = self.analysis(x)
        z = self._rounded(self.hyper_analysis(y))
        mean, raw = self.hyper_synthesis(z).chunk(2, 1)
        offset = self._rounded(y - mean)
        estimate = bits(gaussian_mass(offset, scale_of(raw))) + bits(self.prior(z))
        return Coded(self.synthesis(offset + mean), estimate)

    def _rounded(self, v: Tensor) -> Tensor:
        return v + torch.rand_like(v) - 0.5 if self.training else torch.round(v)

    def loss(self, x: Tensor, trade: float) -> Tensor:
        """Bits a pixel and ``trade`` times the mean square error in units of 1/255, weighted by area."""
        coded = self(x)
        return coded.bits.mean() / self.pixels + trade * 255**2 * self.distortion(coded.output, x).mean()

    def distortion(self, a: Tensor, b: Tensor) -> Tensor:
        """Mean square difference over the sphere, ``[B]``."""
        return ((a - b).square() * self.shares.to(a)).flatten(2).sum(2).mean(1)

    def check(self, x: Tensor) -> None:
        """Refuse maps of another shape. Looks at shapes only.

        Raises:
            ValueError: naming the right one.
        """
        if not torch.compiler.is_compiling() and tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"{type(self).__name__}: the input is {list(x.shape)}; this codec expects "
                f"[B, {', '.join(map(str, self.shape))}]{self._hint(x)}"
            )

    def _hint(self, x: Tensor) -> str:
        return ""

    # ---- files

    @torch.no_grad()
    def symbols(self, x: Tensor) -> Symbols:
        """The integers that stand for maps, rounded whatever the mode."""
        self.check(x)
        y = self.analysis(x)
        hyper = self.hyper_analysis(y).double().round()
        mean, level = self._side(hyper)
        return Symbols(hyper.long(), (y.double() - mean).round().long(), mean, level)

    def _side(self, hyper: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = functional_double(self.hyper_synthesis, hyper).chunk(2, 1)
        return mean, level_of(scale_of(raw))

    def compress(self, x: Tensor) -> bytes:
        """The bytes of maps ``[B, *shape]``: a header of 18, then both kinds of symbols, arithmetically coded.

        Raises:
            ValueError: for another shape, an empty batch, or values that are not finite.
        """
        found = self.symbols(x)
        if not 1 <= len(x) < 1 << 16 or not bool(torch.isfinite(x).all()):
            raise ValueError(f"{type(self).__name__}.compress: {len(x)} maps; expected 1 to 65535, of finite values")
        coder, priors, normal = RangeEncoder(), self.prior.tables(), gaussian_tables()
        order = _channels(found.hyper)
        coder.encode(_list(found.hyper), (priors[c] for c in order))
        coder.encode(_list(found.latent), (normal[k] for k in _list(found.level)))
        body = coder.finish()
        return _HEADER.pack(_MAGIC, self.fingerprint(), len(x), len(body), _checksum(found)) + body

    @torch.no_grad()
    def decompress(self, data: bytes) -> Tensor:
        """The maps ``[B, *shape]`` that bytes stand for.

        Raises:
            ValueError: for bytes of something else, too few or too many, damaged ones, or ones of another model.
        """
        latents = self.read(data).quantised
        like = next(self.parameters())
        return self.synthesis(latents.to(like))

    @torch.no_grad()
    def read(self, data: bytes) -> Symbols:
        """The integers in bytes of :meth:`compress`.

        Raises:
            ValueError: as :meth:`decompress`.
        """
        name = f"{type(self).__name__}.decompress"
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise ValueError(f"{name}: {len(data)} bytes that begin with {data[:4]!r}; expected those of compress")
        _, model, count, length, checksum = _HEADER.unpack_from(data)
        if model != self.fingerprint():
            raise ValueError(
                f"{name}: the bytes are of a model {model:08x}, this one is {self.fingerprint():08x}; expected the "
                "same class and weights. Load the checkpoint by which they were written"
            )
        if len(data) != _HEADER.size + length:
            raise ValueError(f"{name}: {len(data)} bytes; expected {_HEADER.size + length}. The file was cut or joined")
        coder, priors, normal = RangeDecoder(data[_HEADER.size :]), self.prior.tables(), gaussian_tables()
        device = next(self.parameters()).device
        try:
            hyper = torch.empty(count, *self.hyper_shape, dtype=torch.int64)
            hyper = torch.tensor(coder.decode([priors[c] for c in _channels(hyper)])).view(hyper.shape).to(device)
            mean, level = self._side(hyper)
            latent = torch.tensor(coder.decode([normal[k] for k in _list(level)])).view(mean.shape).to(device)
            found = Symbols(hyper, latent, mean, level)
            right = _checksum(found) == checksum
        except (ValueError, OverflowError, RuntimeError):
            right = False
        if not right:
            raise ValueError(
                f"{name}: the checksum of the symbols is not {checksum:08x}; expected the bytes as they were written. "
                "They are damaged, or this machine evaluates the model otherwise"
            )
        return found

    @property
    def hyper_shape(self) -> tuple[int, ...]:
        """Of the side information of one map."""
        raise NotImplementedError(f"{type(self).__name__} does not say the shape of its side information")

    def fingerprint(self) -> int:
        """A number of 32 bits from class, shape and weights."""
        found = zlib.crc32(f"{type(self).__name__} {self.shape}".encode())
        for name, value in sorted(self.state_dict().items()):
            found = zlib.crc32(
                value.detach().cpu().float().contiguous().numpy().tobytes(), zlib.crc32(name.encode(), found)
            )
        return found


def _list(x: Tensor) -> list[int]:
    return x.flatten().tolist()


def _channels(x: Tensor) -> list[int]:
    """The channel of each entry of ``[B, C, ...]``, flat."""
    shape = (1, -1, *(1,) * (x.dim() - 2))
    return torch.arange(x.shape[1]).view(shape).expand(x.shape).flatten().tolist()


def _checksum(found: Symbols) -> int:
    both = (v.cpu().numpy().astype("<i4") for v in (found.hyper, found.latent))
    return zlib.crc32(np.concatenate([v.reshape(-1) for v in both]).tobytes())
