"""Splits that stay the same on every machine and with every version of numpy or torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from steerable.data.errors import InputError


def picture_keys(x: Tensor) -> list[str]:
    """Return one key for each image of `x` ``[N, ...]``; two images have the same key only if all pixels agree."""
    flat = x.contiguous().flatten(1).cpu()
    return [hashlib.sha256(row.numpy().tobytes()).hexdigest() for row in flat]


def stratified_split(
    y: Tensor, fractions: Sequence[float], seed: int, keys: Sequence[str] | None = None
) -> list[Tensor]:
    """Divide ``range(N)`` into parts with the same share of each class in every part.

    The order within a class is that of a hash of the seed and the key, not of a random generator, so it depends on
    nothing but its arguments. Samples with the same key (the same picture twice) always come into the same part.

    Args:
        y: labels, int64 ``[N]``.
        fractions: the share of each part, positive, with sum 1.
        seed: another seed gives another division.
        keys: N keys; without them each sample is its own.

    Returns:
        For each part the sorted indices, int64 ``[M]``.

    Raises:
        InputError: fractions that are not positive or do not sum to 1, or a class too small to reach each part.
    """
    if any(f <= 0 for f in fractions) or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(f"split: fractions {list(fractions)}; expected positive numbers with sum 1.")
    names = [str(i) for i in range(len(y))] if keys is None else list(keys)
    parts: list[list[int]] = [[] for _ in fractions]
    edges = torch.tensor(list(fractions), dtype=torch.float64).cumsum(0).tolist()
    for label in y.unique().tolist():
        groups: dict[str, list[int]] = {}
        for i in (y == label).nonzero()[:, 0].tolist():
            groups.setdefault(names[i], []).append(i)
        total, done = sum(map(len, groups.values())), 0
        filled = [0] * len(parts)
        for key in sorted(groups, key=lambda k: hashlib.sha256(f"{seed}:{label}:{k}".encode()).hexdigest()):
            # the middle of the group decides, so that a group is never cut
            middle = (done + len(groups[key]) / 2) / total
            part = next((p for p, edge in enumerate(edges) if middle <= edge), len(parts) - 1)
            parts[part] += groups[key]
            filled[part] += len(groups[key])
            done += len(groups[key])
        if 0 in filled:
            raise InputError(
                f"split: class {label} has {total} different samples, too few for parts of {list(fractions)}; "
                "expected at least one sample in each part. Add samples or ask for fewer parts."
            )
    return [torch.tensor(sorted(p), dtype=torch.int64) for p in parts]


def value_bins(y: Tensor, bins: int = 4) -> Tensor:
    """Return for each value ``[N]`` the number of its share of the distribution, int64 in ``range(bins)``.

    So a split can be stratified by a value; equal values come into one bin, and bins of fewer than eight join.
    """
    bins = max(1, min(bins, len(y) // 8))
    edges = torch.quantile(y.double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1])
    found = torch.bucketize(y.double(), edges.unique(), right=True)
    for k in range(bins - 1, 0, -1):
        if (found == k).sum() < 8:
            found[found == k] = k - 1
    return found
