"""Point sets of simple shapes, seen from any side: two of them are mirror images of each other."""

from steerable.tasks.shapes.dataset import shapes as shapes
from steerable.tasks.shapes.surfaces import SHAPES as SHAPES
