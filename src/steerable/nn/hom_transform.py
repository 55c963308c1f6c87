"""Fields on homogeneous spaces: from samples to coefficients and back."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.homogeneous import HomType
from steerable.nn.constants import ConstantModule


class _HomTransform(ConstantModule):
    """The shared half: the grid and one matrix for each block of fields."""

    def __init__(self, fields: HomType, frequency: int | None) -> None:
        super().__init__()
        self.fields = fields
        self.frequency = 2 * (fields.space.band or 0) if frequency is None else frequency
        self.elements, self.weights = fields.space.grid(self.frequency)
        self._names = [f"_block{k}" for k in range(len(fields.fibre.blocks))]

    def _split(self, x: Tensor, sizes: list[int], what: str) -> list[tuple[Tensor, Tensor]]:
        if not torch.compiler.is_compiling() and (x.dim() < 2 or x.shape[1] != sum(sizes)):
            raise ValueError(
                f"{type(self).__name__}: got shape {tuple(x.shape)}; expected {what} with {sum(sizes)} channels for "
                f"{self.fields!r}"
            )
        return list(zip(x.split(sizes, 1), [getattr(self, n) for n in self._names], strict=True))

    def extra_repr(self) -> str:
        """Fields and samples."""
        return f"{self.fields!r}, samples={len(self.elements)}"


class HomSynthesis(_HomTransform):
    """Coefficients ``[B, C_G]`` to values ``[B, C_H, q]`` in the frames of the grid: ``F(s(x))``.

    Args:
        fields: the fields.
        frequency: of the grid, ``fields.space.grid(frequency)``; default twice the band, for which :class:`HomAnalysis`
            inverts it exactly. The elements are in ``elements``.
    """

    def __init__(self, fields: HomType, frequency: int | None = None) -> None:
        super().__init__(fields, frequency)
        for name, block in zip(self._names, fields.fibre.blocks, strict=True):
            self.register_constant(name, fields.space.evaluate(block.rep, self.elements))

    def forward(self, x: Tensor) -> Tensor:
        """Sample. Raises ``ValueError`` for wrong channels."""
        pieces = self._split(x, [b.stop - b.start for b in self.fields.type.blocks], "coefficients [B, C]")
        blocks = self.fields.fibre.blocks
        parts = [
            torch.einsum("bmd,qrd->bmrq", v.unflatten(1, (b.multiplicity, -1)), m).flatten(1, 2)
            for (v, m), b in zip(pieces, blocks, strict=True)
        ]
        return torch.cat(parts, 1)


class HomAnalysis(_HomTransform):
    """Values ``[B, C_H, q]`` in the frames of the grid to coefficients ``[B, C_G]``: inverts :class:`HomSynthesis`.

    Args:
        fields: the fields.
        frequency: of the grid; default twice the band: exact for band-limited fields.
    """

    def __init__(self, fields: HomType, frequency: int | None = None) -> None:
        super().__init__(fields, frequency)
        for name, block in zip(self._names, fields.fibre.blocks, strict=True):
            matrix = fields.space.evaluate(block.rep, self.elements)
            self.register_constant(name, matrix * self.weights[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Analyse. Raises ``ValueError`` for wrong channels."""
        pieces = self._split(x, [b.stop - b.start for b in self.fields.fibre.blocks], "values [B, C, q]")
        parts = [
            torch.einsum("bmrq,qrd->bmd", v.unflatten(1, b.shape), m).flatten(1)
            for (v, m), b in zip(pieces, self.fields.fibre.blocks, strict=True)
        ]
        return torch.cat(parts, 1)
