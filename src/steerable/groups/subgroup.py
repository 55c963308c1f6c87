"""A subgroup together with the map that places it in the bigger group."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from steerable.groups.group import Group


@dataclass(frozen=True)
class Inclusion:
    """An injective homomorphism ``small -> big``.

    Attributes:
        small: the subgroup as a group of its own.
        big: the group it lies in.
        images: images of the elements of a finite ``small``, in order, or ``None`` when the action on the plane or on
            space places it.
    """

    small: Group
    big: Group
    images: np.ndarray | None = field(default=None, compare=False)
    _key: bytes = field(default=b"", init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", b"" if self.images is None else np.round(self.images, 9).tobytes())

    def map(self, h: Tensor) -> Tensor:
        """Images in ``big`` of elements ``h`` of ``small``."""
        if self.images is not None:
            return torch.from_numpy(np.asarray(self.images))[h]
        if self.small == self.big:
            return h
        return self.big.from_action(self.small.action(h, self.big.dimension))

    @property
    def is_canonical(self) -> bool:
        """Whether :func:`include` gives the same map, so that the two groups say everything."""
        if self.images is None:
            return True
        try:
            usual = include(self.small, self.big)
        except ValueError:
            return False
        images = self.small.elements.numpy() if usual.images is None else usual.images
        return bool(np.array_equal(np.round(images, 9), np.round(self.images, 9)))

    @property
    def stretch(self) -> int:
        """An irrep of frequency l restricts to irreps of frequency at most ``stretch * l``."""
        return 1

    @property
    def suffix(self) -> str:
        """Empty for the canonical inclusion, else the images: ``@0.5`` for elements 0 and 5 of a finite group."""
        return "" if self.is_canonical else self._placed

    @property
    def _placed(self) -> str:
        if self.images is None:
            return ""
        if self.big.is_finite:
            return "@" + ".".join(str(int(g)) for g in self.images)
        return f"@{zlib.crc32(self._key):08x}"  # no string can hold the angles: this name is not read back

    @property
    def name(self) -> str:
        """Name of the subgroup, as representation strings use it: ``D1``, or ``D1@0.5`` for another reflection."""
        from steerable.groups.naming import parse_group

        try:
            known = parse_group(self.small.name) == self.small
        except ValueError:
            known = False
        return self.small.name + (self.suffix if known else self._placed)


def include(small: Group, big: Group) -> Inclusion:
    """Canonical inclusion: through the action on the plane or on space, or of the trivial group.

    Raises:
        ValueError: if ``small`` is not a subgroup of ``big`` in the canonical way.
    """
    if small == big:
        return Inclusion(small, big)
    if small.order == 1:
        return Inclusion(small, big, big.identity.numpy()[None])
    n = big.dimension
    if not (n and small.acts_on(n)):
        raise ValueError(
            f"no canonical inclusion of {small.name} in {big.name}: give an Inclusion, for example from "
            f"{big.name}.subgroup_from([...])"
        )
    try:
        big.from_action(small.action(small.generators, n))
    except ValueError as error:
        raise ValueError(f"{small.name} is not a subgroup of {big.name}: {error}") from None
    if not small.is_finite:
        return Inclusion(small, big)
    return Inclusion(small, big, big.from_action(small.action(small.elements, n)).numpy())


def as_inclusion(big: Group, subgroup: Group | Inclusion) -> Inclusion:
    """The inclusion itself, or the canonical one of a group.

    Raises:
        ValueError: if an inclusion points into another group.
    """
    if isinstance(subgroup, Group):
        return big.subgroup(subgroup)
    if subgroup.big != big:
        raise ValueError(
            f"expected a subgroup of {big.name}, got an inclusion of {subgroup.small.name} in {subgroup.big.name}"
        )
    return subgroup
