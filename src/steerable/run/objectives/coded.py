"""Compression: bits traded for errors."""

from __future__ import annotations

from torch import Tensor

from steerable.run.coded import coded_figures, square_error
from steerable.run.config import TrainConfig
from steerable.run.objectives.objective import pick


class Coded:
    """Bits a sample and the mean square error in units of 1/255, traded: what a codec is trained by.

    Args:
        trade: the weight of the error.
        train: how to train.
        areas: of the places ``[*places]``, mean 1; None: they count alike.

    Source: Balle et al., ICLR 2018, arXiv 1802.01436, equation 3.
    """

    def __init__(self, trade: float, train: TrainConfig, areas: Tensor | None = None) -> None:
        self.trade, self.areas = trade, areas
        self.select = pick("select", train.select, ("val_loss", "val_psnr", "val_rate"), "compression")
        pick("loss", train.loss, (), "compression")

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Return rate and distortion.

        Raises:
            ValueError: shapes that would broadcast.
        """
        if out.shape != y.shape or y.ndim < 3:
            raise ValueError(
                f"loss: the network answers {list(out.shape)} to values {list(y.shape)}; expected the same shape. Take "
                "a codec."
            )
        return out[:, -1].mean() + self.trade * 255**2 * square_error(out, y, self.areas).mean()

    def figures(self, out: Tensor, y: Tensor) -> dict[str, float]:
        """Return PSNR in decibels, bits a sample and the loss."""
        return {**{f"val_{k}": v for k, v in coded_figures(out, y, self.areas).items()},
                "val_loss": float(self.loss(out, y))}  # fmt: skip
