"""From permuted fields to invariants: the largest, or the mean, of the values that the group permutes."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.nn.baked import Baked
from steerable.nn.functional import group_max_pool, group_mean_pool
from steerable.nn.functional.layout import join_blocks, split_blocks, split_dim
from steerable.nn.module import EquivariantModule, require_type

_POOLS = {"max": group_max_pool, "mean": group_mean_pool}


def group_pool(x: Tensor, shapes: tuple[tuple[int, int], ...], function: str) -> Tensor:
    """``[B, C, ...] -> [B, fields, ...]``: `function` over the channels of each field.

    Args:
        x: features.
        shapes: ``(multiplicity, dimension)`` of each block.
        function: ``"max"`` or ``"mean"``.
    """
    pool, parts = _POOLS[function], split_blocks(x, [m * d for m, d in shapes])
    pooled = [p if s[1] == 1 else pool(split_dim(p, 1, s)) for p, s in zip(parts, shapes, strict=True)]
    return join_blocks(pooled)


class GroupPool(EquivariantModule):
    """One invariant per field; ``[B, C, ...]`` to ``[B, fields, ...]``.

    Args:
        in_type: regular, quotient and trivial fields (for the mean any fields would do, and non-trivial irreps give 0).
        function: ``"max"`` or ``"mean"``.

    Raises:
        TypeError: for a field that the group does not permute.
        ValueError: for an unknown function.

    Where several channels tie, the gradient of the maximum is shared evenly: it is equivariant too.
    Source: Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016, section 6.3.
    """

    def __init__(self, in_type: FieldType, function: str = "max") -> None:
        for b in require_type(in_type, "GroupPool").blocks:
            if not b.rep.is_permutation:
                raise TypeError(
                    f"GroupPool: expected regular, quotient or trivial fields, got {b} in {in_type!r}; use "
                    f"NormPool for fields of irreps, or a convolution to trivial fields"
                )
        if function not in _POOLS:
            raise ValueError(f"GroupPool: no function {function!r}; choose 'max' or 'mean'")
        if not in_type.size:
            raise ValueError(f"GroupPool: the type must have channels, got {in_type!r}")
        super().__init__(in_type, in_type.num_fields * in_type.group.trivial)
        self.shapes, self.function = tuple(b.shape for b in in_type.blocks), function

    def forward(self, x: Tensor) -> Tensor:
        """Pool over the group at every point of `x`."""
        self.check_input(x)
        return group_pool(x, self.shapes, self.function)

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(group_pool, self.shapes, self.function)
