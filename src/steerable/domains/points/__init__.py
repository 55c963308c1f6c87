"""Clouds of points: which points are near which, in one graph or in many, with or without periodic cells."""

from steerable.domains.points.cloud import Points as Points
from steerable.domains.points.neighbourhood import Neighbourhood as Neighbourhood
