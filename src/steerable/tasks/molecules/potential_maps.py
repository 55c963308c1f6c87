"""The potential of the other atoms on a small sphere around each atom, one map for each element: exact harmonics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from steerable.data import Clouds
from steerable.domains.sphere import Sphere
from steerable.groups.spherical import spherical_harmonics


def potential_maps(molecules: Clouds, band: int = 6, radius: float = 0.35, charges: Tensor | None = None) -> Tensor:
    """Coefficients of the Coulomb potential on a sphere around every atom, ``[atoms, elements * L^2]``.

    The map of element e around atom i is ``U(n) = z_i sum_(j != i of e) z_j / |p_i + r n - p_j|``. All other atoms lie
    outside the sphere, so that its series is known,
    ``z_i z_j sum_l r^l / d^(l+1) 4 pi / (2 l + 1) sum_m Y_lm(n) Y_lm(d / |d|)``: nothing is sampled, a turned molecule
    has turned maps to rounding, a shift or another order of the others changes nothing.

    Args:
        molecules: features are one-hot elements ``[M, elements]``, positions in Angstrom.
        band: L; what degree L would add is ``(r / d)^L`` of the nearest atom's share.
        radius: r in Angstrom, below half of the smallest distance of two atoms (0.96 for H-C, so 0.48).
        charges: of the elements, ``[elements]``; default 1 each.

    Returns:
        In the order of :class:`steerable.nn.SHT` (orthonormal for the mean over the sphere), in units of e^2 / Angstrom
        (times 332 kcal/mol), in the dtype of the positions.

    Raises:
        ValueError: for other charges, a band below 1, points of the plane, or an atom inside the sphere of another.

    Source: Cohen, Geiger, Koehler and Welling, "Spherical CNNs", ICLR 2018, arXiv 1801.10130, section 5.4, after Rupp
    et al., Phys. Rev. Lett. 108 (2012), 058301; there the potentials are sampled and cut off.
    """
    elements = molecules.channels
    z = torch.ones(elements) if charges is None else charges
    if band < 1 or radius <= 0 or len(z) != elements or molecules.dimension != 3:
        raise ValueError(
            f"potential_maps: band {band}, radius {radius}, {len(z)} charges for {elements} elements in "
            f"{molecules.dimension} dimensions; expected a band from 1 on, a positive radius, a charge for each "
            f"element, and molecules in space"
        )
    positions = molecules.positions
    z = z.to(positions)
    own = molecules.features.to(positions) @ z
    target, source = pairs(molecules)
    offset = positions[source] - positions[target]
    distance = offset.norm(dim=1)
    nearest = float(distance.min()) if len(distance) else math.inf
    if nearest <= 2 * radius:
        raise ValueError(
            f"potential_maps: two atoms are {nearest:.3g} Angstrom apart and the spheres have a radius of {radius}; "
            f"expected spheres that do not overlap: a radius below {nearest / 2:.3g}"
        )
    l = torch.arange(band).repeat_interleave(2 * torch.arange(band) + 1)
    share = radius ** l.to(positions) / distance[:, None] ** (l + 1) * math.sqrt(4 * math.pi) / (2 * l + 1)
    series = spherical_harmonics(offset, range(band)) * share * (own[source] * own[target])[:, None]
    kind = molecules.features.argmax(1)[source]
    found = positions.new_zeros(len(positions) * elements, band * band)
    return found.index_add(0, target * elements + kind, series).view(len(positions), -1)


def sampled(coefficients: Tensor, band: int, sphere: Sphere) -> Tensor:
    """Maps ``[atoms, elements, *sphere.shape]`` from coefficients ``[atoms, elements * L^2]``."""
    points = sphere.points().to(coefficients)
    values = math.sqrt(4 * math.pi) * spherical_harmonics(points.reshape(-1, 3), range(band))
    maps = coefficients.unflatten(1, (-1, band * band)) @ values.mT
    return maps.unflatten(2, sphere.shape)


def pairs(molecules: Clouds) -> tuple[Tensor, Tensor]:
    """All ordered pairs of two atoms of one molecule, ``(target, source)``, each ``[E]``."""
    counts = molecules.counts()
    each = counts.repeat_interleave(counts)
    target = torch.arange(len(each)).repeat_interleave(each)
    first = molecules.ptr[:-1].repeat_interleave(counts).repeat_interleave(each)
    before = (each.cumsum(0) - each).repeat_interleave(each)
    source = first + torch.arange(len(target)) - before
    other = source != target
    return target[other], source[other]
