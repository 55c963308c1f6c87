"""QM7: atomisation energies of small organic molecules (Rupp et al. 2012, Phys. Rev. Lett. 108, 058301)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from steerable.data import InputError, Samples, Splits, Target, stratified_split
from steerable.data.files import as_values, data_root, load_npz
from steerable.data.point_file import PointReading
from steerable.data.point_folder import clouds
from steerable.data.point_formats import PointSet
from steerable.data.splits import value_bins
from steerable.tasks.molecules.baseline import with_baseline

FILE = Path("molecules") / "qm7.npz"
FOLDS = 5
# thermochemical calorie, Avogadro and electron charge (exact): 1 kcal/mol in eV
UNITS = {"kcal/mol": 1.0, "eV": 4184.0 / (6.02214076e23 * 1.602176634e-19), "kJ/mol": 4.184}


def qm7(
    root: str | Path | None = None,
    target: str | None = None,
    images: int | None = None,
    unit: str = "kcal/mol",
    baseline: str = "elements",
    fold: int = 0,
    split_seed: int = 0,
) -> Splits:
    """Read molecules of up to 23 atoms of H, C, N, O and S, with positions in Angstrom.

    Five folds, stratified by energy, are made from a hash of the names of the molecules: one is the test part, half of
    the next one is for validation.

    Args:
        root: folder of the data sets; the environment variable ``STEERABLE_DATA`` otherwise.
        target: ``heat_of_formation``, or None, which is the same.
        images: use only this many training molecules, for the baseline too; None: all.
        unit: ``kcal/mol`` as in the file (inferred: it does not say), ``eV`` or ``kJ/mol``.
        baseline: ``elements``: the network learns what is left after a least-squares energy of each element, fitted to
            the training part; ``none``: the whole energy.
        fold: which fold is the test part, 0 to 4.
        split_seed: which folds.

    Raises:
        InputError: missing data, another target, unit, baseline or fold.
    """
    if target not in (None, "heat_of_formation"):
        raise InputError(f"qm7: data.target is '{target}'; expected heat_of_formation, or null, which is the same.")
    if unit not in UNITS:
        raise InputError(f"data.options.unit is '{unit}'; expected one of {', '.join(UNITS)}.")
    if fold not in range(FOLDS):
        raise InputError(f"data.options.fold is {fold}; expected 0 to {FOLDS - 1}.")
    path = data_root(root) / FILE
    z = load_npz(path, ("Z", "R", "heat_of_formation", "mol_id"))
    atoms = zip(z["Z"].astype(np.int64), z["R"].astype(np.float64), strict=True)
    sets = [PointSet(r[n > 0], n[n > 0]) for n, r in atoms]
    names = [str(n) for n in z["mol_id"]]
    reading = PointReading(tuple(sorted(set(z["Z"].flatten().tolist()) - {0})))
    energy = as_values(z["heat_of_formation"] * UNITS[unit], str(path))
    data = Samples(
        clouds(sets, names, reading, str(path)), energy, Target("heat_of_formation", unit), str(path), tuple(names)
    )
    halves = stratified_split(value_bins(energy), [1 / (2 * FOLDS)] * (2 * FOLDS), split_seed, names)
    test, val = (2 * fold, 2 * fold + 1), (2 * fold + 2) % (2 * FOLDS)
    rest = [k for k in range(2 * FOLDS) if k not in (*test, val)]
    index = [torch.cat([halves[k] for k in part]).sort().values for part in (rest, (val,), test)]
    parts = [data.subset(i) for i in index]
    parts[0] = parts[0] if images is None else parts[0].sample(images)
    return with_baseline(Splits(*parts, input="points", settings=reading.to_json()), baseline)
