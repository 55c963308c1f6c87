"""Numbers of fields on the sphere that tell nothing of orientation: spectra, and isotropic filters of each place."""

from __future__ import annotations

import itertools
from functools import lru_cache

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2
from steerable.nn import SHT, InverseSHT
from steerable.nn.sphere.sht import spherical_fields

# samples worked on at a time
_CHUNK = 64


def band_edges(band: int) -> list[int]:
    """Edges of bands of degrees: 0, 1, 2, 4, 8, ... and the last one."""
    edges = [0, 1]
    while edges[-1] < band:
        edges.append(min(2 * edges[-1], band))
    return edges


def copies(type: FieldType, band: int) -> list[dict[int, slice]]:
    """Where the coefficients of each copy lie, by degree: one copy of a scalar, two (magnetic, electric) of a spin.

    Args:
        type: fields of SO2.
        band: degrees below it.
    """
    return [{int(l): s for l, s in copy.items()} for copy in spherical_fields("copies", type, band).copies]


def sphere_statistics(x: Tensor, sphere: Sphere, type: FieldType) -> Tensor:
    """Statistics of fields on the sphere that rotations leave as they are, up to the error of the sampling.

    Of each scalar, and of the length of each vector: mean, spread and third moment by area; of all copies of
    coefficients: the logarithm of the power in bands of degrees that double, and the correlations of pairs there.

    Args:
        x: ``[N, C, *shape]``.
        sphere: where they lie.
        type: of the fields.

    Returns:
        ``[N, F]``, float64.
    """
    return torch.cat([_statistics(part.double(), sphere, type) for part in x.split(_CHUNK)])


def _statistics(x: Tensor, sphere: Sphere, type: FieldType) -> Tensor:
    share = sphere.flat_weights() / sphere.flat_weights().sum()
    flat = x.flatten(2)
    found, start = [], 0
    for rep in type.fields:
        part = flat[:, start : start + rep.size]
        value = part[:, 0] if rep.is_trivial else part.norm(dim=1)
        mean = value @ share
        away = value - mean[:, None]
        spread = (away.square() @ share).sqrt()
        third = (away.pow(3) @ share) / spread.pow(3).clamp_min(1e-12)
        found += [mean, spread, third]
        start += rep.size
    band = sphere.usual_band
    c = _transforms(sphere, type, band)(x)
    edges = band_edges(band)
    parts = copies(type, band)
    # rounding fills degrees that a field does not have
    least = [1e-6 * torch.cat([c[:, s] for s in own.values()], 1).square().mean(1) + 1e-12 for own in parts]
    for low, high in itertools.pairwise(edges):
        rows = [([c[:, own[l]] for l in range(low, high) if l in own], e) for own, e in zip(parts, least, strict=True)]
        here = [torch.cat(r, 1) for r, _ in rows if r]
        power = [torch.cat(r, 1).square().mean(1) + e for r, e in rows if r]
        found += [p.log() for p in power]
        for i in range(len(here)):
            for j in range(i):
                if here[i].shape == here[j].shape:
                    found.append((here[i] * here[j]).mean(1) / (power[i] * power[j]).sqrt())
    return torch.stack(found, 1)


def filtered(x: Tensor, sphere: Sphere, type: FieldType, out: FieldType) -> Tensor:
    """Isotropic linear filters of fields: every map that commutes with rotations is a sum of these, up to its windows.

    Each copy of the coefficients of the input is put, in one window of degrees at a time, in the place of each copy of
    one output field, and evaluated: smoothed scalars, their gradients, and so on for any spin.

    Args:
        x: ``[N, C, *shape]``.
        sphere: where they lie.
        type: of the input.
        out: one field of SO2.

    Returns:
        ``[N, F, d, *shape]`` with d the components of the output field; float64.
    """
    band = sphere.usual_band
    c = _transforms(sphere, type, band)(x.double())
    back = _synthesis(sphere, out, band)
    edges = band_edges(band)
    found = []
    for own in copies(type, band):
        for other in copies(out, band):
            for low, high in itertools.pairwise(edges):
                degrees = [l for l in range(low, high) if l in own and l in other]
                if degrees:
                    put = torch.zeros(len(x), back.in_type.size, dtype=torch.float64)  # type: ignore[union-attr]
                    for l in degrees:
                        put[:, other[l]] = c[:, own[l]]
                    found.append(back(put))
    return torch.stack(found, 1)


@lru_cache(maxsize=8)
def _transforms(sphere: Sphere, type: FieldType, band: int) -> SHT:
    return SHT(sphere, type, band).double()


@lru_cache(maxsize=8)
def _synthesis(sphere: Sphere, type: FieldType, band: int) -> InverseSHT:
    return InverseSHT(sphere, type, band).double()


def scalars() -> FieldType:
    """One scalar field of SO2."""
    return 1 * SO2().trivial


def place_numbers(x: Tensor, sphere: Sphere, type: FieldType) -> Tensor:
    """Statistics of the surroundings of every sample, blind to orientation.

    The filters of :func:`filtered` to a scalar; and the spread of each field about its smooth part, in caps of about
    eight samples across.

    Args:
        x: ``[N, C, *shape]``.
        sphere: where they lie.
        type: of the fields.

    Returns:
        A row for each sample of each map, ``[N samples, F]``, float64.
    """
    one = scalars()
    band = sphere.usual_band
    low = max(2, band // 4)
    sht, back = _transforms(sphere, one, band), _synthesis(sphere, one, band)
    found = [filtered(x, sphere, type, one)[:, :, 0]]

    def smooth(f: Tensor) -> Tensor:
        c = sht(f[:, None])
        c[:, low * low :] = 0
        return back(c)

    start = 0
    for rep in type.fields:
        square = torch.zeros(len(x), *sphere.shape, dtype=torch.float64)
        mean = torch.zeros_like(square)
        for part in x[:, start : start + rep.size].double().unbind(1):
            square = square + part.square()
            mean = mean + (smooth(part)[:, 0].square() if rep.is_trivial else 0)
        found.append((smooth(square) - mean[:, None]).clamp_min(0).sqrt())
        start += rep.size
    return torch.cat(found, 1).movedim(1, -1).flatten(0, -2)
