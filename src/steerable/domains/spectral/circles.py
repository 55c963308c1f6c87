"""Fourier series along circles of latitude, of one length or of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from steerable.groups.eager import runs_eagerly


class RingsLike(Protocol):
    """What is asked of a sampling: ``steerable.domains.sphere.RingSphere`` and everything like it."""

    @property
    def rings(self) -> Any:
        """Colatitude, count, first longitude and weight of each ring."""

    @property
    def ring_order(self) -> Tensor | None:
        """Number of the sample at each place of the order by rings."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the fields."""
        ...


@dataclass(frozen=True, eq=False)
class Circles:
    """Where the samples of a sampling by rings lie, as numbers.

    Attributes:
        colatitude: of the rings from north to south ``[T]``.
        count: samples of each ``[T]``.
        first: longitude of the first sample of each ``[T]``.
        weight: quadrature weight of one sample of each ``[T]``.
        shape: of the fields.
        order: number of the sample at each place of the order by rings ``[N]``; ``None`` where they are in that order.
        extended: whether the orders are taken to other colatitudes before they are folded.
    """

    colatitude: np.ndarray
    count: np.ndarray
    first: np.ndarray
    weight: np.ndarray
    shape: tuple[int, ...]
    order: np.ndarray | None = None
    extended: bool = False

    @classmethod
    def of(cls, sphere: RingsLike) -> Circles:
        """Of a sampling by rings."""
        r, order = sphere.rings, sphere.ring_order
        place = None if order is None else order.cpu().numpy()
        return cls(r.colatitude, r.count, r.first, r.weight, tuple(sphere.shape), place)

    @cached_property
    def uniform(self) -> bool:
        """Whether all rings have one length and lie one after the other."""
        return self.order is None and bool((self.count == self.count[0]).all())

    @cached_property
    def groups(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Rings of one length ``[t]`` and where their samples lie ``[t, count]``, for each length."""
        start = np.concatenate([[0], np.cumsum(self.count)])
        order = np.arange(start[-1]) if self.order is None else self.order
        found = []
        for n in np.unique(self.count):
            rings = np.flatnonzero(self.count == n)
            found.append((rings, order[start[rings][:, None] + np.arange(n)]))
        return tuple(found)

    @cached_property
    def mirrored(self) -> tuple[np.ndarray, np.ndarray]:
        """Northern ring and its mirror image, or -1 where it has none, for each circle of the north ``[H]``."""
        theta = self.colatitude
        distance = np.abs(theta[:, None] + theta - np.pi)
        other = distance.argmin(1)
        t = np.arange(len(theta))
        paired = (distance[t, other] < 1e-12) & (other[other] == t) & (other != t)  # points may share a colatitude
        south = np.where(paired, other, -1)
        first = ~paired | (t < other)
        return t[first], south[first]

    @cached_property
    def in_order(self) -> bool:
        """Whether the mirror images are the rings from the south, as on every symmetric sampling."""
        count = len(self.colatitude)
        north, south = self.mirrored
        expected = np.where(2 * np.arange(len(north)) == count - 1, -1, count - 1 - np.arange(len(north)))
        return len(north) == (count + 1) // 2 and bool(
            (south == expected).all() and (north == np.arange(len(north))).all()
        )

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Samples of the rings of each group; of all of them where the sampling is uniform."""
        return (int(self.count[0]),) if self.uniform else tuple(place.shape[1] for _, place in self.groups)

    @cached_property
    def unpaired(self) -> bool:
        """Whether no ring has a mirror image."""
        return bool((self.mirrored[1] < 0).all())

    @cached_property
    def folds_first(self) -> bool:
        """Whether mirrored rings can be added sample by sample."""
        same = (self.first == self.first[::-1]) & (np.abs(self.weight - self.weight[::-1]) <= 1e-15)
        return self.uniform and self.in_order and not self.extended and bool(same.all())

    def constants(self, orders: int, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """What the functions of this file need beside the numbers.

        Weights of the rings in the analysis ``[T, 1]`` (default those of the sampling), phases, places.
        """
        found = {"weights": self.weight[:, None] if weights is None else weights}
        _ = self.lengths, self.folds_first, self.unpaired, self.groups  # ready before a run is traced
        if self.first.any():
            angle = self.first[:, None] * np.arange(orders)
            angle = angle[: len(self.mirrored[0])] if self.folds_first else angle
            found |= {"cos": np.cos(angle), "sin": np.sin(angle)}
        if not self.uniform:
            rings, places = zip(*self.groups, strict=True)
            found |= {"samples": np.concatenate([p.ravel() for p in places]), "rings": np.concatenate(rings)}
            found |= {f"{name}_back": np.argsort(found[name]) for name in ("samples", "rings")}
        if not (self.in_order or self.unpaired):
            north, south = self.mirrored
            found |= {"north": north, "south": np.maximum(south, 0), "mirrored": (south >= 0)[:, None] * 1.0}
            found["unfold"] = np.argsort(np.concatenate([north, south[south >= 0]]))
            found["there"] = np.flatnonzero(south >= 0)
        return found


Constants = Mapping[str, Tensor]


def to_orders(x: Tensor, circles: Circles, orders: int, constants: Constants) -> Tensor:
    """Weighted sums ``f exp(-i m phi)`` along the rings, then sums and differences of mirrored rings.

    Args:
        x: real ``[B, r, *shape]``.
        circles: the sampling.
        orders: how many.
        constants: ``circles.constants(orders)``.

    Returns:
        Complex ``[2, H, B, r, orders]``. A ring without mirror image stands in both.
    """
    weights = constants["weights"]
    if circles.folds_first:
        values = x.reshape(*x.shape[:2], len(circles.count), circles.lengths[0]).movedim(2, 0)
        folded = _folded(values, circles, constants).mul_(weights[: len(circles.mirrored[0]), :, None, None])
        return _turned(_spectrum(folded, orders), constants, -1)
    spectrum = ring_orders(x, circles, orders, constants) * weights[:, :, None, None]
    return fold(spectrum, circles, constants)


def from_orders(folded: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """``Re(F_0 + 2 sum F_m exp(i m phi))`` of ``[2, H, B, r, orders]`` on all rings: real ``[B, r, *shape]``."""
    if circles.folds_first:
        values = _series(_turned(folded, constants, 1), circles.lengths[0])
        return unfold(values, circles, constants).permute(1, 2, 0, 3).reshape(*folded.shape[2:4], *circles.shape)
    return ring_values(unfold(folded, circles, constants), circles, constants)


def ring_orders(x: Tensor, circles: Circles, orders: int, constants: Constants) -> Tensor:
    """Sums ``f exp(-i m phi)`` along every ring: real ``[B, r, *shape]`` to complex ``[T, B, r, orders]``."""
    if circles.uniform:
        spectrum = _spectrum(x.reshape(*x.shape[:2], len(circles.count), circles.lengths[0]), orders)
    else:
        values = x.flatten(2).index_select(-1, constants["samples"])
        parts = values.split([len(r) * n for (r, _), n in zip(circles.groups, circles.lengths, strict=True)], -1)
        found = [
            _spectrum(v.unflatten(-1, (v.shape[-1] // n, n)), orders)
            for v, n in zip(parts, circles.lengths, strict=True)
        ]
        spectrum = torch.cat(found, -2).index_select(-2, constants["rings_back"])
    return _turned(spectrum.movedim(2, 0), constants, -1)


def ring_values(spectrum: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """``Re(F_0 + 2 sum F_m exp(i m phi))``: complex ``[T, B, r, orders]`` to real ``[B, r, *shape]``."""
    spectrum = _turned(spectrum, constants, 1).movedim(0, 2)
    if circles.uniform:
        return _series(spectrum, circles.lengths[0]).reshape(*spectrum.shape[:2], *circles.shape)
    parts = spectrum.index_select(-2, constants["rings"]).split([len(r) for r, _ in circles.groups], -2)
    found = [_series(p, n).flatten(-2) for p, n in zip(parts, circles.lengths, strict=True)]
    values = torch.cat(found, -1).index_select(-1, constants["samples_back"])
    return values.reshape(*spectrum.shape[:2], *circles.shape)


def _turned(spectrum: Tensor, constants: Constants, sign: int) -> Tensor:
    """Rings that do not start at longitude zero."""
    if "cos" not in constants:
        return spectrum
    return spectrum * torch.complex(constants["cos"], sign * constants["sin"])[:, None, None]


def _spectrum(x: Tensor, orders: int) -> Tensor:
    n = x.shape[-1]
    if x.numel() == 0:  # FFT libraries refuse an empty batch
        return torch.complex(x, x)[..., :1].expand(*x.shape[:-1], orders)
    if orders <= n // 2 + 1:
        return torch.fft.rfft(x)[..., :orders]
    return torch.fft.fft(x)[..., torch.arange(orders, device=x.device) % n]  # orders that the ring cannot tell apart


def _series(spectrum: Tensor, n: int) -> Tensor:
    orders = spectrum.shape[-1]
    if spectrum.numel() == 0:
        return spectrum[..., :1].real.expand(*spectrum.shape[:-1], n)
    if 2 * (orders - 1) < n:
        return torch.fft.irfft(spectrum, n, norm="forward")
    doubled = torch.cat([spectrum[..., :1].real.to(spectrum.dtype), 2 * spectrum[..., 1:]], -1)
    padded = torch.nn.functional.pad(doubled, (0, -orders % n))
    return torch.fft.ifft(padded.unflatten(-1, (padded.shape[-1] // n, n)).sum(-2), norm="forward").real


def fold(x: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """``[T, ...]`` to sums and differences ``[2, H, ...]``."""
    if circles.unpaired:
        return torch.stack([x, x])
    if circles.in_order:
        half = (len(circles.colatitude) + 1) // 2
        north, south = x[:half], x[half:].flip(0)
        if len(south) < half:
            south = torch.cat([south, torch.zeros_like(south[:1] if len(south) else north[:1])])
    else:
        shape = (-1, *(x.dim() - 1) * [1])
        north = x.index_select(0, constants["north"])
        south = x.index_select(0, constants["south"]) * constants["mirrored"].view(shape)
    return torch.stack([north + south, north - south])


def _folded(x: Tensor, circles: Circles, constants: Constants) -> Tensor:
    if len(circles.count) % 2 or torch.compiler.is_compiling() or not runs_eagerly(x):
        return fold(x, circles, constants)
    found: Any = _Fold.apply(x)
    return found


class _Fold(torch.autograd.Function):
    """Sums and differences of as many rings in the north as in the south, without temporaries."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """``[2 H, ...]`` to ``[2, H, ...]``."""
        half = len(x) // 2
        out = x.new_empty(2, half, *x.shape[1:])
        north, south = x[:half], x[half:].flip(0)
        torch.add(north, south, out=out[0])
        torch.sub(north, south, out=out[1])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """The transpose."""
        even, odd = grads[0]
        return torch.cat([even + odd, (even - odd).flip(0)])


def unfold(folded: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """The transpose of :func:`fold`: ``[2, H, ...]`` to ``[T, ...]``."""
    even, odd = folded
    if circles.unpaired:
        return even + odd
    if circles.in_order:
        return torch.cat([even + odd, (even - odd)[: len(circles.colatitude) - len(even)].flip(0)])
    south = (even - odd).index_select(0, constants["there"])
    return torch.cat([even + odd, south]).index_select(0, constants["unfold"])
