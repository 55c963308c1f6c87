"""The score of the challenge and its two floors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from steerable.tasks.floor import LinearFloor, best_floor

__all__ = ["GalaxyFloors", "galaxy_rmse"]


def galaxy_rmse(pred: Tensor, labels: Tensor) -> float:
    """Return the root of the mean square error over all answers of all images, the score of the challenge.

    Args:
        pred: predicted labels ``[N, 37]``.
        labels: of the volunteers ``[N, 37]``.

    Raises:
        ValueError: shapes that differ.
    """
    if pred.shape != labels.shape or labels.ndim != 2:
        raise ValueError(
            f"galaxy_rmse: got predictions {list(pred.shape)} and labels {list(labels.shape)}; expected [N, 37] twice"
        )
    return float((pred.double() - labels.double()).square().mean().sqrt())


@dataclass(frozen=True)
class GalaxyFloors:
    """What a network has to clear.

    Attributes:
        mean: the constant predictor: the mean label of the training part, ``[37]``.
        linear: ridge regression on global statistics of the image, which know nothing of its pattern.
    """

    mean: Tensor
    linear: LinearFloor

    @staticmethod
    def fit(train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> GalaxyFloors:
        """Fit to images ``[N, C, H, W]`` and labels ``[N, 37]``; validation chooses the penalty."""
        (x, y), (vx, vy) = train, validation
        return GalaxyFloors(y.double().mean(0), best_floor((x, y.double()), (vx, vy.double())))

    def scores(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """Return the RMSE of both, ``constant`` and ``linear``, on other images."""
        return {
            "constant": galaxy_rmse(self.mean.expand(len(labels), -1), labels),
            "linear": galaxy_rmse(self.linear(images), labels),
        }
