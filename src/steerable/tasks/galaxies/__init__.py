"""Galaxy Zoo: what would volunteers answer to this image of a galaxy?

The decision tree (`tree`), the adapter of the published files (`dataset`), made-up galaxies with known answers
(`galaxy`, `light`, `votes`, `synthetic`), the score and its floors (`score`), and which predictions to trust
(`filter`).
"""

from __future__ import annotations

from steerable.tasks.galaxies.dataset import GalaxyZooFiles, galaxy_zoo
from steerable.tasks.galaxies.filter import accuracy_curve, filter_confident, question_report
from steerable.tasks.galaxies.galaxy import KINDS, ODDITIES, Galaxies, draw_galaxies
from steerable.tasks.galaxies.light import render_galaxies
from steerable.tasks.galaxies.score import GalaxyFloors, galaxy_rmse
from steerable.tasks.galaxies.synthetic import SyntheticGalaxies, galaxies_synthetic, galaxy_target, simulate_galaxies
from steerable.tasks.galaxies.tree import GalaxyZooTree, Question
from steerable.tasks.galaxies.votes import answer_probabilities, cast_votes

__all__ = [
    "KINDS",
    "ODDITIES",
    "Galaxies",
    "GalaxyFloors",
    "GalaxyZooFiles",
    "GalaxyZooTree",
    "Question",
    "SyntheticGalaxies",
    "accuracy_curve",
    "answer_probabilities",
    "cast_votes",
    "draw_galaxies",
    "filter_confident",
    "galaxies_synthetic",
    "galaxy_rmse",
    "galaxy_target",
    "galaxy_zoo",
    "question_report",
    "render_galaxies",
    "simulate_galaxies",
]
