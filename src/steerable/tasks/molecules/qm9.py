"""QM9: 15 properties of 133,885 molecules of up to nine heavy atoms (Ramakrishnan et al. 2014, Sci. Data 1, 140022)."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steerable.data import InputError, Samples, Splits, Target, stratified_split
from steerable.data.errors import did_you_mean
from steerable.data.files import as_values, load_npz
from steerable.data.point_file import PointReading, elements_of
from steerable.data.point_folder import clouds
from steerable.data.point_formats import PointSet, read_xyz
from steerable.data.splits import value_bins
from steerable.tasks.molecules.baseline import with_baseline

WHERE = (
    "Fetch dsgdb9nsd.xyz.tar.bz2 from https://doi.org/10.6084/m9.figshare.978904 and unpack it, and put "
    "uncharacterized.txt beside it"
)
HEADING = 9  # lines of uncharacterized.txt before its table
HARTREE = 27.211386245988  # eV, CODATA 2018


class Property(NamedTuple):
    """A column of the second line of a file: place after the tag and the number, unit here, factor from there."""

    place: int
    unit: str
    factor: float
    extensive: bool


PROPERTIES: Mapping[str, Property] = {
    "mu": Property(3, "D", 1.0, False),
    "alpha": Property(4, "a0^3", 1.0, True),
    "homo": Property(5, "eV", HARTREE, False),
    "lumo": Property(6, "eV", HARTREE, False),
    "gap": Property(7, "eV", HARTREE, False),
    "r2": Property(8, "a0^2", 1.0, True),
    "zpve": Property(9, "eV", HARTREE, True),
    "u0": Property(10, "eV", HARTREE, True),
    "u298": Property(11, "eV", HARTREE, True),
    "h298": Property(12, "eV", HARTREE, True),
    "g298": Property(13, "eV", HARTREE, True),
    "cv": Property(14, "cal/(mol K)", 1.0, True),
}


def qm9(
    root: str | Path | None = None,
    target: str | None = None,
    images: int | None = None,
    baseline: str | None = None,
    unit: str | None = None,
    fractions: tuple[float, float, float] = (0.82, 0.08, 0.1),
    split_seed: int = 0,
) -> Splits:
    """Read your own copy: the folder of `dsgdb9nsd_*.xyz` files, or one npz file.

    Molecules that `uncharacterized.txt` names, where it lies in the folder, are left out, as is customary. Energies are
    given in eV. A value is kept in single precision: a total energy of -10^4 eV is known to 1 meV.

    Args:
        root: the folder, or the folder of an npz file with `positions`, `elements`, `ptr` and the property.
        target: one of :data:`PROPERTIES`; None is ``u0``. Of an npz file: any array.
        images: use only this many training molecules, for the baseline too; None: all.
        baseline: ``elements`` or ``none``, see :func:`qm7`; None: elements where the property adds up over atoms.
        unit: of the array of an npz file.
        fractions: shares of training, validation and test, stratified by quarters of the values.
        split_seed: which split, by a hash of the file names.

    Raises:
        InputError: missing files, with the place where to get them; an unknown property.
    """
    if root is None or not Path(root).expanduser().is_dir():
        raise InputError(f"qm9: data.root '{root}' is not a folder; expected one with QM9. {WHERE}, and set data.root.")
    folder, name = Path(root).expanduser(), target or "u0"
    archives = sorted(folder.glob("*.npz"))
    files = sorted(folder.rglob("dsgdb9nsd_*.xyz")) if not archives else []
    if archives:
        sets, values, names = _archive(archives[0], name)
        own = PROPERTIES.get(name)
        what, adds = Target(name, unit or ""), own is not None and own.extensive
    else:
        if name not in PROPERTIES:
            raise InputError(
                f"qm9: data.target is '{name}'; expected one of {', '.join(PROPERTIES)}."
                f"{did_you_mean(name, PROPERTIES)}"
            )
        if not files:
            raise InputError(f"qm9: '{folder}' holds {len(files)} files dsgdb9nsd_*.xyz; expected 133885. {WHERE}.")
        sets, values, names = _files(files, name, left_out(folder))
        what, adds = Target(name, PROPERTIES[name].unit), PROPERTIES[name].extensive
    reading = PointReading(elements_of(sets))
    y = as_values(np.asarray(values), str(folder))
    data = Samples(clouds(sets, names, reading, str(folder)), y, what, str(folder), tuple(names))
    keys = [hashlib.sha256(n.encode()).hexdigest() for n in names]
    parts = [data.subset(i) for i in stratified_split(value_bins(y), fractions, split_seed, keys)]
    parts[0] = parts[0] if images is None else parts[0].sample(images)
    splits = Splits(*parts, input="points", settings=reading.to_json())
    return with_baseline(splits, baseline or ("elements" if adds else "none"))


def left_out(folder: Path) -> set[int]:
    """Return the numbers of molecules whose geometry was found inconsistent, where `uncharacterized.txt` is there."""
    path = folder / "uncharacterized.txt"
    if not path.is_file():
        return set()
    words = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return {int(w[0]) for w in words[HEADING:] if w and w[0].isdecimal()}


def _files(files: list[Path], name: str, without: set[int]) -> tuple[list[PointSet], list[float], list[str]]:
    sets, values, names = [], [], []
    own = PROPERTIES[name]
    for path in files:
        number = path.stem.rpartition("_")[2]
        if number.isdecimal() and int(number) in without:
            continue
        one = read_xyz(path)[0]
        try:
            values.append(float(one.comment.split()[own.place + 2]) * own.factor)
        except (IndexError, ValueError):
            raise InputError(
                f"'{path}' has {one.comment[:60]!r} on its second line; expected 'gdb', a number and 15 properties. "
                f"{WHERE}."
            ) from None
        sets.append(one)
        names.append(path.stem)
    return sets, values, names


def _archive(path: Path, name: str) -> tuple[list[PointSet], list[float], list[str]]:
    z = load_npz(path, ("positions", "elements", "ptr", name))
    ptr = z["ptr"].tolist()
    if len(z[name]) != len(ptr) - 1 or ptr[-1] != len(z["positions"]) or len(z["elements"]) != ptr[-1]:
        raise InputError(
            f"'{path}': {len(z[name])} values of {name}, {len(ptr) - 1} molecules by ptr, {len(z['positions'])} "
            f"positions and {len(z['elements'])} elements; expected one value a molecule, and ptr to the end."
        )
    sets = [
        PointSet(z["positions"][a:b].astype(np.float64), z["elements"][a:b].astype(np.int64))
        for a, b in itertools.pairwise(ptr)
    ]
    return sets, z[name].tolist(), [f"{path.stem}#{k}" for k in range(len(sets))]
