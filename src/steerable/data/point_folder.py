"""Your own point sets: a folder with one sub-folder for each class, or a folder and a table of values."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from steerable.data.clouds import Clouds
from steerable.data.divide import divide
from steerable.data.errors import InputError
from steerable.data.files import as_values
from steerable.data.parts import Splits
from steerable.data.point_file import FORMATS, PointReading, elements_of, read_points
from steerable.data.point_formats import PointSet
from steerable.data.samples import Samples
from steerable.data.table import read_columns
from steerable.data.target import Target

PARTS = ("train", "training", "val", "valid", "validation", "test")


def list_points(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of points below a folder, sorted, and the files of other kinds; hidden ones are left out."""
    names = sorted(p for p in folder.rglob("*") if p.is_file())
    shown = [p for p in names if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return [p for p in shown if p.suffix.lower() in FORMATS], [p for p in shown if p.suffix.lower() not in FORMATS]


def point_folder(
    root: str | Path | None,
    target: str | None = None,
    table: str | None = None,
    id: str = "id",
    unit: str = "",
    normalise: bool = True,
    points: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read npz, npy, XYZ, PLY, OFF and CSV files of points.

    Where every file names elements, each atom gets one feature for each element that occurs; else the features of the
    file, or the number 1.

    Args:
        root: the folder: one sub-folder for each class, or files of any arrangement that the table names.
        target: the column of the table that holds the values to predict; None: the sub-folders are the classes.
        table: a CSV or Parquet file, in the folder or elsewhere.
        id: its column with file names, relative to the folder.
        unit: of the target.
        normalise: bring each set to mean 0 and root mean square distance 1; set it to false where size matters, as of
            molecules.
        points: at most this many points of each set; of a mesh, as many drawn on its surface; 0: all.
        fractions: shares of training, validation and test; stratified by class, or by quarters of the values. Files
            with the same points come into the same part.
        split_seed: which split.

    Raises:
        InputError: no folder, no files, one class alone, a target without a table, files that cannot be read, sets of
            unlike features or dimensions.
    """
    if root is None or not Path(root).expanduser().is_dir():
        raise InputError(f"points: data.root '{root}' is not a folder; expected one with files of points. Mend it.")
    if (target is None) is not (table is None):
        raise InputError(
            f"points: data.target is {target} and data.options.table {table}; expected both for values, or neither for "
            "classes by sub-folder."
        )
    folder = Path(root).expanduser()
    if target is not None and table is not None:
        where = folder / table if (folder / table).is_file() else Path(table)
        columns = read_columns(where, (id, target))
        files = [folder / str(n) for n in columns[id]]
    else:
        files, columns = _by_class(folder)
    names, sets, keys, rows = [], [], [], []
    for row, path in enumerate(files):
        found = read_points(path)
        own = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
        for k, one in enumerate(found):
            names.append(own if len(found) == 1 else f"{own}#{k}")
            sets.append(one)
            keys.append(hashlib.sha256(one.positions.tobytes()).hexdigest())
            rows.append(row)
    reading = PointReading(elements_of(sets), normalise, points)
    x = clouds(sets, names, reading, str(folder))
    if target is not None:
        import numpy as np

        y = as_values(np.asarray(columns[target])[rows], str(folder))
        data = Samples(x, y, Target(target, unit), str(folder), tuple(names))
    else:
        classes = tuple(sorted(set(columns[id])))
        y = torch.tensor([classes.index(columns[id][r]) for r in rows])
        data = Samples(x, y, classes, str(folder), tuple(names))
    parts = divide(data, fractions, split_seed, "point set", keys)
    return Splits(*parts, input="points", settings=reading.to_json())


def clouds(sets: list[PointSet], names: list[str], reading: PointReading, source: str) -> Clouds:
    """Return the prepared sets one after another."""
    return Clouds.of([reading(one, name) for one, name in zip(sets, names, strict=True)], source)


def _by_class(folder: Path) -> tuple[list[Path], dict[str, list[str]]]:
    """The files of the sub-folders, and the class of each under the name of the column of ids."""
    kinds = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    split = [p.name for p in kinds if p.name.lower() in PARTS]
    if split:
        raise InputError(
            f"points: '{folder}' has the sub-folders {split}; expected one for each class. The split is made here: put "
            "the files of a class together."
        )
    listed = {kind: list_points(kind) for kind in kinds}
    for kind, (files, others) in listed.items():
        if not files:
            raise InputError(
                f"points: the sub-folder '{kind}' has no file of {', '.join(FORMATS)} ({len(others)} other files); "
                "expected files of its class. Convert them, or move it away."
            )
    files = [(p, kind.name) for kind in kinds for p in listed[kind][0]]
    found = {name for _, name in files}
    if len(found) < 2:
        raise InputError(
            f"points: '{folder}' has files of {', '.join(FORMATS)} of the classes {sorted(found)}; expected two "
            "classes or more, each a sub-folder."
        )
    return [p for p, _ in files], {"id": [name for _, name in files]}
