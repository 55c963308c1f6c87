"""Correlation over a finite group of rotations with a learned signal on the sphere."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from steerable.domains.sphere import IcosahedralSphere, Sphere, SpherePoints, parse_sphere
from steerable.groups import Group, parse_group


def rotations_of(group: str | Group) -> Group:
    """A finite group of rotations of space by name or value.

    Raises:
        ValueError: for any other group.
    """
    found = group if isinstance(group, Group) else parse_group(group)
    if not found.is_finite or not found.acts_on(3):
        raise ValueError(f"{found.name} is no finite group of rotations of space; expected I, O, T, or D4r for example")
    if bool((torch.linalg.det(found.action(found.elements, 3)) < 0).any()):
        raise ValueError(f"{found.name} holds reflections, which turn no object; expected rotations such as I, O, T")
    return found


@lru_cache(maxsize=16)
def symmetric_sphere(group: Group) -> Sphere:
    """A sampling that a polyhedral group permutes: 42 vertices of an icosahedron, or 66 of an octahedron.

    Raises:
        ValueError: for a group that permutes neither.
    """
    axis = torch.arange(-4, 5)
    lattice = torch.cartesian_prod(axis, axis, axis)
    candidates = (IcosahedralSphere(1), SpherePoints(lattice[lattice.abs().sum(1) == 4].double()))
    for sphere in candidates:
        if all(sphere.is_exact(group, g) for g in group.generators):
            return sphere
    raise ValueError(f"{group.name} permutes neither the icosahedral nor the octahedral vertices; pass sphere=")


def vertex_permutations(group: Group, sphere: Sphere) -> Tensor:
    """Where each element moves each sample: int64 ``[|G|, V]``, with ``P[g h] = P[g][P[h]]``.

    Raises:
        ValueError: for a group that is no symmetry of the sampling.
    """
    return torch.stack([sphere.permutation(group, g) for g in group.elements])


class GroupCorrelation(nn.Module):
    r"""``out(g) = sum_(v, c) w(v, c) S(g^-1 v, c) + b``: how well each rotation of a learned signal S fits a filter w.

    The filter comes from an image and covers the samples that it shows; the signal covers the sphere. If the filter
    covers all of it, a rotation h of the filter moves the output from g to h g exactly; with half of it, as far as what
    was hidden matters little.

    Args:
        channels: C of the filter.
        outputs: numbers O for each element (one logit and six of an offset, for :class:`PoseHead`).
        group: finite rotations: ``"I"`` (60), ``"O"`` (24), ``"T"`` (12).
        sphere: a sampling that the group permutes, or its name; default one of 42 or 66 samples.
        front: the samples that filters cover, int64 ``[F]``; default all.
        signals: number K of signals, one for each class of objects.

    Raises:
        ValueError: for a group that does not permute the samples, or is no group of rotations.

    Source: Klee et al., arXiv 2207.08925, section 4.2.
    """

    def __init__(
        self,
        channels: int,
        outputs: int = 7,
        group: str | Group = "I",
        sphere: Sphere | str | None = None,
        front: Tensor | None = None,
        signals: int = 1,
    ) -> None:
        super().__init__()
        self.group = rotations_of(group)
        self.sphere = symmetric_sphere(self.group) if sphere is None else parse_sphere(sphere)
        self.channels, self.outputs = channels, outputs
        moved = vertex_permutations(self.group, self.sphere)
        count = moved.shape[1]
        back = moved[self.group.inverse(self.group.elements)]  # g^-1 v
        front = torch.arange(count) if front is None else front
        self.register_buffer("_back", back[:, front].flatten(), persistent=False)
        self.seen = len(front)
        self.signal = nn.Parameter(torch.empty(signals, channels, count))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """A random signal such that filters of unit variance give outputs of unit variance."""
        nn.init.normal_(self.signal, std=(self.channels * self.seen) ** -0.5)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Filters ``[B, O C, F]`` (channels of each output in turn) to ``[B, K, O, |G|]``.

        Raises:
            ValueError: for another shape.
        """
        wanted = (self.outputs * self.channels, self.seen)
        if not torch.compiler.is_compiling() and (x.dim() != 3 or tuple(x.shape[1:]) != wanted):
            raise ValueError(
                f"GroupCorrelation: the filters are {list(x.shape)}; expected [B, {wanted[0]}, {wanted[1]}]: "
                f"{self.outputs} outputs of {self.channels} channels on {self.seen} of {self.sphere!r}"
            )
        signals = self.signal.shape[0]
        turned = self.signal.index_select(2, self._back).unflatten(2, (-1, self.seen))  # [K, C, G, F]
        matrix = turned.permute(1, 3, 0, 2).reshape(self.channels * self.seen, -1)
        found = x.unflatten(1, (self.outputs, -1)).flatten(2) @ matrix
        return found.unflatten(2, (signals, -1)).transpose(1, 2) + self.bias[:, None]

    def extra_repr(self) -> str:
        """Sizes and group."""
        return f"{self.outputs} x {self.channels} channels, {self.group.name}, {self.seen} of {self.sphere!r}"
