"""Functions on a group and on its quotients, sampled: where to sample, and the matrices there and back.

A field with the representation ``rho`` is a function on G through one vector v: ``f(g) = <rho(g) v, c>``. Left
translation of f is then rho on c, whatever v is. If v is fixed by a subgroup H, f is a function on ``G/H``: on the
sphere for SO(3)/SO(2), where v picks m = 0 of every degree.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.constructions import adapted_vectors
from steerable.groups.cube_grid import CUBE, cube_directions, cube_rotations
from steerable.groups.group import Group
from steerable.groups.mackey import evaluate, mackey_maps
from steerable.groups.o2 import O2
from steerable.groups.o3 import O3, join
from steerable.groups.product import moving_part
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2
from steerable.groups.so3 import SO3
from steerable.groups.subgroup import Inclusion, as_inclusion

#: the ways to place samples
GRIDS = ("spread", "cube", "quadrature", "random")
#: by how much the way back from samples may amplify what does not belong to the band; a quadrature has 1
MOST_GAIN = 20.0


def sampling_matrix(rep: Representation, elements: Tensor, subgroup: Group | Inclusion | None = None) -> Tensor:
    """Matrix ``[n, d]`` that evaluates band-limited functions on the group at some elements.

    Args:
        rep: a regular, spectral regular or other representation whose irreps occur at most d/c times each; its
            coefficients are those of functions on the group, ``f(g) = sum_m F_m(g) c_m`` with ``F`` orthonormal under
            the Haar measure.
        elements: ``[n, ...]`` group elements.
        subgroup: H, for functions on ``G/H`` as ``group.spectral_quotient(H, L)`` holds them: they do not change when
            an element of H is multiplied from the right. On the sphere, SO3 over SO2, they are the spherical harmonics.

    Returns:
        float64. ``f -> A f`` satisfies ``A(elements) rho(h) = A(h^-1 elements)``. For the regular representation and
        all elements ``A`` is the identity times ``sqrt(order)``.

    Raises:
        ValueError: if an irrep occurs more often than functions have it.
    """
    group = rep.group
    inclusion = None if subgroup is None else as_inclusion(group, subgroup)
    if inclusion is None:
        return evaluate(rep, elements, lambda id: _rows(group, id), f"{group.name}.spectral_regular(L)")[:, 0]
    trivial = inclusion.small.trivial
    where = f"{group.name}.spectral_quotient({inclusion.name}, L)"
    return evaluate(rep, elements, lambda id: mackey_maps(group, id, inclusion, trivial), where)[:, 0]


def _rows(group: Group, id: str) -> np.ndarray:
    """``[d/c, 1, d]``: the vectors against which matrix coefficients are functions on the group."""
    vectors = adapted_vectors(group, id)
    return np.sqrt(len(vectors)) * vectors.T[:, None]


@lru_cache(maxsize=512)
def reading_vector(rep: Representation, domain: Inclusion | None = None) -> np.ndarray:
    """The vector v ``[d]`` through which a field is a function, ``f(g) = <rho(g) v, c>``.

    For permuted fields it picks the value at the identity (a sample is a channel); for others every irrep takes its
    fixed vectors in turn, scaled so that the d functions are orthonormal under the Haar measure.

    Raises:
        ValueError: if an irrep occurs more often than it does in the functions on the domain.
    """
    if rep.is_permutation and rep.group.is_finite and not rep.is_trivial:
        return np.eye(rep.size)[0]
    return sampling_matrix(rep, rep.group.identity[None], domain)[0].numpy()


@lru_cache(maxsize=512)
def natural_domain(reps: tuple[Representation, ...]) -> Inclusion | None:
    """The sphere for fields of SO(3) and O(3) that are functions there, each degree at most once; else the group."""
    group = reps[0].group
    small = SO2() if group == SO3() else O2() if group == O3() else None
    if small is None:
        return None
    domain = group.subgroup(small)
    try:
        for rep in reps:
            reading_vector(rep, domain)
    except ValueError:
        return None
    return domain


def is_sphere(group: Group, domain: Inclusion | None) -> bool:
    """Whether the functions are those on the sphere."""
    return domain is not None and (group, domain.small) in ((SO3(), SO2()), (O3(), O2()))


def sample_points(
    group: Group, domain: Inclusion | None, grid: str, samples: int | None, band: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Elements ``[N, ...]`` at which functions are sampled, and their weights ``[N]``, float64, of sum 1.

    Args:
        group: the group; a finite one is sampled at all its elements.
        domain: subgroup H of functions on ``G/H``: spirals and rules of the sphere take the place of those of SO(3).
        grid: ``"spread"`` (equal steps, spirals), ``"cube"`` (of SO(3), O(3) and the sphere: samples that the rotations
            of the cube permute, N rounded up to whole orbits of 24, with the inversion 48), ``"quadrature"`` (the
            product rule of at most that many samples which integrates most; by default one that is exact for squares,
            degree ``3 band``) or ``"random"``.
        samples: N; of a product with a finite group, for each element of that, all of which are taken.
        band: largest frequency of the fields.
        seed: of random samples.

    Raises:
        ValueError: for another grid, a missing number, or a rule of so few samples that it cannot hold the band.
    """
    if grid not in GRIDS:
        raise ValueError(f"grid of samples: the kind is one of {', '.join(GRIDS)} (or 'adaptive'), got {grid!r}")
    sphere = is_sphere(group, domain)
    if group.is_finite:
        elements = group.elements
    elif grid == "quadrature":
        return _rule(group, sphere, samples, band)
    elif not samples or samples < 1:
        raise ValueError(f"{group.name} is infinite: the grid {grid!r} needs the number of samples, got {samples!r}")
    elif grid == "cube":
        elements = _cube(group, sphere, samples)
    elif grid == "random":
        elements = _random(group, samples, torch.Generator().manual_seed(seed))
    else:
        elements = _on_sphere(group, *_sphere_spiral(samples)) if sphere else group.grid(samples)
    return elements, torch.full((len(elements),), 1.0 / len(elements), dtype=torch.float64, device="cpu")


def _cube(group: Group, sphere: bool, samples: int) -> Tensor:
    """Whole orbits of the cube's rotations."""
    if not isinstance(group, SO3 | O3):
        raise ValueError(f"grid of samples: 'cube' is one of SO3 and O3, got the group {group.name}; say 'spread'")
    both = isinstance(group, O3)
    orbits = -(-samples // (2 * CUBE if both else CUBE))
    if sphere:
        x, y, z = torch.from_numpy(cube_directions(orbits, both).copy()).unbind(1)
        return frame_over(group, torch.atan2(y, x), torch.acos(z.clamp(-1, 1)))
    q = torch.from_numpy(cube_rotations(orbits).copy())
    return torch.cat([join(q, torch.full_like(q[:, 0], k)) for k in (0.0, 1.0)]) if both else q


def _random(group: Group, samples: int, generator: torch.Generator) -> Tensor:
    """Independent draws; in a product with a finite group each beside all elements of that, which stay exact."""
    parts = moving_part(group)
    if parts is None:
        return group.sample(samples, generator)
    moving, finite, place = parts
    x, y = moving.sample(samples, generator).repeat_interleave(finite.order, 0), finite.elements.repeat(samples)
    return group.join(*((x, y) if place == "first" else (y, x)))  # type: ignore[attr-defined]


def _rule(group: Group, sphere: bool, samples: int | None, band: int) -> tuple[Tensor, Tensor]:
    def rule(degree: int) -> tuple[Tensor, Tensor]:
        return sphere_rule(group, degree) if sphere else group.haar(degree)

    if samples is None:
        return rule(3 * band)
    degree = 2 * band
    found = rule(degree)
    if len(found[0]) > samples:
        raise ValueError(
            f"the smallest quadrature of {group.name} for fields of band {band} has {len(found[0])} samples, got "
            f"samples={samples}; give more, or grid='spread'"
        )
    while len((finer := rule(degree + 1))[0]) <= samples:
        degree, found = degree + 1, finer
    return found


def sampling_pair(
    rep: Representation, elements: Tensor, weights: Tensor, domain: Inclusion | None = None
) -> tuple[Tensor, Tensor]:
    """From coefficients to samples and back: ``A [N, d]`` and ``A+ [d, N]``, float64, with ``A+ A = 1``.

    ``A+`` is the least-squares inverse with the weights; for a quadrature that is exact for products of two functions
    it is the integral against them.

    Raises:
        ValueError: if there are too few samples for the coefficients, or the field is no function.
    """
    sample = rep(elements) @ torch.from_numpy(reading_vector(rep, domain).copy())
    return sample, sampling_inverse(rep, sample, weights, default_samples(rep, domain))


def sampling_inverse(rep: Representation, sample: Tensor, weights: Tensor, enough: int | None) -> Tensor:
    """``A+ [d, N]`` of samples ``A [N, d]``: least squares with weights ``[N]``, exactly the integral where it is one.

    Raises:
        ValueError: if there are too few samples for the coefficients; ``enough`` of them would do.

    Warns:
        UserWarning: the samples determine the coefficients, but some so badly that what a nonlinearity adds is
            amplified by more than :data:`MOST_GAIN`.
    """
    if len(sample) < rep.size or torch.linalg.matrix_rank(sample) < rep.size:
        raise ValueError(
            f"{len(sample)} samples cannot hold the {rep.size} coefficients of {rep!r}; use at least {enough}, "
            f"better twice as many"
        )
    weighted = sample.T * weights
    gram = weighted @ sample
    exact = bool((gram - torch.eye(rep.size, dtype=gram.dtype)).abs().max() < 1e-10)
    if exact:
        return weighted
    found = torch.linalg.solve(gram, weighted)
    size = torch.linalg.eigvalsh(gram)
    gain = float((size[-1] / size[0].clamp_min(1e-300)).sqrt())  # the condition; 1 for a quadrature
    if gain > MOST_GAIN:
        more = f", such as {enough}" if enough and enough > len(sample) else ""
        warnings.warn(
            f"{len(sample)} samples hold the {rep.size} coefficients of {rep!r} badly: what a nonlinearity adds grows "
            f"up to {gain:.0f} times on the way back, and networks learn badly; expected more samples{more}",
            stacklevel=2,
        )
    return found


def default_samples(rep: Representation, domain: Inclusion | None = None) -> int | None:
    """A number of samples with room to spare for the band L of a field; ``None`` for finite groups, which take all.

    SO(2): ``4 L + 4``, a multiple of four, so that quarter turns stay exact; SO(3): 2.75 for each of the
    ``sum (2 l + 1)^2`` coefficients (96 for L = 2); the sphere: 4 for each of ``(L + 1)^2``. O(2) and O(3) take as many
    again with the reflection. Of a product with a finite group it is the number for the other factor.
    """
    parts = moving_part(rep.group)
    group, band = rep.group if parts is None else parts[0], rep.frequency
    if group.is_finite:
        return None
    if is_sphere(group, domain):
        return 4 * (band + 1) ** 2
    if isinstance(group, SO3 | O3):
        coefficients = (band + 1) * (2 * band + 1) * (2 * band + 3) // 3
        return 4 * round(2.75 * coefficients / 4) * (2 if isinstance(group, O3) else 1)
    rotations = 4 * band + 4
    return rotations if isinstance(group, SO2) else 2 * rotations


# ---- the sphere, lifted to rotations that carry the third axis to the points ----------------------------------------


def frame_over(group: Group, longitude: Tensor, colatitude: Tensor) -> Tensor:
    """Rotations ``Rz(longitude) Ry(colatitude)``, elements ``[..., 4]`` of SO3 or ``[..., 5]`` of O3."""
    half, turn = colatitude / 2, longitude / 2
    q = torch.stack(
        [half.cos() * turn.cos(), -half.sin() * turn.sin(), half.sin() * turn.cos(), half.cos() * turn.sin()], -1
    )
    return q if group == SO3() else join(q, torch.zeros_like(q[..., 0]))


def _on_sphere(group: Group, height: np.ndarray, longitude: np.ndarray) -> Tensor:
    """The same from the cosine of the colatitude."""
    return frame_over(group, torch.from_numpy(longitude), torch.from_numpy(np.arccos(height)))


def _sphere_spiral(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Equal areas along the golden spiral (Gonzalez, "Measurement of areas on a sphere", Math. Geosci. 42, 2010)."""
    k = np.arange(count)
    return 1 - (2 * k + 1) / count, np.mod(np.pi * (3 - np.sqrt(5)) * k, 2 * np.pi)


def sphere_rule(group: Group, degree: int) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre in the height, equal steps in longitude: exact for harmonics up to a degree."""
    height, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angle = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    heights, angles = np.repeat(height, len(angle)), np.tile(angle, len(height))
    weights = np.repeat(weight, len(angle)) / (2 * len(angle))
    return _on_sphere(group, heights, angles), torch.from_numpy(weights)
