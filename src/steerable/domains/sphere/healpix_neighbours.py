"""The eight neighbours of HEALPix pixels, by walking over the borders of the twelve base pixels."""

from __future__ import annotations

import numpy as np

#: steps to SW, W, NW, N, NE, E, SE, S as (x, y)
STEPS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))

Place = tuple[np.ndarray, np.ndarray, np.ndarray]


def neighbour(nside: int, place: Place, step: tuple[int, int]) -> tuple[Place, np.ndarray]:
    """Pixels ``(face, x, y)`` one step away, and whether there is one.

    A diagonal step is one along x and one along y. Where three base pixels meet, the two orders end in different
    pixels, both of them neighbours already: there is none between them.
    """
    dx, dy = step
    if dx == 0 or dy == 0:
        found, _ = _walk(nside, place, dx, dy)
        return found, np.ones(place[0].shape, bool)
    first, second = _around(nside, place, (dx, 0), (0, dy)), _around(nside, place, (0, dy), (dx, 0))
    same = np.all([a == b for a, b in zip(first, second, strict=True)], axis=0)
    return first, same


def _around(nside: int, place: Place, one: tuple[int, int], two: tuple[int, int]) -> Place:
    """Two steps, the second turned as the axes of the base pixel are into which the first one led."""
    there, turn = _walk(nside, place, *one)
    dx, dy = two
    straight = turn == 0
    return _walk(nside, there, np.where(straight, dx, turn * dy), np.where(straight, dy, -turn * dx))[0]


def _walk(nside: int, place: Place, dx: int | np.ndarray, dy: int | np.ndarray) -> tuple[Place, np.ndarray]:
    """One pixel along x or y; and the quarters t by which a step ``(dx, dy)`` becomes ``t (dy, -dx)``.

    Base pixels of unlike rows are glued without a turn: quadrants count half steps, and the odd row is shifted by one.
    Two northern ones meet in a meridian that is the NE border of one and the NW border of the next (southern: SE and
    SW), so that what leaves along x goes on along y.
    """
    face, x, y = place[0], place[1] + dx, place[2] + dy
    row, quadrant = face // 4, face % 4
    over, below = (x >= nside) | (y >= nside), (x < 0) | (y < 0)
    east = (x >= nside) | (y < 0)  # over the NE or SE border
    polar = (over & (row == 0)) | (below & (row == 2))
    way = np.where(east, 1, -1)
    side = np.where(east, 1 * (row != 1), -1 * (row == 1))
    new_row = np.where(over, row - 1, np.where(below, row + 1, row))
    glued = np.where(over | below, new_row * 4 + (quadrant + side) % 4, face)
    north = row == 0
    outside = np.where(over, nside - 1 - (np.maximum(x, y) - nside), -1 - np.minimum(x, y))  # counted into the next
    along = np.where((x < 0) | (x >= nside), y, x)
    new_x = np.where(polar, np.where(north == east, along, outside), x % nside)
    new_y = np.where(polar, np.where(north == east, outside, along), y % nside)
    turn = np.where(polar, np.where(north, way, -way), 0)
    return (np.where(polar, row * 4 + (quadrant + way) % 4, glued), new_x, new_y), turn
