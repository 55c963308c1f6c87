"""Sampled nonlinearities: what equivariance does not see."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated
from steerable.nn.adaptive_plan import moving_group
from steerable.nn.fourier_act import FourierAct
from steerable.nn.functional.frames import Frames


def grid_invariance_error(module: FourierAct, x: Tensor, elements: Iterable[Tensor] | None = None) -> Tensor:
    """How much a sampled activation depends on where its samples lie: ``|f_q(x) - f_qh(x)| / |f_q(x)|``.

    Adaptive sampling is equivariant at any number of samples, and yet the result depends on the frame q: the aliasing
    of the grid is still there, it only moves with the data. This is its size: the error that the same samples would
    have on a fixed grid. It falls with the number of samples, and is zero where the samples integrate exactly.

    Args:
        module: an activation over SO2, O2, SO3, O3 or a product of these with a finite group. Without a frame q is
            the identity, and the result the error of equivariance.
        x: input ``[B, C, ...]``.
        elements: the h; default eight random ones. Of a product, where there are frames, of its continuous factor.

    Returns:
        ``[n]`` float64, one relative L2 error for each h.

    Raises:
        ValueError: for a layer whose frames must be given.
    """
    group = module.in_type.group if module.plan is None else moving_group(module.in_type.group)
    if elements is None:
        elements = group.sample(8, torch.Generator().manual_seed(0))
    found = []
    with evaluated(module):
        if module.plan is not None:
            frames = module.frames(x)
            y = module(x, frames)
            for h in elements:
                moved = group.compose(frames.elements.double(), h.to(frames.elements.device)).to(x)
                found.append(relative_error(module(x, Frames(moved, frames.weight)), y))
        else:
            y = module(x)
            for h in elements:
                back = module(module.in_type.transform(x, group.inverse(h)))
                found.append(relative_error(module.in_type.transform(back, h), y))
    return torch.tensor(found, dtype=torch.float64)
