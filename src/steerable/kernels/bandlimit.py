"""How fast a ring of a kernel may turn before the pixel grid aliases it."""

from __future__ import annotations

from collections.abc import Sequence

#: ``"default"``, ``"strict"``, a factor ``c`` (frequencies up to ``c`` times the radius), or one number for each ring
Bandlimit = str | float | tuple[int, ...]


def frequencies(bandlimit: Bandlimit, radii: Sequence[float]) -> tuple[int, ...]:
    """Largest angular frequency on each ring.

    ``"default"``: twice the radius inside (less one where that is even and the radius even), 2 on the outermost ring, 0
    at the centre: the first policy of Weiler and Cesa, which keeps the error of a 45 degree turn lowest in our
    measurements. ``"strict"``: 0, 2, ..., 2, 1. A factor of 3 aliases: it is there to show what a band limit is for.

    Raises:
        ValueError: for an unknown policy, or a list of the wrong length.
    """
    outer = max(radii)
    if isinstance(bandlimit, tuple):
        if len(bandlimit) != len(radii):
            raise ValueError(f"bandlimit: expected one frequency for each of {len(radii)} rings, got {bandlimit}")
        return tuple(int(b) for b in bandlimit)
    if isinstance(bandlimit, int | float):
        return tuple(int(bandlimit * r + 1e-9) for r in radii)
    if bandlimit == "default":
        return tuple(0 if r == 0 else int(min(2 * r, 2 if r == outer else 2 * r - (r + 1) % 2)) for r in radii)
    if bandlimit == "strict":
        return tuple(0 if r == 0 else (1 if r == outer else 2) for r in radii)
    raise ValueError(f"unknown bandlimit {bandlimit!r}; expected 'default', 'strict', a factor or a tuple of integers")
