"""What volunteers answer to made-up galaxies: probabilities that follow from the shape, and votes drawn from them."""

from __future__ import annotations

import torch
from torch import Tensor

from steerable.tasks.galaxies.galaxy import ODDITIES, Galaxies
from steerable.tasks.galaxies.tree import GalaxyZooTree

__all__ = ["answer_probabilities", "cast_votes"]

_BULGES = (0.0, 0.12, 0.28, 0.5)  # share of light that is called none, just noticeable, obvious, dominant
_ROUNDS = (1.0, 0.65, 0.35)
_WINDINGS = (10.0, 20.0, 33.0)


def _two(yes: Tensor) -> Tensor:
    return torch.stack((yes, 1 - yes), -1)


def _near(value: Tensor, centres: tuple[float, ...], width: float) -> Tensor:
    """Shares ``[N, k]`` that fall off from the nearest centre."""
    distance = (value[:, None] - torch.tensor(centres, dtype=value.dtype)) / width
    return (-0.5 * distance.square()).softmax(-1)


def _chosen(which: Tensor, count: int, right: float) -> Tensor:
    """``[N, count]``: `right` for the true answer, the rest shared evenly; even where there is none (-1)."""
    other = (1 - right) / (count - 1)
    found = torch.full((len(which), count), other, dtype=torch.float64)
    found.scatter_(1, which.clamp_min(0)[:, None], right)
    return torch.where((which >= 0)[:, None], found, 1.0 / count)


def answer_probabilities(galaxies: Galaxies) -> Tensor:
    """Return the probability of each answer within its question, float64 ``[N, 37]``.

    They depend on the shape alone, not on how the galaxy is turned or mirrored: a disc seen at 75 degrees is edge-on
    for some volunteers, and faint arms are arms for some.
    """
    g = galaxies
    disc, artifact = (g.kind == 1).double(), (g.kind == 2).double()
    seen = g.visible
    edge = torch.where(g.kind == 1, torch.sigmoid((0.2 - g.cos_inclination) / 0.035), torch.tensor(0.03).double())
    arms, bar = g.arm_strength * seen, g.bar * seen
    features = torch.sigmoid(-2.6 + disc * (2.6 + 3.5 * arms + 1.5 * bar + 2.5 * edge - 1.5 * g.bulge))
    features = torch.where(torch.isin(g.odd, torch.tensor([0, 3])), 0.9, features)
    first = torch.stack((1 - features, features, torch.zeros_like(features)), -1)
    first = first * (0.98 - 0.93 * artifact[:, None])
    first[:, 2] = 0.02 + 0.93 * artifact
    spiral = torch.sigmoid((arms - 0.28) / 0.07) * 0.94 + 0.03
    count = _chosen(torch.where(arms > 0.05, g.arms.clamp_max(5) - 1, -1), 6, 0.85)
    unsure = (1 - arms).clamp(0.1, 1)[:, None] * 0.4
    count = (1 - unsure) * count + unsure * torch.eye(6, dtype=torch.float64)[5]
    parts = [
        first,
        _two(edge),
        _two(torch.sigmoid((bar - 0.3) / 0.08) * 0.92 + 0.03),
        _two(spiral),
        _near(g.bulge, _BULGES, 0.075),
        _two(torch.where(g.odd >= 0, 0.85, 0.06).double()),
        _near(g.axis_ratio, _ROUNDS, 0.12),
        _chosen(g.odd, len(ODDITIES), 0.88),
        _chosen(torch.where(g.kind == 1, g.edge_bulge, -1), 3, 0.85),
        _near(g.pitch.rad2deg(), _WINDINGS, 4.5),
        count,
    ]
    return torch.cat(parts, -1)


def cast_votes(p: Tensor, tree: GalaxyZooTree, voters: int, uniform: Tensor) -> Tensor:
    """Send volunteers down the tree and return the shares of all who gave each answer, ``[N, 37]``.

    Args:
        p: probabilities ``[N, 37]``.
        tree: which labels are made; their sums are exact.
        voters: V, at least 1.
        uniform: random numbers ``[N, V, 11]``.

    Raises:
        ValueError: no voters, or random numbers of another shape.
    """
    if voters < 1 or uniform.shape != (len(p), voters, len(tree.questions)):
        raise ValueError(
            f"cast_votes: got {voters} voters and random numbers {list(uniform.shape)}; expected at least one voter "
            f"and [{len(p)}, {voters}, {len(tree.questions)}]"
        )
    given: list[Tensor] = []
    for number, q in enumerate(tree.questions):
        edges = p[:, q.slice].cumsum(-1)[:, None, :-1]
        answer = (uniform[..., number, None] >= edges).sum(-1)
        one = torch.nn.functional.one_hot(answer, len(q.answers)).to(p)
        if q.parents and not (q.name == "odd" and tree.published):
            before = torch.cat(given, -1)
            one = one * before[..., list(q.parents)].sum(-1, keepdim=True)
        given.append(one)
    return torch.cat(given, -1).mean(1)
