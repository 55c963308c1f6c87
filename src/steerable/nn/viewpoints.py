"""Parts of an image seen from several sides: what Dieleman et al. show to one shared network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.group import Group


class ViewpointExtractor(nn.Module):
    """Overlapping corners of an image, each turned so that its centre lies in the same corner.

    For each element g of the group and each view angle a, one part: the upper left corner of the image moved by
    ``R(a) g^-1``. So the part of ``h x`` at g is the part of ``x`` at ``h^-1 g``, to the last bit: **turning the image
    permutes the parts, and what one network says of each part is a regular field** of the group. The published network
    has D(4) and the views 0 and 45 degrees, 16 parts.

    Args:
        views: angles in degrees by which the whole image is turned first, bilinearly (quarter turns are exact).
        mirror: parts of the mirrored image, too: the group is D(4), else C(4).
        part: side of a part in pixels.
        side: side of the centred square that is cut into parts; None: all of the image. With a larger image the
            corners of a turned view hold sky instead of zeros.

    Attributes:
        group: D(4) or C(4).

    Raises:
        ValueError: no view, an angle that is no number, a part below 1 pixel or above `side`.

    Source: S. Dieleman, K. W. Willett and J. Dambre, MNRAS 450, 1441 (2015), arXiv 1503.07077, section 6.2.
    """

    def __init__(
        self, views: Sequence[str | float] = ("0", "45"), mirror: bool = True, part: int = 45, side: int | None = None
    ) -> None:
        super().__init__()
        try:
            self.views = tuple(float(v) for v in views)
        except (TypeError, ValueError):
            raise ValueError(f"ViewpointExtractor: got views={views!r}; expected angles in degrees") from None
        if not self.views or not all(map(math.isfinite, self.views)):
            raise ValueError(f"ViewpointExtractor: got views={views!r}; expected at least one angle in degrees")
        if part < 1 or (side is not None and part > side):
            raise ValueError(f"ViewpointExtractor: got part={part}, side={side}; expected 1 <= part <= side")
        self.mirror, self.part, self.side = bool(mirror), int(part), side
        self.group: Group = D(4) if mirror else C(4)

    @property
    def count(self) -> int:
        """Number of parts: views times elements of the group."""
        return len(self.views) * (self.group.order or 1)

    @property
    def type(self) -> FieldType:
        """Type of one number for each part: a regular field for each view."""
        return len(self.views) * self.group.regular

    def permutation(self, g: int | Tensor) -> Tensor:
        """Return where the parts of a moved image stand in those of the image, int64 ``[count]``.

        ``extract(g x) == extract(x)[:, permutation(g)]``.

        Args:
            g: number of the element of :attr:`group` by which the image is moved.
        """
        elements = self.group.elements
        order = self.group.compose(self.group.inverse(torch.as_tensor(g)).expand_as(elements), elements)
        return torch.cat([order + len(elements) * v for v in range(len(self.views))])

    def forward(self, x: Tensor) -> Tensor:
        """Cut images.

        Args:
            x: ``[B, C, S, S]``.

        Returns:
            ``[B, count, C, part, part]``: view after view, the elements of the group in their order.

        Raises:
            ValueError: images that are not square or smaller than a part.
        """
        height, width = x.shape[-2:]
        side = self.side or height
        if x.ndim != 4 or height != width or side > height or self.part > side:
            raise ValueError(
                f"ViewpointExtractor: images of shape {tuple(x.shape)}; expected [B, C, S, S] with S at least "
                f"{self.side or self.part}, for parts of {self.part} pixels. Crop or pad them to squares."
            )
        # all eight lattice views first: the corner of R(a) g^-1 x is then the same computation for every g
        moved = [self._inverse(x, r, s) for s in range(1 + self.mirror) for r in range(4)]
        cut = slice((height - side) // 2, (height - side) // 2 + self.part)
        parts = []
        for angle in self.views:
            if angle % 360 == 0:
                parts += [m[..., cut, cut] for m in moved]
            else:
                grid = self._grid(angle, side, height, x).expand(len(x) * len(moved), -1, -1, -1)
                turned = F.grid_sample(torch.cat(moved), grid, "bilinear", "zeros", align_corners=True)
                parts += turned.split(len(x))
        return torch.stack(parts, 1)

    @staticmethod
    def _inverse(x: Tensor, quarter: int, flip: int) -> Tensor:
        """``g^-1 x`` for ``g = R(90 deg)^quarter F^flip``."""
        x = torch.rot90(x, -quarter, (-2, -1))
        return x.flip(-2) if flip else x

    def _grid(self, angle: float, side: int, width: int, x: Tensor) -> Tensor:
        """Where the pixels of the corner of the turned image come from, ``[1, part, part, 2]`` in [-1, 1]."""
        place = torch.arange(self.part, device=x.device, dtype=x.dtype) - (side - 1) / 2
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        column, row = place[None, :], place[:, None]
        # (R f)(p) = f(R^-1 p), written for rows that grow down: x1 = column, x2 = -row
        source = torch.stack((c * column - s * row, s * column + c * row), -1)
        return (source * (2 / max(width - 1, 1)))[None]

    def extra_repr(self) -> str:
        """Arguments, for printing."""
        return f"views={self.views}, mirror={self.mirror}, part={self.part}, side={self.side}"
