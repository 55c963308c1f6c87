"""Metrics of fields on the sphere by area: what crowds at the poles counts no more than the rest."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.domains.sphere import Sphere
from steerable.nn.sphere.loss import SphereLoss


class SphereConfusion(SphereLoss):
    """Area of every pair of a class and a predicted class, and what is told from it.

    Args:
        sphere: where fields lie, a sampling or its name.
        num_classes: K.
        mask: True where samples count.
        ignore: a class that does not count.

    Raises:
        ValueError: for fewer than one class, or a mask that leaves nothing.
    """

    def __init__(self, sphere: Sphere | str, num_classes: int, mask: Tensor | None = None, ignore: int = -100) -> None:
        super().__init__(sphere, mask)
        if num_classes < 1:
            raise ValueError(f"SphereConfusion: num_classes is {num_classes}; expected at least 1")
        self.num_classes, self.ignore = num_classes, ignore

    def forward(self, prediction: Tensor, classes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Areas ``[K, K]``, rows the class, columns the prediction, in spheres, summed over the batch.

        Args:
            prediction: classes ``[B, *sphere.shape]``, or logits ``[B, K, *sphere.shape]``.
            classes: ``[B, *sphere.shape]``.
            mask: of this batch.

        Raises:
            ValueError: for shapes that do not belong together, or samples that count and are of no class below K.
        """
        if prediction.dim() == classes.dim() + 1:
            prediction = prediction.argmax(1)
        self.check_pair(prediction, classes)
        shares = (self.areas(prediction, mask) * (classes != self.ignore)).flatten()
        kept = shares > 0
        k = self.num_classes
        if not torch.compiler.is_compiling():
            for name, given in (("classes", classes), ("predictions", prediction)):
                wrong = kept & ((given < 0) | (given >= k)).flatten()
                if bool(wrong.any()):
                    raise ValueError(
                        f"SphereConfusion: {name} hold {int(given.flatten()[wrong][0])} at {int(wrong.sum())} samples; "
                        f"expected 0 to {k - 1}, or ignore={self.ignore}, or a mask"
                    )
        known = (classes.flatten().clamp(0, k - 1) * k + prediction.flatten().clamp(0, k - 1)).long()
        return torch.zeros(k * k, dtype=shares.dtype, device=shares.device).index_add(
            0, torch.where(kept, known, 0), torch.where(kept, shares, 0.0)
        ).view(k, k)  # fmt: skip


def confusion_scores(areas: Tensor) -> dict[str, Tensor]:
    """Scores of a confusion ``[K, K]`` of areas, rows the class, columns the prediction.

    Returns:
        ``iou [K]`` and ``accuracy [K]`` of every class, NaN of those that are nowhere; their means over the others,
        ``mean_iou`` and ``mean_accuracy``; and the share of the area that is right, ``area_accuracy``.

    Raises:
        ValueError: for another shape.
    """
    if areas.dim() != 2 or areas.shape[0] != areas.shape[1]:
        raise ValueError(f"confusion_scores: areas are {list(areas.shape)}; expected [K, K] of SphereConfusion")
    right, truth, said = areas.diagonal(), areas.sum(1), areas.sum(0)
    iou, accuracy = right / (truth + said - right), right / truth
    return {
        "iou": iou,
        "accuracy": accuracy,
        "mean_iou": iou.nanmean(),
        "mean_accuracy": accuracy.nanmean(),
        "area_accuracy": right.sum() / areas.sum(),
    }


def ws_psnr(x: Tensor, y: Tensor, sphere: Sphere | str, peak: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio by area in dB, of each image of a batch ``[B]``.

    Args:
        x, y: ``[B, C, *sphere.shape]``.
        sphere: where they lie, a sampling or its name.
        peak: largest value of the signal: 255 of bytes.
        mask: True where samples count, ``[*sphere.shape]``.

    Raises:
        ValueError: for shapes that do not belong together, or a mask that leaves nothing.

    Source: Sun, Lu and Yu, "Weighted-to-Spherically-Uniform Quality Evaluation for Omnidirectional Video", IEEE SPL 24,
    2017; with the quadrature weights of any sampling.
    """
    loss = SphereLoss(sphere, mask).to(x.device, torch.float64)
    loss.check_pair(x, y)
    shares = loss.areas(x.double())
    error = torch.where(shares[:, None] > 0, (x.double() - y.double()).square(), 0.0).mean(1)  # bytes know no -1
    return 10 * torch.log10(peak**2 / (error * shares).flatten(1).sum(1))
