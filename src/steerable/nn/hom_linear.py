"""Linear maps between fields on homogeneous spaces: generalised convolutions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from steerable.aggregate.copies import mix_copies
from steerable.domains.homogeneous import HomType
from steerable.fields.type import FieldType
from steerable.kernels.bank import split_parts
from steerable.kernels.harmonic import sampled_basis
from steerable.kernels.pixels import Point
from steerable.nn.baked import Baked
from steerable.nn.module import EquivariantModule, check_dtype, require_same_group


class HomLinear(EquivariantModule):
    r"""Every linear equivariant map from fields on G/H to fields on G/K, given by their coefficients.

    It is the convolution ``F_out(u) = integral kappa(v^-1 u) F_in(v) dv`` with a kernel on the double cosets H\\G/K,
    ``kappa(h g k) = rho_out(k)^-1 kappa(g) rho_in(h)^-1``. On coefficients this is a matrix product for each irrep of
    G: copies in times copies out (times the commutant) free numbers, by Schur's lemma. On the sphere: one number a
    degree between scalars, two from a scalar to spin 1 (gradient and curl), four between fields of spin.

    Args:
        in_fields: fields on G/H, ``[B, in_fields.type.size, ...]``.
        out_fields: fields on G/K of the same group: from a quotient to the group itself it lifts, back it projects.
        bias: learned bias along invariant vectors.
        init: ``"he"`` or ``"delta"`` (orthogonal).

    Raises:
        TypeError: for types of fields that belong to no space.
        ValueError: if the groups differ, or for another initialisation.

    Source: Kondor and Trivedi, ICML 2018, arXiv 1802.03690; Xu et al., ICML 2022, arXiv 2206.08362.
    """

    def __init__(self, in_fields: HomType, out_fields: HomType, bias: bool = True, init: str = "he") -> None:
        for given in (in_fields, out_fields):
            if not isinstance(given, HomType):
                raise TypeError(
                    f"HomLinear: got {given!r}; expected fields on a homogeneous space, such as "
                    "st.Homogeneous(SO3, SO2, band=8).fields('1x0'), or the .fields of an SHT"
                )
        require_same_group("HomLinear", in_fields.type, out_fields.type)
        super().__init__(in_fields.type, out_fields.type)
        self.in_fields, self.out_fields, self._init = in_fields, out_fields, init
        group = self.in_type.group
        ins, outs = (_parts(fields.type) for fields in (in_fields, out_fields))
        self._irreps = tuple(id for id in outs if id in ins)
        sizes = [(len(outs[id]), len(ins[id]), group.irrep_info(id)) for id in self._irreps]
        #: of the weights of each irrep: copies out, copies in, dimension of the commutant
        self._free = [(n, m, info.type) for n, m, info in sizes]
        # an irrep of real type has one matrix for all its components; of another type the components mix as well
        self._shapes = tuple((n, m, i.dim) if i.type == 1 else (n * i.dim, m * i.dim, 1) for n, m, i in sizes)
        for id, (*_, info) in zip(self._irreps, sizes, strict=True):
            if info.type > 1:
                irrep = group.irrep(id)
                maps = sampled_basis(irrep, irrep, Point(), 1)[..., 0] * math.sqrt(info.dim)
                self.register_constant(f"_maps{id}", maps)
        none = np.zeros(0, dtype=np.int64)
        read, written = (np.concatenate([none, *(side[id].ravel() for id in self._irreps)]) for side in (ins, outs))
        place = np.full(self.out_type.size, len(written))
        place[written] = np.arange(len(written))
        counts = [n * m * c for n, m, c in self._free]
        self.register_constant("_dims", np.repeat([info.dim for *_, info in sizes], counts).astype(np.int64))
        self.register_constant("_into", read)
        self.register_constant("_out", place)
        self.register_constant("_still", np.sort(outs.get(group.trivial.irreps[0], none).ravel()))
        self.weight = nn.Parameter(torch.empty(sum(counts)))
        self.bias = nn.Parameter(torch.zeros(len(self._still))) if bias and len(self._still) else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights again, bias zero: white input of unit variance gives twice that, or orthogonal matrices."""
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        if self._init not in ("he", "delta"):
            raise ValueError(f"unknown initialisation {self._init!r}; expected 'he' or 'delta'")
        if self._init == "he":
            self.weight.normal_()
        parts = dict(zip(self._irreps, self._split(self.weight), strict=True))
        for w in (parts[id] for id in self.in_fields.channels if id in parts):
            n, m, c = w.shape
            if self._init == "he":
                w.mul_(math.sqrt(2 / (m * c)))
            else:  # the default dtype of the caller must not matter
                w.zero_()[..., 0] = nn.init.orthogonal_(torch.from_numpy(np.empty((n, m))))
        self.weight *= self._dims.to(self.weight).sqrt()  # type: ignore[operator]

    def _split(self, weight: Tensor) -> list[Tensor]:
        """Weights ``[copies out, copies in, c]`` of each irrep."""
        return [w.view(s) for w, s in zip(weight.split([math.prod(s) for s in self._free]), self._free, strict=True)]

    def numbers(self) -> Tensor:
        """The entries of the matrices of all irreps, one after the other: weights over the root of the dimension."""
        weight = self.weight * self._dims.to(self.weight).rsqrt()  # type: ignore[operator]
        if all(c == 1 for *_, c in self._free):
            return weight
        return torch.cat([
            w.flatten() if w.shape[2] == 1 else torch.einsum("oik,kxy->oxiy", w, getattr(self, f"_maps{id}")).flatten()
            for id, w in zip(self._irreps, self._split(weight), strict=True)
        ])  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map axis 1 from ``in_type.size`` to ``out_type.size``."""
        self.check_input(x)
        check_dtype(self, x)
        return mix_copies(x, self._shapes, **self._tensors())

    def _tensors(self) -> dict[str, Tensor | None]:
        bias = self.bias
        if bias is not None:
            bias = bias.new_zeros(self.out_type.size).index_copy(0, self._still, bias)  # type: ignore[arg-type]
        return {"numbers": self.numbers(), "into": self._into, "out": self._out, "bias": bias}  # type: ignore[dict-item]

    def bake(self) -> nn.Module:
        """The same with fixed matrices."""
        return Baked(mix_copies, self._shapes, **self._tensors())

    def filter(self) -> Tensor:
        """The whole matrix ``[C_out, C_in]``, for small bands; differentiable."""
        one = torch.eye(self.in_type.size, dtype=self.weight.dtype, device=self.weight.device)
        return mix_copies(one, self._shapes, **{**self._tensors(), "bias": None}).T  # type: ignore[arg-type]

    def coefficients(self) -> dict[str, Tensor]:
        """The free numbers ``[copies_out, copies_in, c]`` of each irrep: copies are mapped by ``sum_k n_k E_k``."""
        matrix, found = self.filter(), {}
        outs, ins = self.out_fields.channels, self.in_fields.channels
        for id in self.in_fields.space.irreps:
            if id in outs and id in ins:
                info = self.in_type.group.irrep_info(id)
                parts = matrix[outs[id]][:, :, ins[id]].permute(0, 2, 1, 3)  # [out, in, d, d]
                e = torch.from_numpy(info.endomorphisms.copy()).to(matrix)
                found[id] = torch.einsum("kxy,oixy->oik", e, parts) / info.dim
        return found

    def kernel(self, elements: Tensor) -> Tensor:
        """The kernel ``kappa(g) [n, C_K, C_H]`` at elements ``[n, ...]`` of G, for all fields at once.

        It is ``A_out(g) M A_in(e)^T`` with the matrix M of the layer: the answer to a delta at the base point.
        """
        matrix = self.filter()
        one = self.in_fields.evaluate(self.in_type.group.identity[None])[0]
        return self.out_fields.evaluate(elements).to(matrix) @ matrix @ one.T.to(matrix)

    def extra_repr(self) -> str:
        """The fields on both sides."""
        return f"{self.in_fields!r} -> {self.out_fields!r}"


def _parts(type: FieldType) -> dict[str, np.ndarray]:
    """Channels ``[copies, d]`` of each irrep in the order of the weights of every linear map."""
    return {part.rep.irreps[0]: part.channels for part in split_parts(type, Point())}
