"""Numbers that tell nothing of orientation, for the linear floors: of point sets, and of the places of an image."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data import Clouds
from steerable.data.checks import field_type
from steerable.domains.sphere import parse_sphere
from steerable.tasks.floor import QUANTILES, image_statistics

# points of a cloud whose distances are measured, and places of a part to which a floor is fitted
MOST, PLACES = 128, 20_000


def cloud_statistics(x: Clouds) -> Tensor:
    """Statistics of point sets that rotations, reflections, translations and the order of points leave as they are.

    The number of points and the sum of each feature (of one-hot elements: their counts); roots of the eigenvalues of
    the gyration tensor; mean, spread and quantiles of the distance from the mean of the points; quantiles of the
    distances of pairs, the mean of their inverse, and the shares of short ones.

    Args:
        x: N point sets.

    Returns:
        ``[N, 2 C + n + 24]``, float64.
    """
    ends = x.ptr.tolist()
    positions, features = x.positions.detach().double().cpu(), x.features.double().cpu()
    return torch.stack([_cloud(features[a:b], positions[a:b]) for a, b in itertools.pairwise(ends)])


def _cloud(features: Tensor, p: Tensor) -> Tensor:
    count = len(p)
    away = p - p.mean(0)
    gyration = torch.linalg.eigvalsh(away.T @ away / count).clamp_min(0).sqrt()
    radius = away.norm(dim=-1)
    some = p[:: -(-count // MOST)]
    pairs = torch.pdist(some) if len(some) > 1 else p.new_zeros(1)
    short = (pairs[:, None] < p.new_tensor([1.2, 1.7, 2.7, 4.0])).double().sum(0)  # bonds, and next neighbours
    q = p.new_tensor(QUANTILES)
    return torch.cat([
        p.new_tensor([count, radius.mean(), radius.std(unbiased=False), float(count) ** 0.5]),
        features.sum(0), features.mean(0), gyration, torch.quantile(radius, q), torch.quantile(pairs, q),
        (1 / pairs.clamp_min(1e-3)).sum()[None], (1 / pairs.clamp_min(1e-3)).mean()[None], short,
    ])  # fmt: skip


def place_statistics(x: Tensor) -> Tensor:
    """Statistics of the surroundings of every pixel or voxel, which symmetries of the grid leave as they are.

    Of each channel: the value, mean and spread over windows of 3, 5 and 9, and the mean of the whole; and the distance
    from the centre.

    Args:
        x: ``[N, C, H, W]`` or ``[N, C, D, H, W]``.

    Returns:
        A row for each place of each image: ``[N H W, 8 C + 1]``, float64.
    """
    dimensions = x.ndim - 2
    x = x.double()
    pool = F.avg_pool2d if dimensions == 2 else F.avg_pool3d
    found = [x, x.flatten(2).mean(-1).view(*x.shape[:2], *[1] * dimensions).expand_as(x)]
    odd = (min(x.shape[2:]) - 1) // 2 * 2 + 1
    for window in (min(w, odd) for w in (3, 5, 9)):
        mean, square = (pool(v, window, 1, window // 2, count_include_pad=False) for v in (x, x.square()))
        found += [mean, (square - mean.square()).clamp_min(0).sqrt()]
    line = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in x.shape[2:]]
    radius = torch.stack(torch.meshgrid(*line, indexing="ij")).square().sum(0).sqrt()
    found.append(radius.expand(len(x), 1, *radius.shape))
    return torch.cat(found, 1).movedim(1, -1).flatten(0, -2)


def some_places(
    x: Tensor, y: Tensor, statistics: Callable[[Tensor], Tensor] = place_statistics
) -> tuple[Tensor, Tensor]:
    """Return statistics and answers of evenly spread places that have one, as many as a floor is fitted to.

    Args:
        x: ``[N, C, *places]``.
        y: labels of all places ``[N, *places]``, -1 where there is none; or values ``[N, K, *places]``, NaN where there
            is none.
        statistics: of all places of samples.

    Returns:
        ``[M, F]``, and ``[M]`` or ``[M, K]``.
    """
    values = y.is_floating_point()
    rows_of = y.movedim(1, -1).flatten(1, -2) if values else y.flatten(1)
    each = max(1, PLACES // len(x))
    total = rows_of.shape[1]
    at = torch.arange(min(each, total)) * total // min(each, total)
    rows, labels = [], []
    for k in range(min(len(x), PLACES)):
        # another start in each image: the same row of voxels says less
        place = (at + 7919 * k) % total
        answer = rows_of[k, place]
        known = torch.isfinite(answer).all(-1) if values else answer >= 0
        rows.append(statistics(x[k : k + 1])[place[known]])
        labels.append(answer[known])
    return torch.cat(rows), torch.cat(labels)


def find_statistics(kind: str, sampling: str = "", type: str = "", channels: int = 1) -> Callable[..., Tensor]:
    """Return statistics by name: ``image``, ``cloud``, ``place``; ``sphere`` and ``sphere_place`` of a sampling.

    Args:
        kind: the name.
        sampling: of the sphere.
        type: of the fields there.
        channels: of the fields there.

    Raises:
        ValueError: for another name.
    """
    if kind in ("sphere", "sphere_place"):
        from steerable.tasks.sky.harmonics import place_numbers, sphere_statistics

        sphere, fields = parse_sphere(sampling), field_type(type, channels, "statistics")
        function = sphere_statistics if kind == "sphere" else place_numbers
        return lambda x: function(x, sphere, fields)
    known: Mapping[str, Callable[..., Tensor]] = {
        "image": image_statistics, "cloud": cloud_statistics, "place": place_statistics
    }  # fmt: skip
    if kind not in known:
        raise ValueError(f"statistics '{kind}'; expected one of {', '.join(known)}, sphere or sphere_place")
    return known[kind]
