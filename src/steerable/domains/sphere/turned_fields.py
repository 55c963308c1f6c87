"""Fields on the sphere turned by interpolation: nothing rings, but waves as short as two samples are smoothed."""

from __future__ import annotations

from torch import Tensor

from steerable.domains.sphere.neighbours import sphere_neighbours
from steerable.domains.sphere.regrid import LinearFit, fit_radius
from steerable.domains.sphere.sphere import Sphere
from steerable.fields.type import FieldType


class Turn:
    """``[g f](p) = rho(h) f(g^-1 p)`` for one matrix g, on any sampling, by a linear fit to the samples around g^-1 p.

    Exact for constants; the error of smooth fields falls with the square of the spacing. Frames are carried by parallel
    transport, so that fields of any spin turn as what they are.

    Args:
        sphere: the sampling.
        matrix: of a rotation ``[3, 3]``.
    """

    def __init__(self, sphere: Sphere, matrix: Tensor) -> None:
        self.sphere = sphere
        frames = sphere.frames().reshape(-1, 3, 3)
        # [g f](p) in the frame F(p) is f(g^-1 p) in the frame g^-1 F(p)
        back = matrix.to(frames).mT @ frames
        self.fit = LinearFit(sphere, sphere_neighbours(back, frames, sphere.flat_weights(), fit_radius(sphere)))

    def __call__(self, x: Tensor, type: FieldType) -> Tensor:
        """Turn fields ``[..., type.size, *shape]`` of SO2; what is not known is NaN, and so is what lies nearest to it.

        Raises:
            ValueError: a map of another length.
        """
        return self.fit(x, type).reshape(x.shape)

    def labels(self, y: Tensor) -> Tensor:
        """Move labels ``[..., *shape]``: each place takes that of the nearest sample, -1 where none is near."""
        return self.fit.labels(y).reshape(y.shape)
