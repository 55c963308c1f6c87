"""Tables of Legendre functions as a part of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from steerable.domains.spectral.legendre import Legendre
from steerable.nn.constants import at_least_float32


class SpectralTables(nn.Module):
    """Tables for several sums over colatitude, no part of the state, one for both directions.

    They are computed in float64 and cast; whenever the dtype of the module changes they are computed again, so no copy
    in float64 is kept. In a module of half precision they stay in float32, as sums do. A module of the inverse
    transform holds the same object.

    Args:
        plans: the sums, by number (the spin).
        precompute: hold the tables; otherwise they are computed block by block in every run.
    """

    def __init__(self, plans: Mapping[int, Legendre], precompute: bool = True) -> None:
        super().__init__()
        self.plans, self.precompute = dict(plans), precompute
        self._names: dict[int, list[str]] = {n: [] for n in self.plans}
        for n, plan in self.plans.items() if precompute else ():
            for i, table in enumerate(plan.tables(at_least_float32(torch.get_default_dtype()))):
                self._names[n].append(f"table{n}_{i}")
                self.register_buffer(self._names[n][-1], table, persistent=False)

    def forward(self) -> dict[int, tuple[Tensor, ...]]:
        """All tables by number."""
        return {n: tuple(getattr(self, name) for name in names) for n, names in self._names.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
        return sum(t.numel() * t.element_size() for group in self().values() for t in group)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SpectralTables:
        before = {name: b for name, b in self._buffers.items() if b is not None}
        super()._apply(fn, recurse)
        for n, names in self._names.items():
            for i, name in enumerate(names):
                table = self._buffers[name]
                if table is None or table is before[name] or table.device.type == "meta":
                    continue
                dtype, was = at_least_float32(table.dtype), before[name]  # to_empty gives memory without values
                same = dtype == was.dtype and was.device.type != "meta"
                self._buffers[name] = was.to(table.device) if same else self.plans[n].table(i, table.device, dtype)
        return self


def check_accuracy(transform: nn.Module, x: Tensor) -> None:
    """Refuse complex numbers, and another accuracy than that of the tables of a transform; half precision is widened.

    Raises:
        ValueError: naming both dtypes and the mend.
    """
    if torch.compiler.is_compiling():
        return
    name = type(transform).__name__
    if x.is_complex():
        raise ValueError(f"{name}: input is {x.dtype}; this transform is of real numbers. Transform x.real and x.imag")
    own = next((b.dtype for b in transform.buffers() if b.is_floating_point()), None)
    if own is not None and at_least_float32(x.dtype) != own:
        raise ValueError(
            f"{name}: input is {x.dtype}; this transform has tables of {own}. Say x.to({own}), or "
            f"transform.to({x.dtype})"
        )
