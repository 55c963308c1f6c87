"""Linear maps between fields on homogeneous spaces: generalised convolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.homogeneous import HomType
from steerable.nn.linear import Linear


class HomLinear(Linear):
    r"""Every linear equivariant map from fields on G/H to fields on G/K, given by their coefficients.

    It is the convolution ``F_out(u) = integral kappa(v^-1 u) F_in(v) dv`` with a kernel on the double cosets H\\G/K,
    ``kappa(h g k) = rho_out(k)^-1 kappa(g) rho_in(h)^-1``. On coefficients this is a matrix product for each irrep of
    G: copies in times copies out (times the commutant) free numbers, by Schur's lemma. On the sphere: one number a
    degree between scalars, two from a scalar to spin 1 (gradient and curl), four between fields of spin.

    Args:
        in_fields: fields on G/H, ``[B, in_fields.type.size, ...]``.
        out_fields: fields on G/K of the same group: from a quotient to the group itself it lifts, back it projects.
        bias: learned bias along invariant vectors.
        init: ``"he"`` or ``"delta"``.

    Raises:
        TypeError: for types of fields that belong to no space.
        ValueError: if the groups differ.

    Source: Kondor and Trivedi, ICML 2018, arXiv 1802.03690; Xu et al., ICML 2022, arXiv 2206.08362.
    """

    def __init__(self, in_fields: HomType, out_fields: HomType, bias: bool = True, init: str = "he") -> None:
        for given in (in_fields, out_fields):
            if not isinstance(given, HomType):
                raise TypeError(
                    f"HomLinear: got {given!r}; expected fields on a homogeneous space, such as "
                    "st.Homogeneous(SO3, SO2, band=8).fields('1x0')"
                )
        super().__init__(in_fields.type, out_fields.type, bias, init)
        self.in_fields, self.out_fields = in_fields, out_fields

    def coefficients(self) -> dict[str, Tensor]:
        """The free numbers ``[copies_out, copies_in, c]`` of each irrep: copies are mapped by ``sum_k n_k E_k``."""
        matrix, found = self.filter(), {}
        group = self.in_type.group
        for id in self.in_fields.space.irreps:
            info = group.irrep_info(id)
            rows, columns = _copies(self.out_fields, id), _copies(self.in_fields, id)
            if len(rows) and len(columns):
                parts = matrix[rows][:, :, columns].permute(0, 2, 1, 3)  # [out, in, d, d]
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


def _copies(fields: HomType, id: str) -> Tensor:
    """Channels ``[copies, d]`` of all copies of one irrep."""
    found, start = [], 0
    for rep in fields.type.fields:
        found += [
            torch.arange(start + s, start + t)
            for (s, t), i in zip(rep.irrep_slices, rep.irreps, strict=True)
            if i == id
        ]
        start += rep.size
    return torch.stack(found) if found else torch.zeros(0, 0, dtype=torch.long)
