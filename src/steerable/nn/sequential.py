"""Chains and branches whose types are checked when they are built."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.module import EquivariantModule
from steerable.nn.sampled_ends import first_sphere, keeps_samples, last_sphere, same_samples


class Plain(EquivariantModule):
    """Any ``nn.Module`` with the types that its author vouches for.

    Args:
        module: the module.
        in_type: type it takes.
        out_type: type it gives.
    """

    def __init__(self, module: nn.Module, in_type: FieldType, out_type: FieldType) -> None:
        super().__init__(in_type, out_type)
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Call the module."""
        self.check_input(x)
        return self.module(x)

    def bake(self) -> nn.Module:
        """The module itself, baked."""
        from steerable.nn.bake import bake

        return bake(self.module)


def _joins(left: nn.Module, right: nn.Module, i: int, current: FieldType | None) -> FieldType | None:
    """Type after ``right``, given the type before it (``None``: plain channels of unknown number)."""
    wanted = getattr(right, "in_type", None)
    if isinstance(wanted, FieldType):
        if current is None:
            raise TypeError(
                f"Sequential: entry {i} ({type(right).__name__}) expects {wanted!r}, but entry {i - 1} "
                f"({type(left).__name__}) is a plain module of unknown type; wrap it in "
                f"st.nn.Plain(module, in_type, out_type)"
            )
        if current != wanted:
            raise TypeError(
                f"Sequential: entry {i - 1} ({type(left).__name__}) gives {current!r}, but entry {i} "
                f"({type(right).__name__}) expects {wanted!r}"
            )
        return right.out_type  # type: ignore[return-value]
    if current is not None and not current.is_trivial:
        raise TypeError(
            f"Sequential: entry {i} ({type(right).__name__}) is a plain module after {current!r}; it would "
            f"break the symmetry. Make the channels invariant first (GroupPool, NormPool), or vouch for it "
            f"with st.nn.Plain(module, in_type, out_type)"
        )
    return None


class Chain(nn.Sequential):
    """``torch.nn.Sequential`` that forwards a second argument (a neighbourhood) to the layers that take one."""

    takes_neighbourhood = True

    def forward(self, input: Tensor, *neighbourhood: Any) -> Tensor:
        """Apply every entry in turn."""
        if not neighbourhood:
            return super().forward(input)
        for module in self:
            takes = getattr(module, "takes_neighbourhood", False)
            input = module(input, *neighbourhood) if takes else module(input)
        return input


class Sequential(Chain):
    """``torch.nn.Sequential`` that checks at construction that the types of neighbours meet.

    A plain module may follow only an all-trivial type; after it any number of plain modules may stand. A second
    argument (a neighbourhood) is forwarded to the layers that take one. Where layers on the sphere say on which samples
    they are, these have to meet, too.

    Raises:
        TypeError: naming both layers and both types.
        ValueError: naming both layers and both samplings.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__(*modules)
        layers = list(self)
        if not layers:
            return
        current = getattr(layers[0], "out_type", None)
        self.in_type: FieldType | None = getattr(layers[0], "in_type", None)
        for i in range(1, len(layers)):
            if current is None and not hasattr(layers[i], "in_type"):
                continue
            current = _joins(layers[i - 1], layers[i], i, current)
        self.out_type: FieldType | None = current
        self._check_samples(layers)

    def _check_samples(self, layers: list[nn.Module]) -> None:
        """Raise unless each layer on the sphere is where the last one before it ends."""
        given, before = None, 0
        for i, layer in enumerate(layers):
            wanted, after = first_sphere(layer), last_sphere(layer)
            if given is not None and wanted is not None and not same_samples(given, wanted):
                raise ValueError(
                    f"{type(self).__name__}: entry {before} ({type(layers[before]).__name__}) gives fields on "
                    f"{given!r}, but entry {i} ({type(layer).__name__}) is on {wanted!r}; build both on one sampling, "
                    f"or end the first there with targets="
                )
            if after is not None or not keeps_samples(layer):
                given, before = after, i

    def __getitem__(self, index: Any) -> Any:
        """An entry, or a checked chain of the slice."""
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


class Residual(EquivariantModule):
    """``x -> body(x) + shortcut(x)``; the shortcut is the identity unless given.

    Raises:
        TypeError: if the two branches do not start and end with the same types.
    """

    def __init__(self, body: Any, shortcut: Any = None) -> None:
        super().__init__(body.in_type, body.out_type)
        ends = (body.in_type, body.out_type)
        other = (body.in_type, body.in_type) if shortcut is None else (shortcut.in_type, shortcut.out_type)
        if ends != other:
            raise TypeError(
                f"Residual: the body maps {ends[0]!r} to {ends[1]!r}, the shortcut {other[0]!r} to "
                f"{other[1]!r}; they must agree. Give a shortcut such as a 1x1 Conv2d"
            )
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Sum of both branches."""
        return self.body(x) + self.shortcut(x)

    def bake(self) -> nn.Module:
        """Sum of the baked branches."""
        from steerable.nn.bake import bake

        return PlainSum(bake(self.body), bake(self.shortcut))


class PlainSum(nn.Module):
    """Sum of two modules on the same input."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Add both results."""
        return self.first(x) + self.second(x)


class Branches(EquivariantModule):
    """Several modules on the same input, their channels side by side: ``out_type`` is the sum of theirs.

    Raises:
        TypeError: if the branches expect different types.
    """

    def __init__(self, *branches: Any) -> None:
        if not branches:
            raise TypeError(f"Branches: expected at least one module, got {branches!r}")
        kinds = [b.in_type for b in branches]
        if any(k != kinds[0] for k in kinds):
            raise TypeError(f"Branches: all branches must take one type, got {kinds!r}")
        out = branches[0].out_type
        for b in branches[1:]:
            out = out + b.out_type
        super().__init__(kinds[0], out)
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate the results along the channels."""
        return torch.cat([b(x) for b in self.branches], 1)

    def bake(self) -> nn.Module:
        """Concatenation of the baked branches."""
        from steerable.nn.bake import bake

        return PlainCat([bake(b) for b in self.branches])


class PlainCat(nn.Module):
    """Channels of several modules side by side."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate along axis 1."""
        return torch.cat([b(x) for b in self.branches], 1)
