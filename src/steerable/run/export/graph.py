"""What is written: the preparation of the images, the baked networks, and the mean of their answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable.data import Recipe
from steerable.nn.bake import bake
from steerable.nn.module import EquivariantModule


class Graph(nn.Module):
    """Raw images in, one answer out, with nothing but ordinary layers inside.

    Args:
        networks: trained; they are baked, which copies them.
        recipe: what is done to the images first; empty: they come prepared.
        regression: the networks answer values and not logits.

    Raises:
        NotImplementedError: a layer that does not say how it is baked.
    """

    def __init__(self, networks: Sequence[nn.Module], recipe: Recipe, regression: bool) -> None:
        super().__init__()
        self.networks = nn.ModuleList([bake(network) for network in networks])
        self.recipe, self.regression = recipe, regression
        self.eval()
        # composites without a `bake` of their own stay as shells around baked layers: tracing leaves nothing of them
        left = [m for m in self.modules() if isinstance(m, EquivariantModule) and not list(m.children())]
        if left:
            names = ", ".join(sorted({type(m).__name__ for m in left}))
            raise NotImplementedError(f"these layers bake into themselves: {names}; expected plain modules")

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, C, H, W]`` to the answer, ``[N, K]``, and what each network says, ``[N, S, K]``.

        The answer is the mean over networks of the probabilities, or of the values; what each says are logits, or
        values. Volumes and fields on the sphere have other axes after C, and where there is an answer at every place,
        these follow K, too.
        """
        x = self.recipe(image)
        each = torch.stack([network(x) for network in self.networks], 1)
        return (each if self.regression else each.softmax(2)).mean(1), each
