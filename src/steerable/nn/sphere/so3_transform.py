"""The Fourier transform on SO(3) as layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from steerable.domains.spectral.precision import full_precision, widened
from steerable.domains.spectral.so3 import RotationPlan, rotation_analysis, rotation_synthesis
from steerable.fields.type import FieldType
from steerable.nn.constants import ConstantModule
from steerable.nn.sphere.spectral_tables import SpectralTables, check_accuracy


class _RotationTransform(ConstantModule):
    """What both directions share."""

    half_constants = False

    def __init__(
        self, band: int, channels: int = 1, orders: int | None = None, precompute: bool = True,
        grid: int | None = None, tables: SpectralTables | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        limit, fine = band if orders is None else orders, band if grid is None else grid
        if band < 1 or channels < 0 or not 1 <= limit <= band or fine < band:
            raise ValueError(
                f"{type(self).__name__}: band={band!r}, channels={channels!r}, orders={orders!r}, grid={grid!r}; "
                f"expected a band from 1 on, no negative number of channels, orders from 1 to the band and a grid "
                f"of at least the band"
            )
        self.band, self.channels, self.orders, self.grid = band, channels, limit, fine
        self.plan = RotationPlan(band, limit, fine)
        #: of the coefficients
        self.type: FieldType = channels * self.plan.representation
        self.tables = SpectralTables({0: self.plan.legendre}, precompute) if tables is None else tables
        self._names: list[str] = []
        for name, value in self.plan.constants().items():
            self._names.append(name)
            self.register_constant(f"_{name}", value)

    @property
    def elements(self) -> Tensor:
        """The grid: quaternions ``[*plan.shape, 4]`` of ``Rz(a) Ry(b) Rz(c)``, float64."""
        return self.plan.elements()

    def _given(self) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        return {name: getattr(self, f"_{name}") for name in self._names}, self.tables()[0]

    def _require(self, x: Tensor, shape: tuple[int, ...], what: str) -> None:
        if not torch.compiler.is_compiling() and tuple(x.shape[1:]) != shape:
            raise ValueError(
                f"{type(self).__name__}: got shape {list(x.shape)}; expected {what} [B, {', '.join(map(str, shape))}]"
            )
        check_accuracy(self, x)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"band={self.band}, channels={self.channels}, orders={self.orders}, grid={list(self.plan.shape)}"


class SO3Analysis(_RotationTransform):
    """Functions on SO(3), sampled in Euler angles, to coefficients of ``SO3().spectral_regular(band - 1)``.

    The grid is ``2 L`` equal steps in a, ``L`` Gauss-Legendre nodes in b, ``2 N`` equal steps in c, of
    ``Rz(a) Ry(b) Rz(c)``; exact below the band. The series in a and c are two matrix products, the sums over b one
    batched product over pairs of orders: ``L^4`` multiplications each, ``N L^3`` with an azimuthal limit.

    Args:
        band: L.
        channels: number of functions C.
        orders: N, the azimuthal limit ``|n| < N`` in the last angle; default L. The type is then that of the copies
            ``|n| < N``.
        precompute: hold the Wigner functions; otherwise compute them block by block in every run.
        grid: the band G of the samples, from L on; default L. A finer grid holds products of functions, as activations
            need it: ``2 G, G, 2 N G / L`` samples.

    Raises:
        ValueError: for sizes that make no sense, or samples of another shape.

    Source: Kostelec and Rockmore, "FFTs on the Rotation Group", J. Fourier Anal. Appl. 14 (2008).
    """

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, *plan.shape]`` to ``[B, C D]`` in the dtype of x; computed in float32 at least."""
        self._require(x, (self.channels, *self.plan.shape), "samples")
        return _analysis(x, self.plan, *self._given())

    def inverse(self) -> SO3Synthesis:
        """The synthesis with the same tables, not a copy of them."""
        return SO3Synthesis(self.band, self.channels, self.orders, grid=self.grid, tables=self.tables)

    def bake(self) -> nn.Module:
        """Already a plain module of fixed tensors."""
        return self


class SO3Synthesis(_RotationTransform):
    """Coefficients of ``SO3().spectral_regular(band - 1)`` to functions on the grid of :class:`SO3Analysis`.

    Args:
        band: L.
        channels: number of functions C.
        orders: N.
        precompute, grid: as in :class:`SO3Analysis`.
        tables: those of an :class:`SO3Analysis`; see its ``inverse``.

    Raises:
        ValueError: for sizes that make no sense, or coefficients of another number.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C D]`` to ``[B, C, *plan.shape]`` in the dtype of x; computed in float32 at least."""
        self._require(x, (self.type.size,), "coefficients")
        return _synthesis(x, self.plan, self.channels, *self._given())

    def bake(self) -> nn.Module:
        """Already a plain module of fixed tensors."""
        return self


def _analysis(x: Tensor, plan: RotationPlan, constants: dict[str, Tensor], tables: tuple[Tensor, ...]) -> Tensor:
    with full_precision(x):
        found = rotation_analysis(widened(x).flatten(0, 1), plan, constants, tables)
    return found.view(x.shape[0], x.shape[1] * len(constants["place"])).to(x.dtype)


def _synthesis(
    c: Tensor, plan: RotationPlan, channels: int, constants: dict[str, Tensor], tables: tuple[Tensor, ...]
) -> Tensor:
    with full_precision(c):
        flat = widened(c).reshape(c.shape[0] * channels, len(constants["place"]))
        return rotation_synthesis(flat, plan, constants, tables).unflatten(0, (c.shape[0], channels)).to(c.dtype)
