"""Why a fit ended, in plain words."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["LEAST_SIGNAL", "noise_limit", "reasons"]

LEAST_SIGNAL = 60.0
"""What fourteen free numbers win in chi2 from an image of pure noise stays below this."""

_PEAK = 8.0  # sigma of a mean over 3 x 3 pixels from which a single place is named


def noise_limit(counted: Tensor) -> Tensor:
    """[B] chi2 per pixel that noise alone does not exceed on `counted` [B] pixels: five standard deviations."""
    return 1.0 + 5.0 * (2.0 / counted.double()).sqrt()


def _where(residual: Tensor, counted: Tensor, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """(significance, x, y) of the strongest excess of light over the model in a mean over 3 x 3 pixels."""
    seen = torch.where(counted, residual, torch.zeros_like(residual)).double()
    mean = torch.nn.functional.avg_pool2d(seen[None, None], 3, 1, 1)[0, 0] * 3.0
    best = int(mean.argmax())
    return float(mean.flatten()[best]), float(x.flatten()[best]), float(y.flatten()[best])


def reasons(
    parameters: Tensor,
    chi2: Tensor,
    signal: Tensor,
    settled: Tensor,
    iterations: Tensor,
    touched: list[str],
    residual: Tensor,
    mask: Tensor,
    x: Tensor,
    y: Tensor,
    lens_light: bool,
) -> tuple[str, ...]:
    """One sentence per image; "converged" alone is the good end.

    Args:
        parameters: [B, P], columns as in `scene.MACRO`.
        chi2: [B] over the counted pixels.
        signal: [B] by how much it is below that of an empty image.
        settled: [B] bool, whether the steps ended at a minimum.
        iterations: [B].
        touched: for each image the name of a parameter at its bound, or "".
        residual: [B, n, n] in units of the noise.
        mask: [B, n, n] bool.
        x: [n, n] pixel centres.
        y: [n, n].
        lens_light: whether light of the lens was fitted.
    """
    counted = mask.flatten(1).sum(1)
    limit = noise_limit(counted)
    words = []
    for i in range(parameters.shape[0]):
        if not float(signal[i]) > LEAST_SIGNAL:
            words.append(f"no lens: chi2 is only {float(signal[i]):.0f} below that of an empty image")
            continue
        word = "converged" if bool(settled[i]) else f"not converged after {int(iterations[i])} iterations"
        if touched[i]:
            word += f"; {touched[i]} is at its bound"
        per_pixel = float(chi2[i] / counted[i])
        if per_pixel > float(limit[i]):
            word += f"; more than noise is left (chi2 per pixel {per_pixel:.2f})"
            peak, px, py = _where(residual[i], mask[i], x, y)
            if peak > _PEAK:
                theta_e, cx, cy = float(parameters[i, 0]), float(parameters[i, 5]), float(parameters[i, 6])
                central = (px - cx) ** 2 + (py - cy) ** 2 < (0.4 * theta_e) ** 2
                place = f"({px:.1f}, {py:.1f}) arcsec"
                if central and not lens_light:
                    word += f": light at the lens {place}: fit lens_light or mask it"
                else:
                    word += f": most at {place}: a neighbour to mask, a second source, or one that is no Sersic"
        words.append(word)
    return tuple(words)
