"""The grammar of groups and representations: printing and parsing are inverse."""

from __future__ import annotations

import re

import numpy as np

from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.finite import FiniteGroupBase
from steerable.groups.group import Group
from steerable.groups.left_right import left_right
from steerable.groups.mackey import spectral_induced
from steerable.groups.o2 import O2
from steerable.groups.o3 import O3
from steerable.groups.polyhedral import point_group
from steerable.groups.product import factor, product
from steerable.groups.representation import Representation
from steerable.groups.so2 import SO2
from steerable.groups.so3 import SO3
from steerable.groups.subgroup import Inclusion


def parse_group(name: str) -> Group:
    """Group from its name: ``"C8"``, ``"D4"``, ``"SO2"``, ``"O3"``, ``"Oh"``, ``"D4h"``, ``"C2xD3"``.

    Raises:
        TypeError: for what is no text.
        ValueError: for any other name.
    """
    if not isinstance(name, str):
        raise TypeError(f"a group is given as {name!r}; expected its name, such as 'C8', 'D4', 'SO2', 'SO3' or 'O3'")
    text = name.strip()
    parts = split_top(text, "x")
    if len(parts) > 1:
        result = parse_group(parts[0])
        for part in parts[1:]:
            result = product(result, parse_group(part))
        return result
    if text.startswith("[") and text.endswith("]"):
        return parse_group(text[1:-1])
    if text in ("SO2", "SO(2)"):
        return SO2()
    if text in ("O2", "O(2)"):
        return O2()
    if text in ("SO3", "SO(3)"):
        return SO3()
    if text in ("O3", "O(3)"):
        return O3()
    if text == "D1v":
        return left_right()
    known = point_group(text)
    if known is not None:
        return known
    match = re.fullmatch(r"([CD])\(?(\d+)\)?", text)
    if match:
        return (C if match[1] == "C" else D)(int(match[2]))
    raise ValueError(
        f"unknown group {name!r}; expected C8, D4, SO2, O2, SO3, O3, a point group such as T, Oh, D4h, or a product "
        f"such as C2xD3"
    )


def parse_inclusion(big: Group, name: str) -> Group | Inclusion:
    """Subgroup from its name: ``"D1"``, or ``"D1@0.5"`` for one whose elements are 0 and 5 of ``big``.

    Raises:
        ValueError: for any other name, or elements that are no such subgroup.
    """
    text, at, images = name.partition("@")
    if not at:
        return parse_group(text)
    if images in ("first", "second", "diagonal"):
        return factor(big, images)
    if not isinstance(big, FiniteGroupBase) or not re.fullmatch(r"\d+(\.\d+)*", images):
        raise ValueError(f"cannot read the subgroup {name!r} of {big.name}; expected elements such as 'D1@0.5'")
    found = np.array([int(g) for g in images.split(".")])
    if found.max() >= len(big.table):
        raise ValueError(f"cannot read the subgroup {name!r}: {big.name} has {len(big.table)} elements only")
    closed = big.subgroup_from(found)
    if text == closed.small.name:
        return closed
    small = parse_group(text)
    if (
        not isinstance(small, FiniteGroupBase)
        or len(small.table) != len(found)
        or (big.table[np.ix_(found, found)] != found[small.table]).any()
    ):
        raise ValueError(
            f"cannot read the subgroup {name!r}: these elements of {big.name} do not multiply as {text} does"
        )
    return Inclusion(small, big, found)


def split_top(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside all brackets.

    A ``+`` with no operand behind it is the sign of an irrep of a product, as in ``2x(1,1)+ + 4x(0,1)``: no separator.
    """
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        sign = letter == "+" and text[:position].endswith(")") and text[position + 1 :].lstrip()[:1] in ("", *"+*),")
        if depth == 0 and letter == separator and not sign:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def parse_representation(group: Group, name: str) -> Representation:
    """Representation from its string.

    ``trivial``, ``regular``, ``regular(3)`` (band-limited), an irrep, ``quotient(H)``, ``quotient(H, L)``,
    ``induced(H, rep)``, ``induced(H, rep, L)``, ``restricted(G, rep)``, ``(a + b)``, ``(a * b)``. A subgroup that lies
    elsewhere than the canonical one is named with its elements, ``quotient(D1@0.5)``, or as a factor of a product,
    ``quotient(SO2@diagonal, 3)``.

    Raises:
        ValueError: for any other string, naming the group and what it offers.
    """
    text = name.strip()
    if text == "trivial":
        return group.trivial
    if text == "regular":
        return group.regular
    call = re.fullmatch(r"(regular|quotient|induced|restricted)\((.*)\)", text)
    if call:
        arguments = [a.strip() for a in split_top(call[2], ",")]
        try:
            return _build(group, call[1], arguments)
        except IndexError:
            raise ValueError(f"{group.name}: {text!r} has {len(arguments)} argument(s), one is missing") from None
    if text.startswith("(") and text.endswith(")"):
        for separator, combine in (("+", "direct_sum"), ("*", "tensor")):
            parts = (
                [parse_representation(group, p) for p in split_top(text[1:-1], separator)]
                if len(split_top(text[1:-1], separator)) > 1
                else []
            )
            if parts:
                return getattr(parts[0], combine)(*parts[1:])
    if text == "0" and group.irrep_ids(0)[0] == "0e":
        text = "0e"
    try:
        return group.irrep(text)
    except ValueError as error:
        raise ValueError(
            f"unknown representation {name!r} of {group.name}: expected trivial, regular, quotient(H), "
            f"induced(H, rep), (a + b), (a * b) or an irrep; {error}"
        ) from None


def _build(group: Group, kind: str, arguments: list[str]) -> Representation:
    if kind == "regular":
        return group.spectral_regular(int(arguments[0]))
    if kind == "quotient" and len(arguments) == 1:
        return group.quotient(parse_inclusion(group, arguments[0]))
    if kind == "quotient":
        return group.spectral_quotient(parse_inclusion(group, arguments[0]), int(arguments[1]))
    if kind == "induced":
        placed = parse_inclusion(group, arguments[0])
        small = placed.small if isinstance(placed, Inclusion) else placed
        rep = parse_representation(small, arguments[1])
        if len(arguments) > 2:
            return spectral_induced(group, placed, rep, int(arguments[2]))
        return group.induced(placed, rep)
    text, at, images = arguments[0].partition("@")
    big = parse_group(text)
    placed = parse_inclusion(big, f"{group.name}{at}{images}") if at else group
    return parse_representation(big, arguments[1]).restrict(placed)
