"""Steerable convolutions on the sphere, on any sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from steerable.aggregate.transport import Carried, carried
from steerable.domains.spectral.precision import full_precision
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.domains.sphere.memo import remember
from steerable.domains.sphere.meridian import by_rings
from steerable.fields.type import FieldType
from steerable.groups.cyclic import C
from steerable.groups.o2 import O2
from steerable.groups.so2 import SO2
from steerable.kernels.bank import FilterBank, filter_bank
from steerable.kernels.envelope import envelope
from steerable.kernels.filters import Filters
from steerable.kernels.zernike import Zernike
from steerable.nn.init import initialise
from steerable.nn.module import require_space
from steerable.nn.sphere.contraction import PairContraction, RingContraction, SphereContraction
from steerable.nn.steerable_map import SteerableMap


class SphereConv(SteerableMap):
    r"""Convolution of fields on the sphere with a steerable kernel: ``out_i = sum_j w_j kappa(x_ij) rho(t_ij) f_j``.

    ``x_ij`` is the logarithm of point j in the frame of point i, ``t_ij`` the angle by which parallel transport turns
    the frame of j, ``w_j`` the quadrature weight: a discretised integral over a cap. The kernel is the one of
    :class:`Conv2d` and :class:`PointConv`, and knows nothing of the sampling: weights that were learned on one sampling
    serve on every other.

    The group of the types says what is promised:

    * SO2 or O2 and scalars alone, ``axisymmetric``: kernels depend on the distance;
    * SO2 or O2 and spins, ``steerable``: from spin n to spin m, with transport;
    * C(1), ``north_aligned``: any kernel, held by the frame (south, east). Equivariant under rotations about the poles
      **only**: for weather and the like.

    The first two are equivariant under all rotations up to the error of the quadrature, which falls with the
    resolution: about 1e-4 for inputs of half the band of the grid and a radius of six samples.

    Args:
        in_type: type of the input ``[B, in_type.size, *sphere.shape]``, of SO2, O2 or C(1), in irreps.
        out_type: type of the output.
        sphere: where the input lies, a sampling or its name such as ``"gauss(32)"``.
        radius: of the kernel, in radians.
        targets: where the output lies: a coarser sampling strides, a finer one refines (a transposed convolution).
            Default the same.
        kernel_size: odd side of the planar kernel it corresponds to: the radius is ``k // 2 + 1`` steps of its grid.
        filters: scalar functions in units of those steps; default Zernike polynomials up to degree ``k // 2 + 1`` on
            the disc of that radius. Functions that do not end smoothly there, such as Gaussian rings or polynomials of
            another disc, are cut off, and rotations cost 10 to 20 %.
        bias: learned bias along the invariant vectors of the output fields.
        init: ``"he"`` or ``"delta"``.
        quadrature: degree of the offset up to which the integrals over a neighbourhood are exact, see
            :func:`steerable.domains.sphere.local_weights.local_weights`; 0 takes the weights of the sampling, with
            which refining is the exact transpose of striding. Default on samplings without rings 4 (2 or 3 for kernels
            of two distances of samples), which takes away three quarters of the error of whole networks; 0 on rings,
            where 4 halves the error of kernels of three distances of samples and does nothing for wider ones.

    Raises:
        ValueError: for another group, a radius below the spacing of the samples or from pi, an even kernel, or a
            negative quadrature.

    Source: Ocampo, Price and McEwen, "Scalable and Equivariant Spherical CNNs by Discrete-Continuous Convolutions",
    ICLR 2023, arXiv 2209.13603 (axisymmetric); with the gauge and transport of Cohen et al., arXiv 1902.04615.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        sphere: Sphere | str,
        radius: float,
        targets: Sphere | str | None = None,
        kernel_size: int = 5,
        filters: Filters | None = None,
        bias: bool = True,
        init: str = "he",
        quadrature: int | None = None,
    ) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"SphereConv: kernel_size is {kernel_size}; expected an odd number, as on a grid")
        reach = kernel_size // 2 + 1
        filters = filters or Zernike(reach, float(reach))
        require_space("SphereConv", in_type, filters, 2)
        require_frames("SphereConv", in_type)
        self.sphere = sphere = parse_sphere(sphere)
        self.targets = sphere if targets is None else parse_sphere(targets)
        self.radius = radius
        self.spacing = radius / reach
        if not sphere.spacing <= radius < math.pi:
            raise ValueError(
                f"SphereConv: the radius is {radius:.4g} rad on {sphere!r}; expected between {sphere.spacing:.4g}, the "
                f"distance of its samples, and pi. Three to six times the spacing is usual"
            )
        super().__init__(in_type, out_type, filters, kernel_size, 2, 1, bias)
        self._shape = (out_type.size, in_type.size, filters.count)
        initialise(self, init)
        self.contraction: SphereContraction
        with torch.device("cpu"):  # tables are worked out there, wherever weights are laid
            given = sphere, self.targets, self._parts(), (out_type.size, in_type.size), radius, self._functions
            if by_rings(sphere, self.targets):
                self.contraction = RingContraction(*given, quadrature or 0)
            else:
                self.contraction = PairContraction(*given, quadrature)

    @property
    def bank(self) -> FilterBank:
        """How weights become the filter ``[C_out, C_in, F]``, in terms of the scalar functions."""
        return filter_bank(self.in_type, self.out_type, self.filters, self.kernel_size, over="functions")

    @property
    def mode(self) -> str:
        """``axisymmetric``, ``steerable`` or ``north_aligned``: what is equivariant under which rotations."""
        if self.in_type.group == C(1):
            return "north_aligned"
        return "axisymmetric" if self.in_type.is_trivial and self.out_type.is_trivial else "steerable"

    def _functions(self, offset: Tensor, weight: Tensor) -> Tensor:
        """The scalar functions at all pairs ``[E, F]``, with the area of the source in steps of the planar grid."""
        return remember(
            ("functions", self.filters, self.radius, self.spacing), (offset, weight),
            lambda: self._evaluated(offset, weight),
        )  # fmt: skip

    def _evaluated(self, offset: Tensor, weight: Tensor) -> Tensor:
        values = self.filters.values(offset / self.spacing) * (weight / self.spacing**2)[:, None]
        return values if self.filters.is_compact else values * envelope(offset.norm(dim=1), self.radius)[:, None]

    def _parts(self) -> tuple[Carried, ...]:
        """The channels by frequency; a filter with random weights shows which functions are never used."""
        with torch.no_grad():
            weights = torch.randn(self.weight.shape, generator=torch.Generator().manual_seed(0))
            probe = self.expansion().expand(weights.to(self.weight.dtype)) if len(weights) else torch.zeros(self._shape)
        return carried(self.in_type, self.out_type, self.filters, probe.double())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_type.size, *sphere.shape]`` to ``[B, out_type.size, *targets.shape]``.

        Raises:
            ValueError: for other channels or another sampling.
        """
        self.check_input(x)
        check_sphere(self, x, self.sphere)
        return convolved(x, self.contraction, self.filter(), self.expanded_bias())

    def extra_repr(self) -> str:
        """Types, samplings and reach."""
        return f"{self.in_type!r} -> {self.out_type!r}, radius={self.radius:.4g}, {self.mode}"

    def bake(self) -> nn.Module:
        """A plain module with a fixed filter."""
        return PlainSphereConv(self.contraction, self.filter(), self.expanded_bias())


class PlainSphereConv(nn.Module):
    """A convolution on the sphere with a fixed filter ``[C_out, C_in, F]``."""

    def __init__(self, contraction: SphereContraction, filter: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.contraction = contraction.fixed()
        self.weight = nn.Parameter(filter.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C_in, *shape]`` to ``[B, C_out, *shape]``."""
        return convolved(x, self.contraction, self.weight, self.bias)


def convolved(x: Tensor, contraction: SphereContraction, filter: Tensor, bias: Tensor | None) -> Tensor:
    """The contraction and the bias; under autocast in the dtype of the filter, for transforms need its accuracy."""
    if x.shape[0] == 0:  # no Fourier transform of nothing
        return x.new_zeros(0, len(filter), *contraction.targets.shape) + filter.sum() * 0
    with full_precision(x):
        if contraction.parts:
            y = contraction(x.to(filter.dtype), filter)
        else:  # types between which there is no kernel
            y = (filter.sum() * 0).expand(x.shape[0], len(filter), *contraction.targets.shape)
        return y if bias is None else y + bias.view(-1, *(1,) * (y.dim() - 2))


def require_frames(layer: str, type: FieldType) -> None:
    """Refuse types whose group does not hold the angles by which transport turns a frame.

    Raises:
        ValueError: naming the groups that do.
    """
    if type.group not in (SO2(), O2(), C(1)):
        raise ValueError(
            f"{layer}: the types are of {type.group.name}, but on the sphere transport turns frames by any angle; "
            f"expected SO2, O2 (fields with parity) or C(1) (kernels held by north)"
        )
    if any(b.rep.change_of_basis is not None for b in type.blocks):
        raise ValueError(f"{layer}: expected fields in irreps such as '4x0 + 2x1', got {type!r}")


def check_sphere(layer: nn.Module, x: Tensor, sphere: Sphere) -> None:
    """Refuse a field of another sampling. Looks at shapes only, silent while compiling.

    Raises:
        ValueError: naming both.
    """
    if not torch.compiler.is_compiling() and tuple(x.shape[2:]) != sphere.shape:
        raise ValueError(
            f"{type(layer).__name__}: the input has samples {tuple(x.shape[2:])}; this layer is on {sphere!r}, which "
            f"has {sphere.shape}"
        )
