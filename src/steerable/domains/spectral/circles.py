"""Fourier series along circles of latitude, of one length or of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor


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
    """

    colatitude: np.ndarray
    count: np.ndarray
    first: np.ndarray
    weight: np.ndarray
    shape: tuple[int, ...]
    order: np.ndarray | None = None

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
    def fold(self) -> tuple[np.ndarray, np.ndarray]:
        """Northern ring and its mirror image, or -1 where it has none, for each circle of the north ``[H]``."""
        theta = self.colatitude
        found = [(t, s) for t in range(len(theta)) if (s := self._mirror(t)) < 0 or t < s]
        return np.array([t for t, _ in found]), np.array([s for _, s in found])

    def _mirror(self, t: int) -> int:
        distance = np.abs(self.colatitude - (np.pi - self.colatitude[t]))
        s = int(distance.argmin())
        return s if distance[s] < 1e-12 and s != t else -1

    @cached_property
    def in_order(self) -> bool:
        """Whether the mirror images are the rings from the south, as on every symmetric sampling."""
        count = len(self.colatitude)
        north, south = self.fold
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
        return bool((self.fold[1] < 0).all())

    def constants(self, orders: int) -> dict[str, np.ndarray]:
        """What the functions of this file need beside the numbers: phases, and places where rings differ in length."""
        found: dict[str, np.ndarray] = {}
        _ = self.lengths, self.in_order, self.unpaired, self.groups  # ready before a run is traced
        if self.first.any():
            angle = self.first[:, None] * np.arange(orders)
            found |= {"cos": np.cos(angle), "sin": np.sin(angle)}
        if not self.uniform:
            rings, places = zip(*self.groups, strict=True)
            found |= {"samples": np.concatenate([p.ravel() for p in places]), "rings": np.concatenate(rings)}
            found |= {f"{name}_back": np.argsort(found[name]) for name in ("samples", "rings")}
        if not (self.in_order or self.unpaired):
            north, south = self.fold
            found |= {"north": north, "south": np.maximum(south, 0), "mirrored": (south >= 0)[:, None] * 1.0}
            found["unfold"] = np.argsort(np.concatenate([north, south[south >= 0]]))
            found["there"] = np.flatnonzero(south >= 0)
        return found


Constants = Mapping[str, Tensor]


def to_orders(x: Tensor, circles: Circles, orders: int, constants: Constants) -> Tensor:
    """Sums ``f exp(-i m phi)`` along the rings: real ``[..., *shape]`` to complex ``[..., T, orders]``."""
    lead = x.dim() - len(circles.shape)
    if circles.uniform:
        spectrum = _spectrum(x.reshape(*x.shape[:lead], len(circles.count), circles.lengths[0]), orders)
    else:
        values = x.flatten(lead).index_select(-1, constants["samples"])
        parts = values.split([len(r) * n for (r, _), n in zip(circles.groups, circles.lengths, strict=True)], -1)
        found = [
            _spectrum(v.unflatten(-1, (v.shape[-1] // n, n)), orders)
            for v, n in zip(parts, circles.lengths, strict=True)
        ]
        spectrum = torch.cat(found, -2).index_select(-2, constants["rings_back"])
    if "cos" in constants:
        spectrum = spectrum * torch.complex(constants["cos"], -constants["sin"])
    return spectrum


def _spectrum(x: Tensor, orders: int) -> Tensor:
    n = x.shape[-1]
    if x.numel() == 0:  # FFT libraries refuse an empty batch
        return torch.complex(x, x)[..., :1].expand(*x.shape[:-1], orders)
    if orders <= n // 2 + 1:
        return torch.fft.rfft(x)[..., :orders]
    return torch.fft.fft(x)[..., torch.arange(orders, device=x.device) % n]  # orders that the ring cannot tell apart


def from_orders(spectrum: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """``Re(F_0 + 2 sum F_m exp(i m phi))``: complex ``[..., T, orders]`` to real ``[..., *shape]``."""
    if "cos" in constants:
        spectrum = spectrum * torch.complex(constants["cos"], constants["sin"])
    if circles.uniform:
        return _series(spectrum, circles.lengths[0]).reshape(*spectrum.shape[:-2], *circles.shape)
    parts = spectrum.index_select(-2, constants["rings"]).split([len(r) for r, _ in circles.groups], -2)
    found = [_series(p, n).flatten(-2) for p, n in zip(parts, circles.lengths, strict=True)]
    return (
        torch.cat(found, -1).index_select(-1, constants["samples_back"]).reshape(*spectrum.shape[:-2], *circles.shape)
    )


def _series(spectrum: Tensor, n: int) -> Tensor:
    orders = spectrum.shape[-1]
    if spectrum.numel() == 0:
        return spectrum[..., :1].real.expand(*spectrum.shape[:-1], n)
    if 2 * (orders - 1) < n:
        return torch.fft.irfft(spectrum, n, norm="forward")
    doubled = torch.cat([spectrum[..., :1].real.to(spectrum.dtype), 2 * spectrum[..., 1:]], -1)
    padded = torch.nn.functional.pad(doubled, (0, -orders % n))
    return torch.fft.ifft(padded.unflatten(-1, (padded.shape[-1] // n, n)).sum(-2), norm="forward").real


def fold(spectrum: Tensor, circles: Circles, constants: Constants) -> tuple[Tensor, Tensor]:
    """Sums and differences of mirrored rings, ``[..., T, M]`` to two ``[..., H, M]``; a ring alone is both."""
    if circles.unpaired:
        return spectrum, spectrum
    if circles.in_order:
        half = (len(circles.colatitude) + 1) // 2
        north, south = spectrum[..., :half, :], spectrum[..., half:, :].flip(-2)
        if south.shape[-2] < half:
            south = torch.nn.functional.pad(south, (0, 0, 0, 1))
    else:
        north = spectrum.index_select(-2, constants["north"])
        south = spectrum.index_select(-2, constants["south"]) * constants["mirrored"]
    return north + south, north - south


def unfold(even: Tensor, odd: Tensor, circles: Circles, constants: Constants) -> Tensor:
    """The transpose of :func:`fold`: two ``[..., H, M]`` to ``[..., T, M]``."""
    north = even + odd
    if circles.unpaired:
        return north
    south = even - odd
    if circles.in_order:
        return torch.cat([north, south[..., : len(circles.colatitude) - north.shape[-2], :].flip(-2)], -2)
    return torch.cat([north, south.index_select(-2, constants["there"])], -2).index_select(-2, constants["unfold"])
