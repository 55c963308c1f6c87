"""Fields of complex numbers: channels in pairs (real, imaginary) that a rotation multiplies by ``e^(i m t)``."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from steerable.groups.group import Group
from steerable.groups.harmonics import harmonic_representation
from steerable.groups.representation import Representation

#: multiplication by i on a pair (real, imaginary)
TIMES_I = np.array([[0.0, -1.0], [1.0, 0.0]])


class Stream(NamedTuple):
    """One complex (or, of size 1, one real) number within a field: channels ``start:stop`` and how they move."""

    start: int
    stop: int
    rep: Representation

    @property
    def is_complex(self) -> bool:
        """Whether it is a pair of channels."""
        return self.stop - self.start == 2


@lru_cache(maxsize=256)
def complex_stream(group: Group, order: int) -> Representation:
    """A complex number that a rotation by t multiplies by ``e^(i order t)``, as two channels (real, imaginary).

    Order 0 is a pair of trivial channels, order m > 0 the irrep of frequency m, order -m its conjugate (Worrall et al.,
    "Harmonic Networks", CVPR 2017, section 3).

    Args:
        group: SO2 or C(n).
        order: any integer.

    Raises:
        ValueError: for a group that is no group of rotations of the plane.
    """
    if not group.is_planar or (np.linalg.det(group.plane(group.generators).numpy()) < 0).any():
        raise ValueError(
            f"complex_stream: got {group.name}; expected rotations of the plane, SO2 or C(n): a reflection conjugates "
            f"a complex number and so is not complex linear"
        )
    if order == 0:
        return group.trivial.direct_sum(group.trivial)
    rep = harmonic_representation(group, abs(order))
    if order > 0:
        return rep
    return Representation(group, rep.irreps, np.diag([1.0, -1.0]) @ rep.basis, f"conjugate({-order})")


@lru_cache(maxsize=512)
def streams(rep: Representation) -> tuple[Stream, ...]:
    """The complex numbers of which a field consists: neighbouring channels are (real, imaginary).

    A field of one channel is one real number.

    Raises:
        ValueError: if the group mixes the pairs, or does not commute with multiplication by i.
    """
    if rep.size == 1:
        return (Stream(0, 1, rep),)
    if not _is_complex(rep):
        raise ValueError(
            f"got the representation {rep!r}; expected complex numbers, pairs of channels (real, imaginary) that a "
            f"rotation multiplies by a phase. Make them with complex_stream(group, order)"
        )
    if rep.size == 2:
        return (Stream(0, 2, rep),)
    found = []
    for start in range(0, rep.size, 2):
        rows = rep.basis[start : start + 2]
        kept = [k for k, (s, t) in enumerate(rep.irrep_slices) if np.abs(rows[:, s:t]).max() > 1e-9]
        columns = np.concatenate([np.arange(*rep.irrep_slices[k]) for k in kept])
        part = Representation(rep.group, tuple(rep.irreps[k] for k in kept), rows[:, columns])
        found.append(Stream(start, start + 2, part))
    return tuple(found)


def _is_complex(rep: Representation) -> bool:
    """Whether pairs of channels stay together and commute with multiplication by i."""
    if rep.size % 2:
        return False
    moves = rep(rep.group.generators).numpy()
    one = np.eye(rep.size // 2)
    apart = 1 - np.kron(one, np.ones((2, 2)))
    times_i = np.kron(one, TIMES_I)
    faults = np.stack([moves * apart, moves @ times_i - times_i @ moves])
    return bool(np.abs(faults).max(initial=0) < 1e-9)


def phase(stream: Stream) -> complex:
    """What one generator of the group multiplies a complex number by; 1 for a real one that does not move."""
    matrix = stream.rep(stream.rep.group.generators)[0].numpy()
    return complex(matrix[0, 0], matrix[1, 0] if stream.is_complex else 0.0)
