"""Made-up galaxies with known answers, seeded one by one: images and labels as Galaxy Zoo would give them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.parts import Splits
from steerable.data.samples import Samples
from steerable.data.target import Target
from steerable.tasks.galaxies.galaxy import Galaxies, draw_galaxies
from steerable.tasks.galaxies.light import render_galaxies, stretch
from steerable.tasks.galaxies.tree import GalaxyZooTree
from steerable.tasks.galaxies.votes import answer_probabilities, cast_votes
from steerable.tasks.lensing.draw import image_seed

__all__ = ["SyntheticGalaxies", "galaxies_synthetic", "simulate_galaxies"]

LABELS = "galaxy_zoo"
_CHUNK = 64


def galaxy_target(tree: GalaxyZooTree) -> Target:
    """Return what 37 labels are called, and the head that makes them from the scores of a network."""
    return Target(LABELS, columns=tree.columns, head="galaxy_zoo" if tree.published else "galaxy_zoo_tree")


@dataclass(frozen=True)
class SyntheticGalaxies:
    """N made-up galaxies.

    Attributes:
        images: float32 ``[N, 3, pixels, pixels]`` in [0, 1].
        labels: float64 ``[N, 37]``.
        galaxies: what they are.
        tree: which labels these are.
    """

    images: Tensor
    labels: Tensor
    galaxies: Galaxies
    tree: GalaxyZooTree

    def __len__(self) -> int:
        return len(self.images)

    def data(self, source: str = "synthetic galaxies") -> Samples:
        """Return images and labels as training reads them."""
        return Samples(self.images, self.labels.float(), galaxy_target(self.tree), source)


def simulate_galaxies(
    count: int,
    seed: int = 0,
    split: str = "train",
    pixels: int = 69,
    noise: float = 0.012,
    psf_fwhm: float = 1.2,
    voters: int = 40,
    published: bool = True,
) -> SyntheticGalaxies:
    """Make galaxies; number i depends on (seed, split, i) alone, so a larger set begins with a smaller one.

    Args:
        count: N.
        seed: any integer.
        split: splits share no galaxy.
        pixels: side of the images.
        noise: of the linear intensities in each colour; a bright centre is near 1.
        psf_fwhm: of the seeing, in pixels.
        voters: volunteers a galaxy; 0: the probabilities themselves.
        published: labels with the quirk of question 6, see :class:`GalaxyZooTree`.

    Raises:
        InputError: numbers that cannot be.
    """
    if count < 1 or pixels < 8 or not noise >= 0 or voters < 0:
        raise InputError(
            f"galaxies: count {count}, pixels {pixels}, noise {noise}, voters {voters}; expected at least one galaxy "
            "of 8 pixels, noise and voters of 0 or more."
        )
    tree = GalaxyZooTree(published)
    images, labels, drawn = [], [], []
    for start in range(0, count, _CHUNK):
        indices = range(start, min(start + _CHUNK, count))
        galaxies = draw_galaxies(indices, seed, split)
        light = render_galaxies(galaxies, pixels, psf_fwhm)
        grain, uniform = [], []
        for i in indices:
            generator = torch.Generator().manual_seed(image_seed(seed, split, "galaxy", i, "noise"))
            grain.append(torch.randn(3, pixels, pixels, generator=generator, dtype=torch.float64))
            # voters draw from a generator of their own: the labels do not depend on the size of the image
            votes = torch.Generator().manual_seed(image_seed(seed, split, "galaxy", i, "votes"))
            uniform.append(torch.rand(voters, len(tree.questions), generator=votes, dtype=torch.float64))
        images.append(stretch(light + noise * torch.stack(grain)).float())
        p = answer_probabilities(galaxies)
        labels.append(cast_votes(p, tree, voters, torch.stack(uniform)) if voters else tree.weights(p))
        drawn.append(galaxies)
    names = Galaxies.__dataclass_fields__
    joined = Galaxies(**{name: torch.cat([getattr(g, name) for g in drawn]) for name in names})
    return SyntheticGalaxies(torch.cat(images), torch.cat(labels), joined, tree)


def galaxies_synthetic(
    root: str | None = None,
    train: int = 1000,
    validation: int = 200,
    test: int = 500,
    seed: int = 0,
    size: int = 69,
    noise: float = 0.012,
    voters: int = 40,
    published: bool = True,
) -> Splits:
    """Make three parts of galaxies that share none, for `steerable fit`.

    Args:
        root: not used.
        train, validation, test: how many.
        seed: of the galaxies.
        size: side of the images in pixels.
        noise, voters, published: of :func:`simulate_galaxies`.

    Raises:
        InputError: numbers that cannot be.
    """
    counts = {"train": train, "validation": validation, "test": test}
    parts = [
        simulate_galaxies(n, seed, split, size, noise, voters=voters, published=published).data(f"galaxies ({split})")
        for split, n in counts.items()
    ]
    return Splits(*parts)
