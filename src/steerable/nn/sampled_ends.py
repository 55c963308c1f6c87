"""On which samples of the sphere a layer takes its input and gives its output."""

from __future__ import annotations

import torch
from torch import nn

from steerable.domains.sphere import Sphere
from steerable.fields.type import FieldType
from steerable.groups import SO3


def first_sphere(module: nn.Module) -> Sphere | None:
    """The samples that a layer, or the first sampled layer of a chain, reads; ``None`` where it does not say."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            found = first_sphere(layer)
            if found is not None or not keeps_samples(layer):
                return found
        return None
    if parts := _side_by_side(module):
        return next((found for part in parts if (found := first_sphere(part)) is not None), None)
    found = getattr(module, "sphere", None)
    return found if isinstance(found, Sphere) and _sampled(module, "in_type") else None


def last_sphere(module: nn.Module) -> Sphere | None:
    """The samples that a layer, or the last sampled layer of a chain, gives its output on; ``None`` as above."""
    if isinstance(module, nn.Sequential):
        for layer in reversed(list(module)):
            found = last_sphere(layer)
            if found is not None or not keeps_samples(layer):
                return found
        return None
    if parts := _side_by_side(module):
        return next((found for part in parts if (found := last_sphere(part)) is not None), None)
    found = getattr(module, "targets", getattr(module, "sphere", None))
    return found if isinstance(found, Sphere) and _sampled(module, "out_type") else None


def keeps_samples(module: nn.Module) -> bool:
    """Whether a layer without a sampling leaves its fields where they are: a typed one of the library does."""
    if parts := list(module) if isinstance(module, nn.Sequential) else _side_by_side(module):
        return all(keeps_samples(part) for part in parts)
    known = _own(module) and type(module).__name__ != "Plain"
    return known and _sampled(module, "in_type") and _sampled(module, "out_type")


def same_samples(a: Sphere, b: Sphere) -> bool:
    """Whether two samplings have the same points in the same order, whatever their weights."""
    return a == b or (a.shape == b.shape and torch.allclose(a.angles(), b.angles(), rtol=0, atol=1e-9))


def _side_by_side(module: nn.Module) -> list[nn.Module]:
    """The parts of a layer whose outputs of one input are joined or added, less a shortcut, which may have no type."""
    if not _own(module):
        return []
    branches, body = getattr(module, "branches", None), getattr(module, "body", None)
    if isinstance(branches, nn.ModuleList):
        return list(branches)
    return [body] if isinstance(body, nn.Module) and hasattr(module, "shortcut") else []


def _own(module: nn.Module) -> bool:
    return type(module).__module__.startswith("steerable.")


def _sampled(module: nn.Module, end: str) -> bool:
    found = getattr(module, end, None)
    return isinstance(found, FieldType) and found.group != SO3()
