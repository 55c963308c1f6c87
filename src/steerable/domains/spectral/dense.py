"""Samplings without rings: analysis by weighted least squares with a dense matrix, for modest bands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from steerable.domains.spectral.circles import Circles, Constants
from steerable.domains.spectral.spin import SpinPlan, spin_mixing
from steerable.groups.profiles import profiles

#: numbers of one dense matrix, 512 MB in float64
LARGEST = 2**26
#: numbers of one that is kept: four fits, of two matrices each, take half a gigabyte at most
KEPT = 2**23


class DensePlan(SpinPlan):
    """The transform of fields of one spin on points anywhere, each a ring of its own."""

    tabulated = False

    def constants(self) -> dict[str, np.ndarray]:
        """The synthesis ``[samples, coefficients]`` and its weighted pseudo-inverse.

        Those of the last few plans are kept, unless they are large: both directions and every law ask for the same.

        Raises:
            ValueError: if the matrix would be too large, or the points do not determine the coefficients.
        """
        samples = len(self.circles.weight) * (2 if self.spin else 1)
        if samples * self.size > LARGEST:
            raise ValueError(
                f"{samples} numbers on points without rings and {self.size} coefficients of spin {self.spin} need a "
                f"dense matrix of {samples * self.size} entries, got a limit of {LARGEST}; expected a smaller band, "
                f"such as {max(1, int(np.sqrt(LARGEST / samples / 2)))}, or a sampling by rings"
            )
        fitted = _kept if samples * self.size <= KEPT else _fitted
        synthesis, analysis = fitted(_Fit(_digest(self.circles), self.spin, self.band, self))
        return {"synthesis": synthesis, "analysis": analysis}

    def matrix(self) -> np.ndarray:
        """Values ``[components samples, size]`` of every function."""
        plan, mixing = self.legendre, spin_mixing(self.spin)
        theta = torch.from_numpy(self.circles.colatitude)
        start = int(max(plan.m[0], plan.n[0]))
        a, b = (v.numpy() for v in profiles(theta, plan.m, plan.n, start, self.band))
        row = np.argsort(plan.m)
        angle = np.arange(self.band)[:, None] * self.circles.first
        cos, sin = np.cos(angle), np.sin(angle)
        out = []
        for l in range(self.spin, self.band):
            first, second, c, s = a[row[: l + 1], l - start], b[row[: l + 1], l - start], cos[: l + 1], sin[: l + 1]
            for copy in mixing:  # Re exp(i m phi) (k A + i k' B), times 1 and times -i
                real = np.stack([k * first * c - q * second * s for k, q in copy], 1)
                imaginary = np.stack([k * first * s + q * second * c for k, q in copy], 1)
                out.append(np.concatenate([imaginary[:0:-1], real]).reshape(2 * l + 1, -1))
        return np.concatenate(out).T

    def analyse(self, x: Tensor, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
        """``[B, r, *shape]`` to ``[B, size]``."""
        return x.flatten(1) @ constants["analysis"].T

    def synthesise(self, c: Tensor, constants: Constants, tables: tuple[Tensor, ...] = ()) -> Tensor:
        """``[B, size]`` to ``[B, r, *shape]``."""
        return (c @ constants["synthesis"].T).reshape(c.shape[0], 2 if self.spin else 1, *self.circles.shape)


@dataclass(frozen=True)
class _Fit:
    """A plan by value."""

    points: bytes
    spin: int
    band: int
    plan: DensePlan = field(compare=False)


def _digest(circles: Circles) -> bytes:
    numbers = np.concatenate([circles.colatitude, circles.first, circles.weight])
    return hashlib.sha256(np.ascontiguousarray(numbers).tobytes()).digest()


def _fitted(fit: _Fit) -> tuple[np.ndarray, np.ndarray]:
    """The synthesis and its weighted pseudo-inverse. Raises ``ValueError`` for points that do not determine it."""
    plan = fit.plan
    matrix = plan.matrix().T
    weighted = matrix * np.tile(plan.circles.weight / (4 * np.pi), 2 if plan.spin else 1)
    gram = weighted @ matrix.T
    try:
        lowest = float(np.diag(np.linalg.cholesky(gram)).min())
    except np.linalg.LinAlgError:
        lowest = 0.0
    if not lowest > 1e-3:
        raise ValueError(
            f"{len(plan.circles.weight)} points do not determine {plan.size} coefficients of spin {plan.spin} up "
            f"to band {plan.band}, got a smallest pivot of {lowest:.1e}; expected a smaller band or more points"
        )
    exact = np.abs(gram - np.eye(len(gram))).max() < 1e-10
    inverse = weighted if exact else np.linalg.solve(gram, weighted)
    return matrix.T, inverse


_kept = lru_cache(maxsize=4)(_fitted)
