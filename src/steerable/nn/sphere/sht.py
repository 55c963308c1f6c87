"""Spherical harmonic transforms of fields of any spin as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from steerable.domains.homogeneous import Homogeneous, HomType
from steerable.domains.spectral.fields import FieldPlan, analyse, synthesise
from steerable.domains.spectral.precision import full_precision, widened
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.groups import SO2, SO3
from steerable.nn.module import EquivariantModule
from steerable.nn.sphere.spectral_tables import SpectralTables, check_accuracy


class _Harmonic(EquivariantModule):
    """What both directions share: the sampling, the band, the plan and its fixed tensors."""

    half_constants = False

    def __init__(
        self, sphere: Sphere | str, type: FieldType | str, band: int | None, inverse: bool,
        tables: SpectralTables | None, precompute: bool,
    ) -> None:  # fmt: skip
        sphere = parse_sphere(sphere)
        self.band = sphere.check_band(usual_band(sphere) if band is None else band)
        fields = spherical_fields(self._label, type, self.band)
        types = fields.fibre, fields.type
        super().__init__(*(types[::-1] if inverse else types))
        self.sphere, self.fields, self.precompute = sphere, fields, precompute
        self.plan = FieldPlan.of(sphere, fields.fibre, self.band)
        self.tables = (
            SpectralTables({n: p.legendre for n, p in self.plan.spins.items() if p.tabulated}, precompute)
            if tables is None
            else tables
        )
        self._names: list[str] = []
        for name, value in self.plan.constants().items():
            self._names.append(name)
            self.register_constant(f"_{name}", value)

    @property
    def _label(self) -> str:
        return type(self).__name__

    def _constants(self) -> dict[str, Tensor]:
        return {name: getattr(self, f"_{name}") for name in self._names}

    def extra_repr(self) -> str:
        """Sampling, type and band."""
        return f"{self.sphere!r}, {self.fields.fibre}, band={self.band}"


class SHT(_Harmonic):
    """Fields on the sphere to their coefficients: spin-weighted spherical harmonic analysis.

    Each irrep n of SO2 is a field of spin n, and every type is a mixture. The coefficients are vectors of
    ``Homogeneous(SO3(), SO2(), band - 1).fields(type).type``, so every layer for types of SO3 acts on them; a scalar
    has ``band^2`` of them in the order ``l^2 + l + m``, with ``f = sum c_lm sqrt(4 pi) Y_lm``. It is
    :class:`HomAnalysis` without the dense matrix: FFT along the rings, and for each order one product with Legendre
    functions on half of the rings.

    A field of spin n has two copies of each degree. With channels Q (along south) and U (from south to east) those of
    spin 2 are B and -E, in this order, in the scale of a scalar's coefficients;
    :func:`steerable.domains.spectral.to_alm` has them as healpy does.

    ``fields`` says which fields on the sphere the coefficients are: between those of two transforms
    :class:`HomLinear` is every filter.

    Args:
        sphere: the sampling, or its name such as ``"gauss(32)"``. By rings it is fast; on the rings of McEwen and
            Wiaux orders are first taken to Gauss rings; points without rings are fitted by least squares with a dense
            matrix, for modest bands.
        type: type of SO2, or its string ``"1x0 + 1x2"``.
        band: degrees ``l < band`` (:class:`Homogeneous` counts its band in); default ``sphere.sampling_band``, or
            ``sphere.usual_band`` where none is exact.
        iterations: steps of Jacobi's ``c <- c + A (x - S c)``, for samplings whose weights are not exact. On HEALPix
            the default, none, has a relative error of 6e-3 for a white field below 2 nside and 3e-3 below nside; 3,
            which is what healpy takes, 9e-6 and 7e-8.
        precompute: hold the Legendre functions; otherwise compute them block by block in every run, forward and
            backward, so that memory grows as ``band^2``.

    Raises:
        ValueError: if the band is more than the sampling holds, or holds no field of the type.
        TypeError: for a type of another group.

    Source: Price and McEwen, "Differentiable and accelerated spherical harmonic and Wigner transforms", J. Comput.
    Phys. 510 (2024), arXiv 2311.14670, for the sums; Gorski et al., ApJ 622 (2005), for the iterations.
    """

    def __init__(
        self,
        sphere: Sphere | str,
        type: FieldType | str,
        band: int | None = None,
        iterations: int = 0,
        precompute: bool = True,
        tables: SpectralTables | None = None,
    ) -> None:
        super().__init__(sphere, type, band, False, tables, precompute)
        self.iterations = iterations

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, *shape]`` to ``[B, D]`` in the dtype of x; computed in float32 at least."""
        self._check(x)
        return _analysis(x, self.plan, self.iterations, self._constants(), self.tables())

    def _check(self, x: Tensor) -> None:
        self.check_input(x)
        check_accuracy(self, x)
        if not torch.compiler.is_compiling() and tuple(x.shape[2:]) != self.sphere.shape:
            raise ValueError(
                f"SHT: samples have shape {list(x.shape)}; expected [B, {self.in_type.size}, "
                f"{', '.join(map(str, self.sphere.shape))}] on {self.sphere!r}"
            )

    def inverse(self) -> InverseSHT:
        """The synthesis with the same tables, not a copy of them, in the same dtype."""
        found = InverseSHT(self.sphere, self.in_type, self.band, self.precompute, self.tables)
        own = next((b for b in self.buffers() if b.is_floating_point()), None)
        return found if own is None else found.to(own)

    def bake(self) -> nn.Module:
        """The same function without types."""
        return _Baked(_analysis, (self.plan, self.iterations), self._constants(), self.tables())


class InverseSHT(_Harmonic):
    """Coefficients to fields on the sphere: spin-weighted spherical harmonic synthesis, a fast :class:`HomSynthesis`.

    Args:
        sphere: the sampling, or its name such as ``"gauss(32)"``. By rings it is fast; on the rings of McEwen and
            Wiaux orders are first taken to Gauss rings; points without rings are fitted by least squares with a dense
            matrix, for modest bands.
        type: type of SO2 of the fields, or its string.
        band: degrees ``l < band`` of the coefficients; default ``sphere.sampling_band``, or
            ``sphere.usual_band`` where none is exact.
        precompute: as in :class:`SHT`.
        tables: those of an :class:`SHT` of the same arguments; see :meth:`SHT.inverse`.

    Raises:
        ValueError: if the band is more than the sampling holds, or holds no field of the type.
        TypeError: for a type of another group.
    """

    def __init__(
        self,
        sphere: Sphere | str,
        type: FieldType | str,
        band: int | None = None,
        precompute: bool = True,
        tables: SpectralTables | None = None,
    ) -> None:
        super().__init__(sphere, type, band, True, tables, precompute)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` to ``[B, C, *shape]`` in the dtype of x; computed in float32 at least."""
        self.check_input(x, 0)
        check_accuracy(self, x)
        return _synthesis(x, self.plan, self._constants(), self.tables())

    def bake(self) -> nn.Module:
        """The same function without types."""
        return _Baked(_synthesis, (self.plan,), self._constants(), self.tables())


def _analysis(x: Tensor, plan: FieldPlan, iterations: int, constants: dict, tables: dict) -> Tensor:
    with full_precision(x):
        samples = widened(x)
        found = analyse(samples, plan, constants, tables)
        for _ in range(iterations):
            found = found + analyse(samples - synthesise(found, plan, constants, tables), plan, constants, tables)
    return found.to(x.dtype)


def _synthesis(c: Tensor, plan: FieldPlan, constants: dict, tables: dict) -> Tensor:
    with full_precision(c):
        return synthesise(widened(c), plan, constants, tables).to(c.dtype)


class _Baked(nn.Module):
    """A transform as numbers: plans, tables and constants."""

    def __init__(self, function: Any, options: tuple, constants: dict[str, Tensor], tables: dict) -> None:
        super().__init__()
        self.function, self.options, self.names = function, options, tuple(constants)
        self.table_names = {n: [f"table{n}_{i}" for i in range(len(group))] for n, group in tables.items()}
        for name, value in constants.items():
            self.register_buffer(f"_{name}", value.detach().clone())
        for n, group in tables.items():
            for name, value in zip(self.table_names[n], group, strict=True):
                self.register_buffer(name, value.detach().clone())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _Baked:
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, was in before.items():  # sums are in float32 at least
            now = self._buffers[name]
            if was is not None and now is not None and now.dtype in (torch.float16, torch.bfloat16):
                self._buffers[name] = was.to(now.device, torch.float32)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """The transform."""
        constants = {name: getattr(self, f"_{name}") for name in self.names}
        tables = {n: tuple(getattr(self, name) for name in group) for n, group in self.table_names.items()}
        return self.function(x, *self.options, constants, tables)


def spherical_fields(layer: str, type: FieldType | str, band: int) -> HomType:
    """Coefficients of fields of a type of SO2 up to degree ``band - 1``.

    Raises:
        TypeError: for a type of another group.
    """
    found = SO2().type(type) if isinstance(type, str) else type
    if not isinstance(found, FieldType) or found.group != SO2():
        raise TypeError(f"{layer}: the type of fields on the sphere is one of SO2 such as '1x0 + 1x2', got {type!r}")
    fields = Homogeneous(SO3(), SO2(), band - 1).fields(found)
    fields.type  # noqa: B018  raises if the band holds none of a field
    return fields


def usual_band(sphere: Sphere) -> int:
    """The band that is taken by default: the largest that is exact, by a sampling theorem too; else the usual one."""
    return sphere.sampling_band or sphere.usual_band
