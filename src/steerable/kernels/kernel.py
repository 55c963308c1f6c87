"""The promise of a steerable kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from steerable.groups.representation import Representation


class SteerableKernel(ABC):
    """A linear space of maps from relative coordinates to matrices, ``kappa(h x) = rho_out(h) kappa(x) rho_in(h)^-1``.

    The angular part is solved, the radial part is learned. A kernel never asks which domain it is on: it is given
    points.

    Attributes:
        in_rep: representation of the input field.
        out_rep: representation of the output field.
    """

    in_rep: Representation
    out_rep: Representation

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of basis elements."""

    @abstractmethod
    def solve(self, values: np.ndarray) -> np.ndarray:
        """Basis ``[dim, d_out, d_in, N]`` (float64) where the scalar functions have the values ``[F, N]``."""

    @abstractmethod
    def sample(self, points: np.ndarray) -> np.ndarray:
        """Basis ``[dim, d_out, d_in, N]`` (float64) at relative coordinates ``[N, n]``."""
