"""What a vector at a point means: multiplicities of representations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from steerable.fields.blocks import Block
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.subgroup import Inclusion


class FieldType:
    """An ordered list of blocks ``multiplicity * representation``; adjacent blocks of one representation merge.

    Channels are field-major: the block of ``m`` fields of dimension ``d`` is the view ``[B, m, d, ...]`` of its
    channels. So ``torch.cat([x, y], 1)`` has type ``x_type + y_type``.

    Args:
        group: the group that acts.
        blocks: ``(multiplicity, representation)`` pairs.

    Raises:
        ValueError: for a negative multiplicity or a representation of another group.

    Example:
        >>> C8 = st.C(8)
        >>> 16 * C8.regular + 4 * C8.trivial
        C8: 16 regular + 4 trivial
    """

    def __init__(self, group: Group, blocks: Iterable[tuple[int, Representation]]) -> None:
        merged: list[tuple[int, Representation]] = []
        for multiplicity, rep in blocks:
            if rep.group != group:
                raise ValueError(f"a field type has one group: expected representations of {group.name}, got {rep!r}")
            if multiplicity < 0:
                raise ValueError(f"multiplicities are not negative, got {multiplicity} x {rep.name}")
            if multiplicity and merged and merged[-1][1] == rep:
                merged[-1] = (merged[-1][0] + multiplicity, merged[-1][1])
            elif multiplicity:
                merged.append((int(multiplicity), rep))
        self.group = group
        placed, start = [], 0
        for multiplicity, rep in merged:
            stop = start + multiplicity * rep.size
            placed.append(Block(multiplicity, rep, start, stop))
            start = stop
        self.blocks: tuple[Block, ...] = tuple(placed)
        #: number of channels
        self.size = start

    @classmethod
    def parse(cls, group: Group, text: str) -> FieldType:
        """Type from a string: terms ``16 regular`` or ``32x0`` joined by ``+``. Inverse of ``str``.

        Raises:
            ValueError: naming the term that does not parse.
        """
        from steerable.groups.naming import split_top

        blocks = []
        for term in split_top(text, "+") if text.strip() not in ("", "0 channels") else []:
            match = re.fullmatch(r"\s*(\d+)\s*(?:x\s*|\s)(.+?)\s*", term)
            if not match:
                raise ValueError(
                    f"cannot read {term.strip()!r} in the type {text!r} of {group.name}; expected terms such "
                    f"as '16 regular' or '32x0', joined by '+'"
                )
            blocks.append((int(match[1]), group.representation(match[2])))
        return cls(group, blocks)

    @property
    def num_fields(self) -> int:
        """Sum of multiplicities."""
        return sum(b.multiplicity for b in self.blocks)

    @property
    def is_trivial(self) -> bool:
        """Whether nothing moves: plain channels."""
        return all(b.rep.is_trivial for b in self.blocks)

    @property
    def is_permutation(self) -> bool:
        """Whether pointwise functions are equivariant on every block."""
        return all(b.rep.is_permutation for b in self.blocks)

    @property
    def uniform(self) -> Representation | None:
        """The representation, if there is only one."""
        return self.blocks[0].rep if len(self.blocks) == 1 else None

    @property
    def fields(self) -> Iterator[Representation]:
        """One representation for each field, in order."""
        return (b.rep for b in self.blocks for _ in range(b.multiplicity))

    @cached_property
    def fourier(self) -> FieldType:
        """The type after every field has been split into irreps, equal irreps gathered: where Schur maps are cheap."""
        counts: dict[str, int] = {}
        for b in self.blocks:
            for i in b.rep.irreps:
                counts[i] = counts.get(i, 0) + b.multiplicity
        order = self.group.irrep_ids(max((b.rep.frequency for b in self.blocks), default=0))
        return FieldType(self.group, [(counts[i], self.group.irrep(i)) for i in order if i in counts])

    def restrict(self, subgroup: Group | Inclusion) -> FieldType:
        """The same channels, as a type of a subgroup; nothing is reordered (see ``nn.Restrict``)."""
        blocks = [(b.multiplicity, b.rep.restrict(subgroup)) for b in self.blocks]
        group = subgroup.small if isinstance(subgroup, Inclusion) else subgroup
        return FieldType(group, blocks)

    def split(self, parts: int) -> FieldType:
        """The type of each of ``parts`` equal runs of channels, as grouped convolutions need it.

        Raises:
            ValueError: if the runs do not hold equal whole fields.
        """
        fields = list(self.fields)
        if parts < 1 or len(fields) % parts:
            raise ValueError(f"{self!r} has {len(fields)} fields, which {parts} groups cannot share equally")
        n = len(fields) // parts
        runs = [fields[i * n : (i + 1) * n] for i in range(parts)]
        if any(run != runs[0] for run in runs):
            raise ValueError(f"{self!r} does not repeat {parts} times: order it as {parts} * (one group's type)")
        return FieldType(self.group, [(1, rep) for rep in runs[0]])

    def matrix(self, g: Tensor) -> Tensor:
        """Action on the channels, ``[..., size, size]`` float64."""
        parts = [b.rep(g) for b in self.blocks]
        lead = parts[0].shape[:-2] if parts else g.shape[: g.dim() - len(self.group.element_shape)]
        out = torch.zeros(*lead, self.size, self.size, dtype=torch.float64, device=g.device)
        for b, part in zip(self.blocks, parts, strict=True):
            for start in range(b.start, b.stop, b.rep.size):
                out[..., start : start + b.rep.size, start : start + b.rep.size] = part
        return out

    def transform(self, x: Tensor, g: Tensor) -> Tensor:
        """Apply one element to the channels of ``x [B, C, ...]``, leaving positions alone.

        Raises:
            ValueError: for another number of channels.
        """
        if x.ndim < 2 or x.shape[1] != self.size:
            raise ValueError(
                f"FieldType.transform: x has shape {tuple(x.shape)}; expected [B, {self.size}, ...], the channels of "
                f"{self!r}"
            )
        parts = []
        for b in self.blocks:
            v = x[:, b.start : b.stop].unflatten(1, b.shape)
            parts.append(torch.einsum("ij,bmj...->bmi...", b.rep(g).to(x), v).flatten(1, 2))
        return torch.cat(parts, 1) if parts else x

    def __add__(self, other: FieldType | Representation) -> FieldType:
        """Channels side by side."""
        if isinstance(other, Representation):
            other = 1 * other
        if not isinstance(other, FieldType):
            raise TypeError(f"a field type adds to field types and representations, got {other!r}")
        if other.group != self.group:
            raise ValueError(f"cannot add types of {self.group.name} and {other.group.name}")
        return FieldType(self.group, [(b.multiplicity, b.rep) for b in (*self.blocks, *other.blocks)])

    def __radd__(self, other: int) -> FieldType:
        """Lets ``sum(types)`` start from 0."""
        if other != 0:
            raise TypeError(f"a field type adds to field types and representations, got {other!r}")
        return self

    def __mul__(self, times: int) -> FieldType:
        """Repeat the whole type."""
        if not isinstance(times, int) or times < 0:
            raise TypeError(f"a field type is repeated by a non-negative integer, got {times!r}")
        return FieldType(self.group, [(b.multiplicity, b.rep) for _ in range(times) for b in self.blocks])

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, FieldType)
            and self.group == other.group
            and [(b.multiplicity, b.rep) for b in self.blocks] == [(b.multiplicity, b.rep) for b in other.blocks]
        )

    def __hash__(self) -> int:
        return hash((self.group, tuple((b.multiplicity, b.rep) for b in self.blocks)))

    def __len__(self) -> int:
        return len(self.blocks)

    def __str__(self) -> str:
        return " + ".join(str(b) for b in self.blocks) or "0 channels"

    def __repr__(self) -> str:
        return f"{self.group.name}: {self}"
