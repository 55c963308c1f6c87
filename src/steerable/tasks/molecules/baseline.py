"""What each atom of an element contributes to a property, on average over the training molecules."""

from __future__ import annotations

import dataclasses

import torch

from steerable.data import Clouds, InputError, Samples, Splits

BASELINES = ("elements", "none")


def element_baseline(train: Samples) -> tuple[float, ...]:
    """Return the least-squares contribution of each feature of an atom to the values of training molecules.

    For one-hot elements this is the energy of an atom of each element; no constant is added, so that two molecules far
    apart have the sum of their energies. An element that never occurs contributes 0.

    Args:
        train: molecules, with one value each.
    """
    if not isinstance(train.x, Clouds) or train.target is None:
        raise InputError(f"{train.source}: {train.domain} data with {train.outputs} answers; expected molecules.")
    found = torch.linalg.lstsq(train.x.totals(), train.y.double()[:, None], driver="gelsd").solution[:, 0]
    return tuple(round(v, 6) for v in found.tolist())


def with_baseline(splits: Splits, kind: str) -> Splits:
    """Return the data with the baseline of its training part: ``elements``, or ``none``.

    Raises:
        InputError: another word.
    """
    if kind not in BASELINES:
        raise InputError(f"data.options.baseline is '{kind}'; expected one of {', '.join(BASELINES)}.")
    if kind == "none" or splits.target is None:
        return splits
    target = dataclasses.replace(splits.target, baseline=element_baseline(splits.train))
    parts = {p: dataclasses.replace(getattr(splits, p), meaning=target) for p in ("train", "val", "test")}
    return dataclasses.replace(splits, **parts)
