"""Attention on the sphere as an integral: every sample counts by its area."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from steerable.domains.spectral.precision import full_precision
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.fields.type import FieldType
from steerable.nn.linear import Linear
from steerable.nn.module import EquivariantModule, check_dtype, require_same_group, require_type
from steerable.nn.sphere.attention_cores import GlobalCore, NeighbourCore, frequencies
from steerable.nn.sphere.conv import check_sphere, require_frames

#: radius of the means that stand for queries on another sampling, in spacings
_BLUR = 2.5


class _Attention(EquivariantModule):
    """Linear maps before and after a core."""

    core: GlobalCore | NeighbourCore

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType | None,
        sphere: Sphere | str,
        targets: Sphere | str | None,
        query_type: FieldType | None,
        inner: FieldType | None,
        heads: int,
        degree: int,
    ) -> None:
        name = type(self).__name__
        require_type(in_type, name)
        out_type = in_type if out_type is None else require_type(out_type, name, "out_type")
        require_same_group(name, in_type, out_type)
        require_frames(name, in_type)
        require_frames(name, out_type)
        if heads < 1 or degree < 0:
            raise ValueError(f"{name}: heads={heads}, degree={degree}; expected heads from 1 and a degree from 0")
        super().__init__(in_type, out_type)
        self.sphere = sphere = parse_sphere(sphere)
        self.targets = sphere if targets is None else parse_sphere(targets)
        self.heads, self.degree = heads, degree
        self.query_type = in_type if query_type is None else require_type(query_type, name, "query_type")
        self.inner = out_type if inner is None else require_type(inner, name, "inner")
        self.query = Linear(self.query_type, self.inner)
        self.key = Linear(in_type, self.inner)
        self.value = Linear(in_type, self.inner)
        self.out = Linear(self.inner, out_type)
        self.distance = nn.Parameter(torch.zeros(heads, degree))
        self.local: NeighbourCore | None = None
        if self.targets != sphere and self.query_type == in_type:
            reach = _BLUR * max(sphere.spacing, self.targets.spacing)
            self.local = NeighbourCore(sphere, self.targets, in_type, reach, 1)

    def forward(self, x: Tensor, query: Tensor | None = None) -> Tensor:
        """``[B, in_type.size, *sphere.shape]`` to ``[B, out_type.size, *targets.shape]``.

        Args:
            x: of keys and values.
            query: ``[B, query_type.size, *targets.shape]``; None: x itself, on other targets its means around them.

        Raises:
            ValueError: for other channels or another sampling, or no query where x cannot stand for it.
        """
        self.check_input(x)
        check_dtype(self, x)
        check_sphere(self, x, self.sphere)
        self._check_query(query)
        maps = (self.query, self.key, self.value, self.out)
        return attended(x, query, maps, self.core, self.local, self.distance, self.targets.shape)

    def _check_query(self, query: Tensor | None) -> None:
        if torch.compiler.is_compiling():
            return
        wanted = (self.query_type.size, *self.targets.shape)
        if query is None:
            if self.query_type != self.in_type:
                raise ValueError(
                    f"{type(self).__name__}: no query was given and the input {self.in_type!r} is not of query_type "
                    f"{self.query_type!r}; pass query=[B, {', '.join(map(str, wanted))}]"
                )
        elif tuple(query.shape[1:]) != wanted:
            raise ValueError(
                f"{type(self).__name__}: the query is {list(query.shape)}; expected [B, {', '.join(map(str, wanted))}] "
                f"on {self.targets!r}"
            )

    def extra_repr(self) -> str:
        """Types, samplings, heads."""
        return f"{super().extra_repr()}, {self.sphere!r} -> {self.targets!r}, heads={self.heads}, degree={self.degree}"

    def bake(self) -> nn.Module:
        """The same function with fixed matrices."""
        maps = nn.ModuleList([self.query.bake(), self.key.bake(), self.value.bake(), self.out.bake()])
        return PlainSphereAttention(maps, self.core, self.local, self.distance, self.targets.shape)


class SphereAttention(_Attention):
    r"""Global attention of scalars, ``y_i = sum_j w_j e^(s_ij) v_j / sum_j w_j e^(s_ij)`` with quadrature weights w.

    So sums are integrals: the result does not depend on the sampling but for its quadrature error, samples that crowd
    at the poles count no more than others, and all rotations commute with it. Scores are ``q_i . k_j / sqrt(d)`` and,
    for each head, a learned polynomial of the cosine of the distance: the only way in which places enter.

    Memory is one number for each head and pair of samples, for each member of a batch where derivatives are wanted
    that no fused kernel gives. Second derivatives want ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)``.

    Args:
        in_type: scalars of keys and values.
        sphere: where they lie, a sampling or its name.
        out_type: scalars of the output; default those of the input.
        heads: number of heads.
        targets: where queries and output lie; another sampling refines or coarsens. Default the same.
        query_type: scalars of the queries, where they are other than the input (cross-attention).
        inner: scalars between the maps, a multiple of `heads`; default those of the output.
        degree: of the polynomials; 0: scores do not see places.

    Raises:
        ValueError: for fields of spin, which no path carries to an antipode; heads that do not divide; negative
            quadrature weights.

    Source: Bonev et al., "Attention on the Sphere", arXiv 2505.11157: softmax with the log of quadrature weights.
    """

    def __init__(
        self,
        in_type: FieldType,
        sphere: Sphere | str,
        out_type: FieldType | None = None,
        heads: int = 4,
        targets: Sphere | str | None = None,
        query_type: FieldType | None = None,
        inner: FieldType | None = None,
        degree: int = 3,
    ) -> None:
        for given in (in_type, out_type, query_type, inner):
            if isinstance(given, FieldType) and int(frequencies(given).max()):
                raise ValueError(
                    f"SphereAttention: expected scalars, got {given!r}; between antipodes no path carries frames "
                    "better than another. Use SphereNeighbourAttention, or nn.NormPool before"
                )
        super().__init__(in_type, out_type, sphere, targets, query_type, inner, heads, degree)
        if self.inner.size % heads:
            raise ValueError(
                f"SphereAttention: {self.inner.size} inner channels among {heads} heads; expected a multiple"
            )
        self.core = GlobalCore(self.sphere, self.targets, heads)


class SphereNeighbourAttention(_Attention):
    r"""Attention within caps, of fields of any spin: ``y_i`` is the mean of ``rho(t_ij) v_j`` weighted by
    ``w_j c(d_ij) e^(s_ij)``.

    Scores ``s_ij = q_i . rho(t_ij) k_j / sqrt(d) + b(d_ij)`` compare the query with keys that are carried along the
    geodesic into its frame: a number that no choice of frames changes. The window c ends smoothly at the rim, for a
    sharp one sees samples come and go. Equivariant under all rotations up to the error of the quadrature.

    Memory is the number of pairs in reach times inner channels and batch.

    Args:
        in_type: type of keys and values, of SO2 or O2, in irreps.
        sphere: where they lie, a sampling or its name.
        radius: of the caps, in radians; three to six spacings are usual.
        out_type: type of the output; default that of the input.
        heads: number of heads.
        targets: where queries and output lie. Default the same.
        query_type: type of the queries, where it is another (cross-attention).
        inner: type between the maps, a multiple of `heads` of each field; default that of the output.
        degree: of the polynomials of the squared distance.

    Raises:
        ValueError: for groups that hold no frames, a radius below the spacing or from pi, heads that do not divide,
            negative quadrature weights.

    Source: Bonev et al., arXiv 2505.11157 (scalars); transport as Cohen et al., arXiv 1902.04615, and de Haan et al.,
    "Gauge Equivariant Mesh CNNs", arXiv 2003.05425.
    """

    def __init__(
        self,
        in_type: FieldType,
        sphere: Sphere | str,
        radius: float,
        out_type: FieldType | None = None,
        heads: int = 4,
        targets: Sphere | str | None = None,
        query_type: FieldType | None = None,
        inner: FieldType | None = None,
        degree: int = 3,
    ) -> None:
        sphere = parse_sphere(sphere)
        if not sphere.spacing <= radius < math.pi:
            raise ValueError(
                f"SphereNeighbourAttention: the radius is {radius:.4g} rad on {sphere!r}; expected between "
                f"{sphere.spacing:.4g}, the distance of its samples, and pi"
            )
        super().__init__(in_type, out_type, sphere, targets, query_type, inner, heads, degree)
        self.radius = radius
        self.core = NeighbourCore(self.sphere, self.targets, self.inner, radius, heads)


class PlainSphereAttention(nn.Module):
    """Attention with fixed matrices.

    Args:
        maps: query, key, value, out.
        core: what stands between.
        local: what makes queries on another sampling.
        distance: polynomials.
        shape: of the targets.
    """

    def __init__(
        self,
        maps: nn.ModuleList,
        core: GlobalCore | NeighbourCore,
        local: NeighbourCore | None,
        distance: Tensor,
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.maps, self.core, self.local, self.shape = maps, core, local, shape
        self.distance = nn.Parameter(distance.detach().clone())

    def forward(self, x: Tensor, query: Tensor | None = None) -> Tensor:
        """As of the layer."""
        return attended(x, query, tuple(self.maps), self.core, self.local, self.distance, self.shape)


def attended(
    x: Tensor,
    query: Tensor | None,
    maps: tuple[nn.Module, ...],
    core: GlobalCore | NeighbourCore,
    local: NeighbourCore | None,
    distance: Tensor,
    shape: tuple[int, ...],
) -> Tensor:
    """Maps, core, map; under autocast in the dtype of the weights, since exponents are summed."""
    with full_precision(x):
        x = x.to(distance.dtype).flatten(2)
        if query is not None:
            query = query.to(distance.dtype).flatten(2)
        elif local is not None:
            query = local.mean(x)
        else:
            query = x
        to_query, to_key, to_value, out = maps
        y = out(core(to_query(query), to_key(x), to_value(x), distance))
        return y.unflatten(2, shape)
