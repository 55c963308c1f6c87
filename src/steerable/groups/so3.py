"""SO(3): all rotations of space."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.groups.coupling import couplings
from steerable.groups.group import Group, IrrepInfo, is_number, unknown_irrep
from steerable.groups.quaternions import (
    check_quaternion,
    matrix_to_quaternion,
    quaternion_conjugate,
    quaternion_product,
    quaternion_to_matrix,
)
from steerable.groups.wigner import wigner_d


class SO3(Group):
    """Rotations of space; elements are unit quaternions (w, x, y, z), float64 ``[..., 4]``, equal up to sign.

    Irreps: ``"l"`` of dimension 2 l + 1 (real type) on real spherical harmonics of degree l, ``Y(R x) = D(R) Y(x)``.
    """

    element_shape = (4,)

    @property
    def key(self) -> tuple[object, ...]:
        """Family."""
        return ("SO3",)

    @property
    def name(self) -> str:
        """``SO3``."""
        return "SO3"

    @property
    def identity(self) -> Tensor:
        """No rotation."""
        return torch.from_numpy(np.array([1.0, 0.0, 0.0, 0.0]))

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Product of quaternions, brought back to length one."""
        q = quaternion_product(a, b)
        return q / torch.linalg.vector_norm(q, dim=-1, keepdim=True)

    def inverse(self, a: Tensor) -> Tensor:
        """Conjugate quaternion."""
        return quaternion_conjugate(a)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Gaussian vectors over their length (Marsaglia 1972)."""
        q = torch.randn(count, 4, generator=generator, dtype=torch.float64, device="cpu")
        return q / torch.linalg.vector_norm(q, dim=-1, keepdim=True)

    def grid(self, count: int | None = None) -> Tensor:
        """``count`` well-spread rotations on a super-Fibonacci spiral (Alexa, CVPR 2022).

        Raises:
            ValueError: without a positive number.
        """
        if not count or count < 1:
            raise ValueError(f"SO3 is infinite: grid needs the number of elements, got {count!r}")
        return torch.from_numpy(_spiral(count).copy())

    @property
    def generators(self) -> Tensor:
        """One radian about x3 and about x1: together dense in the group."""
        c, s = np.cos(0.5), np.sin(0.5)
        return torch.from_numpy(np.array([[c, 0.0, 0.0, s], [c, s, 0.0, 0.0]]))

    def haar(self, frequency: int) -> tuple[Tensor, Tensor]:
        """Product rule: equal steps about x3 on both sides, Gauss-Legendre in the cosine of the tilt between."""
        elements, weights = _product_rule(frequency)
        return torch.from_numpy(elements.copy()), torch.from_numpy(weights.copy())

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        """Equal up to sign, to 1e-9."""
        near = torch.minimum((a - b).abs().amax(-1), (a + b).abs().amax(-1))
        return near < 1e-9

    @property
    def dimension(self) -> int:
        """Space."""
        return 3

    def natural_action(self, g: Tensor) -> Tensor:
        """Rotation matrices; differentiable in the quaternion."""
        return quaternion_to_matrix(g)

    def from_action(self, matrix: Tensor) -> Tensor:
        """Quaternion of a rotation matrix. Raises ``ValueError`` if it is none."""
        if matrix.shape[-2:] != (3, 3):
            return super().from_action(matrix)
        require_orthogonal(self, matrix)
        if bool((torch.linalg.det(matrix) < 0).any()):
            raise ValueError(
                f"{self.name} holds rotations only, got a matrix of determinant -1; use O3 for reflections"
            )
        return matrix_to_quaternion(matrix)

    def element(self, quaternion: Tensor) -> Tensor:
        """Elements from any quaternions ``[..., 4]``. Raises ``ValueError`` for a zero norm."""
        return check_quaternion(quaternion.double(), self.name)

    def irrep_ids(self, max_frequency: int | None = None) -> tuple[str, ...]:
        """``"0", "1", ...``. Raises ``ValueError`` without ``max_frequency``."""
        if max_frequency is None or max_frequency < 0:
            raise ValueError(
                f"SO3 has irreps of every degree: give max_frequency >= 0, for example SO3().irreps(3), "
                f"got {max_frequency!r}"
            )
        return tuple(str(l) for l in range(max_frequency + 1))

    def irrep_info(self, id: str) -> IrrepInfo:
        """All irreps are of real type."""
        if not is_number(id):
            raise unknown_irrep(self, id, "'0', '1', '2', ...")
        size = 2 * int(id) + 1
        return IrrepInfo(id, size, 1, int(id), np.eye(size)[None])

    def irrep_matrix(self, id: str, g: Tensor) -> Tensor:
        """Wigner matrix of degree l; differentiable."""
        return wigner_d(g, self.irrep_info(id).frequency)[0]

    def irrep_product(self, a: str, b: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Every degree from ``|l - k|`` to ``l + k``, once."""
        l, k = self.irrep_info(a).frequency, self.irrep_info(b).frequency
        ids = tuple(str(t) for t in range(abs(l - k), l + k + 1))
        return ids, couplings_matrix(l, k)


@lru_cache(maxsize=1024)
def couplings_matrix(first: int, second: int) -> np.ndarray:
    """Orthogonal change of basis ``[(2 l + 1)(2 k + 1), same]`` from the product of two degrees to their sum."""
    return np.concatenate([c.reshape(len(c), -1) for c in couplings(first, second)]).T.copy()


def require_orthogonal(group: Group, matrix: Tensor) -> None:
    """Raises ``ValueError`` unless the matrices ``[..., 3, 3]`` are orthogonal to 1e-6."""
    error = (matrix @ matrix.mT - torch.eye(3, dtype=matrix.dtype, device=matrix.device)).abs()
    if matrix.numel() and not bool((error < 1e-6).all()):
        raise ValueError(
            f"{group.name}: expected orthogonal 3x3 matrices, got one that is off by {float(error.max()):.1e}; "
            f"orthogonalise it, for example by convert_rotation(m.flatten(-2), '9d', 'matrix')"
        )


@lru_cache(maxsize=64)
def _spiral(count: int) -> np.ndarray:
    """Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3)", CVPR 2022, algorithm 1."""
    s = np.arange(count) + 0.5
    inner, outer = np.sqrt(s / count), np.sqrt(1 - s / count)
    a, b = 2 * np.pi * s / np.sqrt(2.0), 2 * np.pi * s / 1.533751168755204288118041
    q = np.stack([inner * np.sin(a), inner * np.cos(a), outer * np.sin(b), outer * np.cos(b)], -1)
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


@lru_cache(maxsize=64)
def _product_rule(frequency: int) -> tuple[np.ndarray, np.ndarray]:
    steps, rings = frequency + 1, frequency // 2 + 1
    height, weight = np.polynomial.legendre.leggauss(rings)
    turn = 2 * np.pi * np.arange(steps) / steps
    a, b, c = np.meshgrid(turn, np.arccos(height), turn, indexing="ij")
    low, high = (a + c) / 2, (a - c) / 2
    q = np.stack(
        [
            np.cos(b / 2) * np.cos(low),
            -np.sin(b / 2) * np.sin(high),
            np.sin(b / 2) * np.cos(high),
            np.cos(b / 2) * np.sin(low),
        ],
        -1,
    )
    weights = np.broadcast_to(weight[None, :, None] / (2 * steps**2), b.shape)
    return q.reshape(-1, 4), weights.reshape(-1).copy()
