"""Which types a layer of the catalogue may be built on."""

from __future__ import annotations

from torch import Tensor

from steerable.fields import FieldType, streams
from steerable.groups import Representation
from steerable.nn.frame import frame_type


def is_function(rep: Representation) -> bool:
    """Whether the coefficients of a representation are those of a function on the group."""
    infos = {i: rep.group.irrep_info(i) for i in rep.irreps}
    return all(rep.irreps.count(i) * info.type <= info.dim for i, info in infos.items())


def functions(t: FieldType) -> bool:
    """Whether every field is a function on the group."""
    return all(b.rep.is_permutation or is_function(b.rep) for b in t.blocks)


def framed(t: FieldType) -> bool:
    """Whether a type holds vectors enough for a frame."""
    try:
        return frame_type(t).size > 0
    except ValueError:
        return False


def square(x: Tensor) -> Tensor:
    """A polynomial of degree 2: quadratures of degree 3 L integrate it exactly."""
    return 0.5 * x * x + x


def is_complex(rep: Representation) -> bool:
    """Whether a field consists of complex numbers, or is one real number."""
    try:
        return len(streams(rep)) > 0
    except ValueError:
        return False
