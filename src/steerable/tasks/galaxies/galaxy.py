"""Made-up galaxies as numbers: what each consists of and how it is seen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.tasks.lensing.draw import image_seed

__all__ = ["KINDS", "ODDITIES", "Galaxies", "draw_galaxies"]

KINDS = ("smooth", "disc", "artifact")
#: in the order of the answers to question 8
ODDITIES = ("ring", "arc", "disturbed", "irregular", "other", "merger", "dust lane")
EDGE_BULGES = ("rounded", "boxy", "none")
CLUMPS = 10
_ARMS = (0.10, 0.45, 0.20, 0.12, 0.08, 0.05)  # how often 1 to 6 arms


@dataclass(frozen=True)
class Galaxies:
    """N galaxies. Lengths are in half sides of the image, angles in radians; everything is float64 ``[N]`` or int64.

    Attributes:
        kind: number in :data:`KINDS`.
        angle: position angle of the frame of the galaxy, counter-clockwise.
        mirror: 1, or -1 where the galaxy is seen from behind.
        offset: ``[N, 2]``: where its centre lies, to the right and up.
        size: half-light radius of a smooth galaxy, scale length of a disc.
        index: Sersic index of a smooth galaxy, or of the bulge.
        axis_ratio: of a smooth galaxy.
        cos_inclination: of a disc: 1 face-on, 0 edge-on.
        bulge: share of the light of a disc that is in its bulge.
        edge_bulge: number in :data:`EDGE_BULGES`, of discs seen edge-on.
        bar, bar_angle: strength (0: none) and angle in the disc.
        arms: number of spiral arms.
        pitch: their pitch angle.
        arm_strength: contrast (0: none).
        arm_phase: where they begin.
        odd: number in :data:`ODDITIES`, or -1.
        odd_angle, odd_size: where in the frame of the galaxy, and how large.
        blue: how young the disc is, 0 to 1.
        brightness: of the whole.
        clumps: ``[N, CLUMPS, 4]``: x, y, width and brightness of clumps, or of faint field objects.
        clump_kind: ``[N, CLUMPS]``: 1 where they belong to an irregular galaxy.
    """

    kind: Tensor
    angle: Tensor
    mirror: Tensor
    offset: Tensor
    size: Tensor
    index: Tensor
    axis_ratio: Tensor
    cos_inclination: Tensor
    bulge: Tensor
    edge_bulge: Tensor
    bar: Tensor
    bar_angle: Tensor
    arms: Tensor
    pitch: Tensor
    arm_strength: Tensor
    arm_phase: Tensor
    odd: Tensor
    odd_angle: Tensor
    odd_size: Tensor
    blue: Tensor
    brightness: Tensor
    clumps: Tensor
    clump_kind: Tensor

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, index: slice | Tensor | Sequence[int]) -> Galaxies:
        return Galaxies(**{f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self)})

    @property
    def visible(self) -> Tensor:
        """How much of what lies in the disc can be seen, 0 edge-on to 1 face-on, ``[N]``."""
        x = ((self.cos_inclination - 0.15) / 0.35).clamp(0, 1)
        return x * x * (3 - 2 * x)

    def turned(self, angle: float, flip: bool = False) -> Galaxies:
        """Return the same galaxies, the sky mirrored (x2 -> -x2) if asked and then turned counter-clockwise."""
        x, y = self.offset[:, 0], -self.offset[:, 1] if flip else self.offset[:, 1]
        c, s = math.cos(angle), math.sin(angle)
        own = -self.angle if flip else self.angle
        return dataclasses.replace(
            self,
            angle=own + angle,
            mirror=-self.mirror if flip else self.mirror,
            offset=torch.stack((c * x - s * y, s * x + c * y), -1),
        )


def draw_galaxies(indices: range | Sequence[int], seed: int = 0, split: str = "train") -> Galaxies:
    """Draw the galaxies number `indices`; each depends on (seed, split, its number) alone.

    Raises:
        ValueError: no indices.
    """
    if len(indices) == 0:
        raise ValueError(f"draw_galaxies: got no indices ({indices}); expected at least one galaxy")
    rows = []
    for i in indices:
        generator = torch.Generator().manual_seed(image_seed(seed, split, "galaxy", i, "shape"))
        rows.append(torch.rand(24 + 4 * CLUMPS, generator=generator, dtype=torch.float64))
    return _from_uniform(torch.stack(rows))


def _between(u: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * u


def _from_uniform(u: Tensor) -> Galaxies:
    """Galaxies out of uniform numbers ``[N, 24 + 4 CLUMPS]``."""
    kind = (u[:, 0] > 0.38).long() + (u[:, 0] > 0.95).long()
    disc = kind == 1
    zero = torch.zeros_like(u[:, 0])
    odd = torch.where((u[:, 1] < 0.22) & (kind < 2), (u[:, 2] * len(ODDITIES)).long(), -1)
    # oddities that are seen in one kind of galaxy only
    face_on = torch.isin(odd, torch.tensor([0, 3]))
    kind = torch.where(face_on, 1, kind)
    disc = kind == 1
    cosine = u[:, 3]
    cosine = torch.where(face_on, _between(cosine, 0.45, 1), cosine)
    cosine = torch.where((odd == 6) & disc, _between(cosine, 0.02, 0.15), cosine)
    arms = 1 + (u[:, 4, None] > torch.tensor(_ARMS, dtype=torch.float64).cumsum(0)[:-1]).sum(-1)
    irregular = odd == 3
    bulge = torch.where(disc & ~irregular, 0.65 * u[:, 5] ** 1.5, zero)
    place = u[:, 24:].unflatten(1, (CLUMPS, 4))
    clumpy = irregular[:, None].expand(-1, CLUMPS)
    # clumps of an irregular galaxy lie close together; other objects in the field far out and few
    radius = torch.where(clumpy, 0.38 * place[..., 0].sqrt(), _between(place[..., 0], 0.45, 1.2))
    direction = 2 * math.pi * place[..., 1]
    width = torch.where(clumpy, _between(place[..., 2], 0.03, 0.10), _between(place[..., 2], 0.012, 0.035))
    few = torch.arange(CLUMPS) < (u[:, 6:7] * 5).long()
    light = torch.where(clumpy, _between(place[..., 3], 0.3, 1.0), 0.5 * place[..., 3] ** 2 * few)
    edge_bulge = torch.where(bulge < 0.06, 2, (u[:, 7] < 0.3).long())
    return Galaxies(
        kind=kind,
        angle=2 * math.pi * u[:, 8],
        mirror=torch.where(u[:, 9] < 0.5, -1.0, 1.0).double(),
        offset=0.03 * (2 * u[:, 10:12] - 1),
        size=torch.where(disc, _between(u[:, 12], 0.14, 0.23), _between(u[:, 12], 0.10, 0.24)),
        index=torch.where(disc, _between(u[:, 13], 1.5, 3.5), _between(u[:, 13], 1.5, 4.5)),
        axis_ratio=_between(u[:, 14], 0.28, 1.0),
        cos_inclination=cosine,
        bulge=bulge,
        edge_bulge=edge_bulge,
        bar=torch.where(disc & ~irregular & (u[:, 15] < 0.4), _between(u[:, 15] / 0.4, 0.5, 1.0), zero),
        bar_angle=math.pi * u[:, 16],
        arms=arms,
        pitch=torch.deg2rad(_between(u[:, 17], 8.0, 38.0)),
        arm_strength=torch.where(disc & ~irregular & (u[:, 18] < 0.72), _between(u[:, 18] / 0.72, 0.45, 1.0), zero),
        arm_phase=2 * math.pi * u[:, 19],
        odd=odd,
        odd_angle=2 * math.pi * u[:, 20],
        odd_size=u[:, 21],
        blue=u[:, 22],
        brightness=_between(u[:, 23], 0.6, 1.4),
        clumps=torch.stack((radius * direction.cos(), radius * direction.sin(), width, light), -1),
        clump_kind=clumpy.long(),
    )
