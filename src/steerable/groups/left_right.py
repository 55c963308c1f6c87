"""The mirror symmetry of pictures that have an up."""

from __future__ import annotations

import numpy as np

from steerable.groups.finite import FiniteGroup


def left_right() -> FiniteGroup:
    """The identity and the exchange of left and right, ``x1 -> -x1``; its name is ``D1v``.

    ``D(1)`` is another reflection, ``x2 -> -x2``: top and bottom. Natural pictures are as good in the mirror, but not
    upside down, so this is what is left of the symmetry at the scale of whole objects. It lies in D(n) for even n.
    """
    return FiniteGroup(np.array([[0, 1], [1, 0]]), name="D1v", matrices=np.stack([np.eye(2), np.diag([-1.0, 1.0])]))
