"""Numbers of HEALPix pixels: by rings, nested, and by place on the twelve base pixels.

A pixel is ``(face, x, y)`` with x counting to the north-east and y to the north-west from the southern corner of one of
twelve base pixels: 0-3 around the north pole, 4-7 around the equator, 8-11 around the south pole. On the belt between
the polar caps diagonals ``a = t + v``, ``b = t - v`` of the plane with ``t = 2 nside longitude / pi`` and
``v = 3 nside z / 4`` count columns and rows of pixels. K. Gorski et al., ApJ 622 (2005) 759, sections 4 and 5.

All functions take and return int64 arrays of one shape.
"""

from __future__ import annotations

import numpy as np


def ring_of(nside: int, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ring (from 1 in the north) and column (from 0) of numbers by rings."""
    total, cap = 12 * nside**2, 2 * nside * (nside - 1)
    mirrored = total - 1 - pixel
    north, south = pixel < cap, mirrored < cap
    inner = np.where(north, pixel, np.where(south, mirrored, 0))
    ring = (1 + _root(1 + 2 * inner)) // 2
    column = inner - 2 * ring * (ring - 1)
    belt = pixel - cap
    ring = np.where(north, ring, np.where(south, 4 * nside - ring, nside + belt // (4 * nside)))
    count = 4 * (4 * nside - ring)
    return ring, np.where(north, column, np.where(south, count - 1 - column, belt % (4 * nside)))


def from_ring(nside: int, ring: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Number by rings from ring and column."""
    back = 4 * nside - ring
    north, south = 2 * ring * (ring - 1), 12 * nside**2 - 2 * back * (back + 1)
    belt = 2 * nside * (nside - 1) + (ring - nside) * 4 * nside
    return np.where(ring < nside, north, np.where(back < nside, south, belt)) + column


def ring_to_face(nside: int, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(face, x, y)`` of numbers by rings."""
    ring, column = ring_of(nside, pixel)
    size = np.minimum(np.minimum(ring, 4 * nside - ring), nside)
    quadrant, place = column // size, column % size
    odd = (ring - nside + 1) % 2  # on the belt: whether the first pixel of the ring is half a step off longitude 0
    a = (2 * column + odd + 3 * nside - ring - 1) // 2
    b = (2 * column + odd + ring - nside - 1) // 2
    face, x, y = _belt(nside, a, b)
    north, south = ring < nside, ring > 3 * nside
    face = np.where(north, quadrant, np.where(south, 8 + quadrant, face))
    x = np.where(north, nside - ring + place, np.where(south, place, x))
    y = np.where(north, nside - 1 - place, np.where(south, 4 * nside - ring - 1 - place, y))
    return face, x, y


def face_to_ring(nside: int, face: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Number by rings from ``(face, x, y)``."""
    row, quadrant = face // 4, face % 4
    ring = (row + 2) * nside - x - y - 1
    size = np.minimum(np.minimum(ring, 4 * nside - ring), nside)
    a = (quadrant + (row == 0)) * nside + x
    b = (quadrant + (row == 2)) * nside + nside - 1 - y
    column = (a + b + 1 - nside) // 2 % (4 * nside)
    column = np.where(ring < nside, quadrant * size + nside - 1 - y, column)
    return from_ring(nside, ring, np.where(ring > 3 * nside, quadrant * size + x, column))


def angle_to_face(nside: int, theta: np.ndarray, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(face, x, y)`` of the pixels that hold directions given by colatitude and longitude."""
    z = np.cos(theta)
    t = np.mod(phi / (np.pi / 2), 4.0)
    t = np.where(t >= 4, 0.0, t)
    a = np.floor(nside * (t + 0.75 * z + 0.5)).astype(np.int64)
    b = np.floor(nside * (t - 0.75 * z + 0.5)).astype(np.int64)
    face, x, y = _belt(nside, a, b)
    quadrant = np.minimum(np.floor(t), 3).astype(np.int64)
    part = t - quadrant
    near = np.minimum(theta, np.pi - theta)  # from the nearer pole
    height = nside * np.sqrt(6) * np.sin(near / 2)
    east = np.minimum(np.floor(part * height), nside - 1).astype(np.int64)
    west = np.minimum(np.floor((1 - part) * height), nside - 1).astype(np.int64)
    north, south = z > 2 / 3, z < -2 / 3
    face = np.where(north, quadrant, np.where(south, 8 + quadrant, face))
    x = np.where(north, nside - 1 - west, np.where(south, east, x))
    y = np.where(north, nside - 1 - east, np.where(south, west, y))
    return face, x, y


def _belt(nside: int, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From diagonals: cells ``(A, A)`` are equatorial, ``(A + 1, A)`` northern and ``(A, A + 1)`` southern faces."""
    column, row = a // nside, b // nside
    face = np.where(column == row, 4 + column % 4, np.where(column > row, row % 4, 8 + column % 4))
    return face, a % nside, nside - 1 - b % nside


def nested_to_face(nside: int, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(face, x, y)`` of nested numbers, whose even bits are x and odd bits y."""
    inner = pixel % nside**2
    return pixel // nside**2, _even_bits(inner), _even_bits(inner >> 1)


def face_to_nested(nside: int, face: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Nested number from ``(face, x, y)``."""
    return face * nside**2 + _spread(x) + 2 * _spread(y)


_MASKS = (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF)


def _spread(bits: np.ndarray) -> np.ndarray:
    """Move bit k to bit 2 k."""
    for shift, mask in zip((16, 8, 4, 2, 1), _MASKS[::-1], strict=True):
        bits = (bits | bits << shift) & mask
    return bits


def _even_bits(bits: np.ndarray) -> np.ndarray:
    """Move bit 2 k to bit k, and drop the others."""
    bits = bits & _MASKS[0]
    for shift, mask in zip((1, 2, 4, 8, 16), (*_MASKS[1:], 0x00000000FFFFFFFF), strict=True):
        bits = (bits | bits >> shift) & mask
    return bits


def _root(n: np.ndarray) -> np.ndarray:
    """Largest integer whose square is at most n, exact beyond 2^53."""
    root = np.sqrt(n.astype(np.float64)).astype(np.int64)
    root = root - (root * root > n)
    return root + ((root + 1) * (root + 1) <= n)
