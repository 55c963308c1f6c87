"""O(3): all rotations and reflections of space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from steerable.groups.group import Group, IrrepInfo, is_number, unknown_irrep
from steerable.groups.quaternions import matrix_to_quaternion
from steerable.groups.so3 import SO3, couplings_matrix, require_orthogonal

_SO3 = SO3()


class O3(Group):
    """Rotations of space with and without the inversion; elements are ``(quaternion, s)``, float64 ``[..., 5]``.

    An element acts as ``(-1)^s R(q)``. Irreps: ``"le"`` and ``"lo"`` of dimension 2 l + 1 (real type), even and odd
    under the inversion: ``"1o"`` vectors, ``"1e"`` axial vectors. Harmonics of degree l have the parity of l.
    """

    element_shape = (5,)

    @property
    def key(self) -> tuple[object, ...]:
        """Family."""
        return ("O3",)

    @property
    def name(self) -> str:
        """``O3``."""
        return "O3"

    @property
    def identity(self) -> Tensor:
        """No rotation, no inversion."""
        return torch.from_numpy(np.array([1.0, 0.0, 0.0, 0.0, 0.0]))

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """The inversion commutes with all rotations."""
        return join(_SO3.compose(a[..., :4], b[..., :4]), torch.remainder(a[..., 4] + b[..., 4], 2))

    def inverse(self, a: Tensor) -> Tensor:
        """Inverse rotation, same inversion."""
        return join(_SO3.inverse(a[..., :4]), a[..., 4])

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform rotation, fair inversion."""
        q = _SO3.sample(count, generator)
        return join(q, (torch.rand(count, generator=generator, dtype=torch.float64, device="cpu") < 0.5).double())

    def grid(self, count: int | None = None) -> Tensor:
        """``count`` elements (even): the spiral of SO(3), without and with the inversion.

        Raises:
            ValueError: if the number is odd or absent.
        """
        if not count or count < 2 or count % 2:
            raise ValueError(f"O3 is infinite: grid needs an even number of elements, got {count!r}")
        return _both(_SO3.grid(count // 2))

    @property
    def generators(self) -> Tensor:
        """Those of SO(3), and the inversion."""
        q = _SO3.generators
        return torch.cat([join(q, torch.zeros_like(q[:, 0])), join(_SO3.identity, torch.ones_like(q[0, 0]))[None]])

    def haar(self, frequency: int) -> tuple[Tensor, Tensor]:
        """The rule of SO(3), without and with the inversion."""
        q, weights = _SO3.haar(frequency)
        return _both(q), weights.repeat(2) / 2

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Rotations equal up to sign to 1e-9, and the same inversion."""
        return _SO3.equal(a[..., :4], b[..., :4]) & (a[..., 4] == b[..., 4])

    @property
    def dimension(self) -> int:
        """Space."""
        return 3

    def natural_action(self, g: Tensor) -> Tensor:
        """Orthogonal matrices; differentiable in the quaternion."""
        return _sign(g)[..., None, None] * _SO3.natural_action(g[..., :4])

    def from_action(self, matrix: Tensor) -> Tensor:
        """Element of any orthogonal matrix. Raises ``ValueError`` if it is none."""
        if matrix.shape[-2:] != (3, 3):
            return super().from_action(matrix)
        require_orthogonal(self, matrix)
        sign = torch.where(torch.linalg.det(matrix) < 0, -1.0, 1.0).to(matrix)
        return join(matrix_to_quaternion(sign[..., None, None] * matrix), (1 - sign) / 2)

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0e", "0o", "1e", "1o", ...``. Raises ``ValueError`` without ``max_frequency``."""
        if max_frequency is None or max_frequency < 0:
            raise ValueError(
                f"O3 has irreps of every degree: give max_frequency >= 0, for example O3().irreps(3), "
                f"got {max_frequency!r}"
            )
        return tuple(f"{l}{p}" for l in range(max_frequency + 1) for p in "eo")

    def irrep_info(self, id: str) -> IrrepInfo:
        """All irreps are of real type."""
        if id[-1:] not in ("e", "o") or not is_number(id[:-1]):
            raise unknown_irrep(self, id, "'0e', '0o', '1e', '1o', ...")
        size = 2 * int(id[:-1]) + 1
        return IrrepInfo(id, size, 1, int(id[:-1]), np.eye(size)[None])

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Wigner matrix of degree l, with a sign under the inversion for odd parity; differentiable."""
        self.irrep_info(id)
        matrix = _SO3.irrep_matrix(id[:-1], g[..., :4])
        return matrix if id[-1] == "e" else _sign(g)[..., None, None] * matrix

    def irrep_product(self, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Degrees couple as in SO(3), parities multiply."""
        l, k = self.irrep_info(a).frequency, self.irrep_info(b).frequency
        parity = "e" if a[-1] == b[-1] else "o"
        return tuple(f"{t}{parity}" for t in range(abs(l - k), l + k + 1)), couplings_matrix(l, k)


def join(q: Tensor, inversion: Tensor) -> Tensor:
    """Elements from quaternions ``[..., 4]`` and inversions ``[...]``."""
    return torch.cat([q, inversion[..., None]], -1)


def _both(q: Tensor) -> Tensor:
    one = torch.ones_like(q[:, 0])
    return torch.cat([join(q, 0 * one), join(q, one)])


def _sign(g: Tensor) -> Tensor:
    return 1 - 2 * g[..., 4]
