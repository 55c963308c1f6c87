"""A baked one-point map between irreps: fixed matrices, one for each irrep."""

from __future__ import annotations

from torch import Tensor, nn

from steerable.aggregate.schur import SchurPlan, schur_map


class PlainSchur(nn.Module):
    """Blocks of a 1x1 convolution, kept apart because they multiply less than the dense matrix they stand for.

    Args:
        weights: ``[m_out * m_in, c]`` for each block.
        banks: ``[c, d * d]`` for each block.
        plan: which channels each block reads and writes.
        bias: ``[C_out]`` or ``None``.
    """

    def __init__(self, weights: list[Tensor], banks: list[Tensor], plan: SchurPlan, bias: Tensor | None) -> None:
        super().__init__()
        self.plan = plan
        self.weights = nn.ParameterList([w.detach().clone() for w in weights])
        for n, bank in enumerate(banks):
            self.register_buffer(f"bank{n}", bank.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C_in, H, W]`` to ``[B, C_out, H, W]``."""
        banks: list[Tensor] = [getattr(self, f"bank{n}") for n in range(len(self.weights))]
        y = schur_map(x, list(self.weights), banks, self.plan)
        return y if self.bias is None else y + self.bias.view(-1, *[1] * (x.dim() - 2))
