"""Hypothesis strategies for groups, elements, representations, types, fields and domains; needs hypothesis."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from steerable.domains.grid import PixelGrid
from steerable.fields.type import FieldType
from steerable.groups import O2, SO2, C, D
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.laws.field import Field


def groups(planar: bool = True, continuous: bool = True, largest: int = 8) -> st.SearchStrategy[Group]:
    """C(n), D(n), and where asked SO2, O2 and products, which do not act on the plane."""
    from steerable.groups import product

    found: list[st.SearchStrategy[Group]] = [st.integers(1, largest).map(C), st.integers(1, largest).map(D)]
    if continuous:
        found.append(st.sampled_from([SO2(), O2()]))
    if not planar:
        found.append(st.sampled_from([product(C(3), C(3)), product(C(2), D(3))]))
    return st.one_of(found)


def elements(group: Group) -> st.SearchStrategy[Tensor]:
    """One element of a group."""
    if group.is_finite:
        return st.integers(0, (group.order or 1) - 1).map(torch.tensor)
    return st.integers(0, 2**31).map(lambda seed: group.sample(1, torch.Generator().manual_seed(seed))[0])


def representations(group: Group, max_frequency: int = 3) -> st.SearchStrategy[Representation]:
    """Irreps, and regular or band-limited regular representations."""
    found = list(group.irreps(None if group.is_finite else max_frequency))
    return st.sampled_from([*found, group.regular if group.is_finite else group.spectral_regular(1)])


@st.composite
def types(
    draw: Any, group: Group | None = None, max_fields: int = 3, max_blocks: int = 3, max_frequency: int = 3
) -> FieldType:
    """A field type of one to ``max_blocks`` blocks, of a given group or of any."""
    chosen = draw(groups()) if group is None else group
    term = st.tuples(st.integers(1, max_fields), representations(chosen, max_frequency))
    return FieldType(chosen, draw(st.lists(term, min_size=1, max_size=max_blocks)))


def domains(smallest: int = 3, largest: int = 9) -> st.SearchStrategy[PixelGrid]:
    """Square pixel grids of even and odd sides."""
    return st.integers(smallest, largest).map(lambda side: PixelGrid(side, side))


@st.composite
def fields(draw: Any, type: FieldType | None = None, batch: int = 2) -> Field:
    """A random float64 field on a pixel grid."""
    chosen = draw(types()) if type is None else type
    domain = draw(domains())
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    return Field(domain.sample(batch, chosen.size, generator=generator), chosen, domain)
