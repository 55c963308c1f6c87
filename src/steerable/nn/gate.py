"""Gated fields: invariant channels decide how much of each field passes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.functional import gate
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.module import EquivariantModule, require_type


def gated(x: Tensor, shapes: tuple[tuple[int, int], ...], own: tuple[bool, ...]) -> Tensor:
    """``[B, gates + C, ...] -> [B, C, ...]``.

    Args:
        x: the gates, then the fields.
        shapes: ``(multiplicity, dimension)`` of each block of fields.
        own: for each block whether its fields are their own gates (trivial fields): ``sigmoid(v) v``.
    """
    gates = [m for (m, _), alone in zip(shapes, own, strict=True) if not alone]
    parts = split_blocks(x, [*gates, *(m * d for m, d in shapes)])
    scalars, fields, found = iter(parts[: len(gates)]), parts[len(gates) :], []
    for block, (m, d), alone in zip(fields, shapes, own, strict=True):
        if alone:
            found.append(F.silu(block))
        else:
            found.append(merge_dims(gate(next(scalars).unsqueeze(2), split_dim(block, 1, (m, d))), 1))
    return join_blocks(found)


class Gate(EquivariantModule):
    """``sigmoid(s) v``: every field v is multiplied by the sigmoid of an invariant channel s of its own.

    The layer before it must give the gates too: its out_type is ``Gate.gated_type(t)``, gates first, then fields.
    Trivial fields are their own gates, ``sigmoid(v) v``, and cost no channel.

    Args:
        out_type: type t of the gated fields, any; `in_type` is ``Gate.gated_type(t)``.

    Source: Weiler et al., "3D Steerable CNNs", NeurIPS 2018, section 4.2; Weiler and Cesa, "General E(2)-Equivariant
    Steerable CNNs", NeurIPS 2019, section 2.6.

    Example:
        >>> fields = st.SO2().type("8x0 + 8x1")
        >>> st.nn.Sequential(st.nn.Conv2d(image, st.nn.Gate.gated_type(fields), 3), st.nn.Gate(fields))
    """

    def __init__(self, out_type: FieldType) -> None:
        if not require_type(out_type, "Gate", "out_type").size:
            raise ValueError(f"Gate: the type must have channels, got {out_type!r}")
        super().__init__(self.gated_type(out_type), out_type)
        self.shapes = tuple(b.shape for b in out_type.blocks)
        self.own = tuple(b.rep.is_trivial for b in out_type.blocks)

    @staticmethod
    def gated_type(fields: FieldType) -> FieldType:
        """The type with one trivial field in front for each non-trivial field of `fields`."""
        gates = sum(b.multiplicity for b in require_type(fields, "Gate").blocks if not b.rep.is_trivial)
        return FieldType(fields.group, [(gates, fields.group.trivial)]) + fields

    def forward(self, x: Tensor) -> Tensor:
        """The gated fields of `x: [B, gates + C, ...]`."""
        if x.dim() > 1 and x.shape[1] == self.out_type.size != self.in_type.size:
            raise ValueError(
                f"Gate: input has {x.shape[1]} channels, the gated fields alone; expected {self.in_type.size} "
                f"with the gates in front: let the layer before give Gate.gated_type({self.out_type})"
            )
        self.check_input(x)
        return gated(x, self.shapes, self.own)

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(gated, self.shapes, self.own)
