"""One file of points, whatever its format, and how its points become features and positions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.files import load_npz
from steerable.data.point_formats import PointSet, read_csv, read_off, read_ply, read_xyz

NPZ = "positions [m, n], or of several sets with ptr [N + 1]; and perhaps features [m, c] or elements [m]"


def read_npz(path: Path) -> list[PointSet]:
    """Read :data:`NPZ`.

    Raises:
        InputError: other arrays or shapes.
    """
    z = load_npz(path, ("positions",), ("features", "elements", "ptr"))
    place = z["positions"]
    if place.ndim != 2 or place.dtype.kind not in "fiu":
        raise InputError(f"'{path}': positions are {place.dtype} {list(place.shape)}; expected {NPZ}.")
    for key in ("features", "elements"):
        if key in z and len(z[key]) != len(place):
            raise InputError(f"'{path}': {len(z[key])} {key} of {len(place)} points; expected as many.")
    ptr = z.get("ptr", np.array([0, len(place)]))
    if ptr.ndim != 1 or len(ptr) < 2 or ptr[0] != 0 or ptr[-1] != len(place) or (np.diff(ptr) < 1).any():
        raise InputError(f"'{path}': ptr is {ptr[:8].tolist()}...; expected to ascend from 0 to {len(place)}.")
    found = []
    for a, b in zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True):
        part = {k: z[k][a:b] for k in ("features", "elements") if k in z}
        features = part.get("features")
        features = features[:, None] if features is not None and features.ndim == 1 else features
        found.append(PointSet(place[a:b].astype(np.float64), part.get("elements"), features))
    return found


def read_npy(path: Path) -> PointSet:
    """Read positions ``[m, 2]`` or ``[m, 3]``.

    Raises:
        InputError: no such array.
    """
    try:
        place = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected an array of positions [m, 2] or [m, 3]."
        ) from None
    if place.ndim != 2 or place.shape[1] not in (2, 3) or place.dtype.kind not in "fiu":
        raise InputError(
            f"'{path}' holds {place.dtype} {list(place.shape)}; expected positions [m, 2] or [m, 3]. Save features "
            "beside them with numpy.savez(path, positions=..., features=...)."
        )
    return PointSet(place.astype(np.float64))


FORMATS: Mapping[str, Callable[[Path], PointSet | list[PointSet]]] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".xyz": read_xyz,
    ".ply": read_ply,
    ".off": read_off,
    ".csv": read_csv,
}


def read_points(path: str | Path) -> list[PointSet]:
    """Read the sets of points of a file: one, or several of an XYZ or npz file.

    Raises:
        InputError: another format, or a file that cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"'{path}' ends in '{path.suffix}'; expected one of {', '.join(FORMATS)}. Convert it.")
    found = FORMATS[path.suffix.lower()](path)
    return found if isinstance(found, list) else [found]


@dataclass(frozen=True)
class PointReading:
    """How points become the input of a network; written down with a run, so that further files are read alike.

    Attributes:
        elements: atomic numbers; an atom has one feature for each, 1 for its own. Empty: the features of the file, or
            else the number 1.
        normalise: bring the mean of the points to 0 and the root mean square of their distance from it to 1.
        points: at most this many of each set, evenly drawn by their place in the file; of a mesh: as many, drawn on its
            surface. 0: all points, or all vertices.

    Raises:
        InputError: a negative number of points.
    """

    elements: tuple[int, ...] = ()
    normalise: bool = False
    points: int = 0

    def __post_init__(self) -> None:
        if self.points < 0:
            raise InputError(f"data.options.points is {self.points}; expected 0 (all) or more.")

    def __call__(self, raw: PointSet, name: str) -> tuple[Tensor, Tensor]:
        """Return features ``[m, C]`` and positions ``[m, n]``, float32.

        Raises:
            InputError: numbers that are not finite, elements that the network does not know, other dimensions.
        """
        place = raw.positions
        if place.ndim != 2 or place.shape[1] not in (2, 3) or not len(place):
            raise InputError(f"'{name}' has points of shape {list(place.shape)}; expected at least one in 2 or 3 axes.")
        if not np.isfinite(place).all():
            raise InputError(f"'{name}' holds NaN or infinite coordinates; expected finite ones. Drop these points.")
        features = self._features(raw, name)
        if self.points and raw.faces is not None:
            place, features = on_surface(place, raw.faces, self.points, name), np.ones((self.points, 1))
        elif self.points and len(place) > self.points:
            keep = np.arange(self.points) * len(place) // self.points
            place, features = place[keep], features[keep]
        if self.normalise:
            place = place - place.mean(0)
            size = np.sqrt((place**2).sum(1).mean())
            place = place / (size if size > 0 else 1)
        return torch.from_numpy(features.astype(np.float32)), torch.from_numpy(place.astype(np.float32))

    def _features(self, raw: PointSet, name: str) -> np.ndarray:
        if not self.elements:
            return np.ones((len(raw.positions), 1)) if raw.features is None else raw.features
        if raw.elements is None:
            raise InputError(f"'{name}' names no elements; expected some of {list(self.elements)}. Give an XYZ file.")
        strange = sorted(set(raw.elements.tolist()) - set(self.elements))
        if strange:
            raise InputError(
                f"'{name}' has the atomic numbers {strange}; expected those of training, {list(self.elements)}. Leave "
                "it out."
            )
        return raw.elements[:, None] == np.array(self.elements)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON that :meth:`from_json` reads."""
        return {**asdict(self), "elements": list(self.elements)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> PointReading:
        """Build from what :meth:`to_json` returned."""
        return PointReading(tuple(value["elements"]), bool(value["normalise"]), int(value["points"]))


def elements_of(sets: Sequence[PointSet]) -> tuple[int, ...]:
    """Return the atomic numbers that occur, ascending; none where a set names no elements."""
    if any(s.elements is None for s in sets):
        return ()
    return tuple(sorted({int(z) for s in sets if s.elements is not None for z in s.elements}))


def on_surface(vertices: np.ndarray, faces: np.ndarray, count: int, name: str) -> np.ndarray:
    """Draw points on a mesh, evenly by area, the same ones for the same mesh on every machine: ``[count, 3]``.

    Args:
        vertices: ``[m, 3]``.
        faces: triangles ``[k, 3]``.
        count: how many.
        name: of the mesh, for messages.

    Raises:
        InputError: a mesh without area.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    if not area.sum() > 0:
        raise InputError(f"'{name}' has {len(faces)} triangles of area 0; expected a surface.")
    seed = int.from_bytes(hashlib.sha256(vertices.tobytes()).digest()[:7], "big")
    u = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()
    edge = area.cumsum()
    at = np.searchsorted(edge, u[:, 0] * edge[-1], side="right").clip(max=len(faces) - 1)
    root = np.sqrt(u[:, 1:2])
    return a[at] * (1 - root) + b[at] * root * (1 - u[:, 2:]) + c[at] * root * u[:, 2:]
