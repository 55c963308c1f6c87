"""Fields on the sphere out of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.files import load_npz
from steerable.domains.sphere import Sphere

EXTENSIONS = (".npy", ".npz")


def list_maps(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder that hold fields, and the others."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return [p for p in files if p.suffix in EXTENSIONS], [p for p in files if p.suffix not in EXTENSIONS]


def read_maps(path: Path, sphere: Sphere) -> list[Tensor]:
    """Return the fields ``[C, *shape]`` of a file."""
    x = np.load(path) if path.suffix == ".npy" else load_npz(path, ("x",))["x"]
    x = torch.from_numpy(x).float()
    return list(x.reshape(-1, x.shape[-1 - len(sphere.shape)], *sphere.shape))
