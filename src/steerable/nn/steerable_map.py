"""The shared half of convolutions and linear maps: weights, banks, bias, initialisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from steerable.aggregate.stencil import Expansion, expand_filter
from steerable.fields.type import FieldType
from steerable.kernels.bank import FilterBank, filter_bank
from steerable.kernels.filters import Filters
from steerable.nn.module import EquivariantModule, check_dtype, require_same_group, require_type


class SteerableMap(EquivariantModule):
    """A linear map whose filter ``[C_out, C_in / groups, *kernel]`` is a fixed linear function of free weights.

    All weights of the layer are one parameter, all biases (one for each invariant vector of a field) another.

    Args:
        in_type: type of the input.
        out_type: type of the output.
        filters: scalar functions that the kernel is made of.
        kernel_size: side of the stencil, 1 for pointwise maps.
        groups: as in ``torch.nn.Conv2d``; both types must repeat that often.
        bias: whether to add a learned bias along invariant vectors.

    Raises:
        TypeError: if a type is no field type.
        ValueError: if the groups differ, or the types do not split.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        filters: Filters,
        kernel_size: int,
        spatial: int,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        name = type(self).__name__
        require_type(in_type, name)
        require_type(out_type, name, "out_type")
        require_same_group(name, in_type, out_type)
        super().__init__(in_type, out_type)
        self.filters, self.kernel_size, self.groups = filters, kernel_size, groups
        bank = self.bank
        self._shape = (out_type.size, in_type.size // groups, *(kernel_size,) * spatial)
        self._counts = [s.count for s in bank.segments]
        self._holes = bank.holes
        self.weight = nn.Parameter(torch.empty(bank.num_weights))
        for n, segment in enumerate(bank.segments):
            self.register_constant(f"_bank{n}", segment.bank)
        self.register_buffer("_index", _index_tensor(bank.index), persistent=False)
        self.register_buffer("_inverse", _index_tensor(bank.inverse), persistent=False)
        count = sum(b.multiplicity * len(b.rep.invariants) for b in out_type.blocks)
        self.bias = nn.Parameter(torch.zeros(count)) if bias and count else None
        if bias and count:
            rep = out_type.uniform  # one bias for all channels of a field needs no matrix
            self._ones = rep is not None and len(rep.invariants) == 1 and bool((rep.invariants == 1).all())
            if not self._ones:
                self.register_constant("_bias_map", bias_map(out_type))

    @property
    def bank(self) -> FilterBank:
        """How weights become the filter (cached by value, shared by equal layers)."""
        split = (lambda t: t) if self.groups == 1 else (lambda t: t.split(self.groups))
        return filter_bank(split(self.in_type), split(self.out_type), self.filters, self.kernel_size, self.groups)

    def check_input(self, x: Tensor, spatial: int | None = None) -> None:
        """As of every layer, and refuse another dtype than that of the weights, outside autocast.

        Raises:
            ValueError: naming both dtypes and the mend.
        """
        super().check_input(x, spatial)
        check_dtype(self, x)

    def _banks(self) -> list[Tensor]:
        return [getattr(self, f"_bank{n}") for n in range(len(self._counts))]

    def split_weights(self) -> list[Tensor]:
        """The weights of each pair of parts, ``[rows, K]``."""
        sizes = [n * len(b) for n, b in zip(self._counts, self._banks(), strict=True)]
        return [w.view(n, -1) for w, n in zip(self.weight.split(sizes), self._counts, strict=True)]

    def expansion(self) -> Expansion:
        """The linear map from the weights to the filter."""
        return Expansion(self._banks(), self._counts, self._index, self._inverse, self._holes, self._shape)

    def filter(self) -> Tensor:
        """The filter ``[C_out, C_in / groups, *kernel]`` that the weights stand for; differentiable."""
        return expand_filter(self.weight, self.expansion())

    def expanded_bias(self) -> Tensor | None:
        """Bias ``[C_out]`` along the invariant vectors, or ``None``."""
        if self.bias is None:
            return None
        if self._ones:
            return self.bias[:, None].expand(-1, self.out_type.size // len(self.bias)).reshape(-1)
        return self.bias @ self._bias_map


def bias_map(type: FieldType) -> np.ndarray:
    """``[n, C]``: one row for every invariant vector of every field."""
    rows = []
    for block in type.blocks:
        vectors = block.rep.invariants.numpy()
        for field in range(block.multiplicity if len(vectors) else 0):
            start = block.start + field * block.rep.size
            full = np.zeros((len(vectors), type.size))
            full[:, start : start + block.rep.size] = vectors
            rows.append(full)
    return np.concatenate(rows) if rows else np.zeros((0, type.size))


def _index_tensor(index: np.ndarray | None) -> Tensor | None:
    with torch.inference_mode(False):
        return None if index is None else torch.from_numpy(index)
