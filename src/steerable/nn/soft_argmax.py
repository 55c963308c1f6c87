"""Where a heat map has its mass: a differentiable position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def centroid(mass: Tensor, periodic: bool) -> Tensor:
    """Mean position of masses ``[..., n]`` that add to one, on n cells of ``[-1, 1]``.

    On a periodic axis it is the direction of the mean unit vector, as a fraction of a half turn; 0 where that vector
    vanishes.
    """
    n = mass.shape[-1]
    place = (torch.arange(n, dtype=mass.dtype, device=mass.device) + 0.5) * (2 / n) - 1
    if not periodic:
        return (mass * place).sum(-1)
    angle = torch.pi * place
    x, y = (mass * angle.cos()).sum(-1), (mass * angle.sin()).sum(-1)
    lost = x.square() + y.square() < 1e-20
    return torch.atan2(torch.where(lost, 0.0, y), torch.where(lost, 1.0, x)) / torch.pi


def _keep(logits: Tensor, margins: Sequence[int]) -> Tensor:
    """Minus infinity within ``margins`` cells of the ends of the last axes."""
    for axis, margin in zip(range(-len(margins), 0), margins, strict=True):
        n = logits.shape[axis]
        if n <= 2 * margin:
            raise ValueError(f"soft argmax: {n} cells have margins of {margin}; expected more than {2 * margin} cells")
        if margin:
            cell = torch.arange(n, device=logits.device)
            out = (cell < margin) | (cell >= n - margin)
            logits = logits.masked_fill(out if axis == -1 else out[:, None], -torch.inf)
    return logits


class SoftArgmax1d(nn.Module):
    """Logits ``[..., n]`` to positions ``[...]`` in ``[-1, 1]``: the mean place under their softmax.

    A shift of the logits shifts the position **exactly on a periodic axis only**. On others the border interferes:
    cells near it see padding, and what passes it is lost. ``margin`` leaves such cells out; a concentrated heat map
    whose peak stays within what is left follows a shift well.

    Args:
        periodic: whether the last cell is next to the first.
        margin: cells at each end that are left out; none on a periodic axis.

    Raises:
        ValueError: for a margin on a periodic axis or below 0; in forward, for an axis without other cells.
    """

    def __init__(self, periodic: bool = False, margin: int = 0) -> None:
        super().__init__()
        if margin < 0 or (periodic and margin):
            raise ValueError(
                f"SoftArgmax1d: got margin={margin}, periodic={periodic}; expected at least 0, and 0 if periodic"
            )
        self.periodic, self.margin = periodic, margin

    def forward(self, logits: Tensor, valid: Tensor | None = None) -> Tensor:
        """Positions; cells where ``valid`` (bool, broadcasts to the logits) is false carry no mass."""
        logits = _keep(logits, (self.margin,))
        if valid is not None:
            logits = logits.masked_fill(~valid, -torch.inf)
        return centroid(logits.softmax(-1), self.periodic)

    def extra_repr(self) -> str:
        """Options, for printing."""
        return f"periodic={self.periodic}, margin={self.margin}"


class SoftArgmax2d(nn.Module):
    """Logits ``[..., n, m]`` to positions ``[..., 2]`` in ``[-1, 1]^2``: along the rows' axis, then the columns'.

    See :class:`SoftArgmax1d` for what is exact. J. Henriques and A. Vedaldi, arXiv 1609.04382, section 5.1.

    Args:
        periodic: for each axis, whether its last cell is next to its first.
        margin: cells left out at each end of the axes that are not periodic.

    Raises:
        ValueError: for anything but two flags, or a margin below 0; in forward, for an axis without other cells.
    """

    def __init__(self, periodic: Sequence[bool] = (False, False), margin: int = 0) -> None:
        super().__init__()
        if len(periodic) != 2 or margin < 0:
            raise ValueError(
                f"SoftArgmax2d: got periodic={periodic}, margin={margin}; expected two flags and at least 0"
            )
        self.periodic, self.margin = (bool(periodic[0]), bool(periodic[1])), margin

    def forward(self, logits: Tensor, valid: Tensor | None = None) -> Tensor:
        """Positions; cells where ``valid`` (bool, broadcasts to the logits) is false carry no mass."""
        logits = _keep(logits, [0 if p else self.margin for p in self.periodic])
        if valid is not None:
            logits = logits.masked_fill(~valid, -torch.inf)
        mass = logits.flatten(-2).softmax(-1).unflatten(-1, logits.shape[-2:])
        return torch.stack((centroid(mass.sum(-1), self.periodic[0]), centroid(mass.sum(-2), self.periodic[1])), -1)

    def extra_repr(self) -> str:
        """Options, for printing."""
        return f"periodic={self.periodic}, margin={self.margin}"
