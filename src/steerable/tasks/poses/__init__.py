"""Rotations of objects from single images: three lopsided shapes and a renderer of their depth."""

from steerable.tasks.poses.shapes import SHAPES as SHAPES
from steerable.tasks.poses.shapes import draw_views as draw_views
from steerable.tasks.poses.shapes import render_depth as render_depth
