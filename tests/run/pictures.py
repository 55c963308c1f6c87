"""Images for tests: handwritten digits where real data is there, else smooth scenes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.run.scenes import random_scenes


def pictures(count: int, channels: int, side: int) -> Tensor:
    """Return float32 ``[count, channels, side, side]`` in [0, 1]."""
    file = Path(os.environ.get("STEERABLE_DATA", "")) / "mnist" / "mnist.npz"
    if not os.environ.get("STEERABLE_DATA") or not file.is_file():
        return random_scenes(count, channels, side).float()
    with np.load(file) as z:
        x = torch.from_numpy(z["x_test"][: count * channels].astype(np.float32) / 255)
    x = x.view(count, channels, *x.shape[1:])
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True)
