"""Features of an image put on the half of a sphere that it shows."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere, parse_sphere
from steerable.nn.constants import ConstantModule


class SphereProjection(ConstantModule):
    """Orthographic: the sample ``(x1, x2, x3)`` with x3 > 0 sees the image at ``coverage (x1, x2)`` of half its side.

    Its value is the mean over pixels under a Gaussian window, normalised. The other half of the sphere is unseen and
    left out: the output holds the samples :attr:`front`. x1 is right, x2 up, x3 towards the camera.

    Args:
        sphere: any sampling, or its name.
        side: of the square feature maps, in pixels.
        coverage: radius of the sphere as a share of half the side.
        sigma: of the window in pixels of the feature map.

    Raises:
        ValueError: for another range.

    Source: Klee, Biza, Platt and Walters, "Image to Icosahedral Projection for SO(3) Object Reasoning from Single-View
    Images", 2022, arXiv 2207.08925, section 4.
    """

    def __init__(self, sphere: Sphere | str, side: int, coverage: float = 0.9, sigma: float = 0.2) -> None:
        super().__init__()
        if side < 1 or not 0 < coverage <= 1 or sigma <= 0:
            raise ValueError(
                f"SphereProjection: side {side}, coverage {coverage}, sigma {sigma}; expected at least one pixel, a "
                f"share of at most 1, and a positive width"
            )
        self.sphere, self.side = parse_sphere(sphere), side
        points = self.sphere.points().reshape(-1, 3)
        front = (points[:, 2] > 1e-9).nonzero()[:, 0]
        self.register_buffer("front", front, persistent=False)
        middle = (2 * torch.arange(side, dtype=torch.float64) + 1) / side - 1  # of pixels, in halves of the side
        across = coverage * points[front, 0, None] - middle
        up = coverage * points[front, 1, None] + middle
        square = (up.square()[:, :, None] + across.square()[:, None]) * (side / 2) ** 2
        self.register_constant("_window", torch.softmax(-square.flatten(1) / (2 * sigma**2), 1).T)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, side, side]`` to ``[B, C, len(front)]``.

        Raises:
            ValueError: for maps of another size.
        """
        if not torch.compiler.is_compiling() and tuple(x.shape[2:]) != (self.side, self.side):
            raise ValueError(
                f"SphereProjection: the features are {list(x.shape)}; expected [B, C, {self.side}, {self.side}]"
            )
        return x.flatten(2) @ self._window.to(x.dtype)

    def extra_repr(self) -> str:
        """Sampling and number of samples that are seen."""
        return f"{self.side} x {self.side} -> {len(self.front)} of {self.sphere!r}"
