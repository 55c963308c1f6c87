"""Strong-lens candidates of the CFHTLS survey, graded by experts (Space Warps: More et al. 2016, MNRAS 455, 1191)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.files import as_images, as_values, data_root, load_npz
from steerable.data.parts import Splits
from steerable.data.recipe import geometry
from steerable.data.samples import Samples
from steerable.data.splits import stratified_split, value_bins
from steerable.data.target import Target

FILE = Path("strong_lenses") / "cfhtls_spacewarps_candidates.npz"
CLASSES = ("not", "lens")


def cfhtls(
    root: str | Path | None = None,
    target: str | None = None,
    scale: str = "noise",
    lens_from: float = 1.7,
    not_until: float = 0.7,
    size: int = 112,
    bins: int = 1,
    fractions: tuple[float, float, float] = (0.5, 0.17, 0.33),
    split_seed: int = 0,
) -> Splits:
    """Read 308 candidates of 120 x 120 pixels in three bands: as a lens finder, or with their grade.

    Experts graded each candidate from 0.3 (no lens) to 3 (almost certainly one). The finder has the classes ``not`` and
    ``lens``; grades between the two thresholds belong to neither and are left out. Some candidates are neighbours, and
    their fields of 22.5" overlap: those always come into the same part, so that no test pixel was trained on.

    Args:
        root: folder of the data sets; the environment variable ``STEERABLE_DATA`` otherwise.
        target: ``grade`` for the grade of all candidates; None for the finder.
        scale: see :func:`steerable.data.recipe.scale_steps`.
        lens_from: the lowest grade of a lens.
        not_until: the highest grade of what is none.
        size: side of the result in pixels.
        bins: average blocks of this many pixels, after a crop to ``size * bins`` about the centre.
        fractions: shares of training, validation and test.
        split_seed: which split.

    Returns:
        Three parts with images ``[N, 3, size, size]`` in the bands i, r, g as red, green, blue.

    Raises:
        InputError: missing data, another target, thresholds in the wrong order.
    """
    if target not in (None, "grade"):
        raise InputError(f"cfhtls: data.target is '{target}'; expected grade, or null for the classes {list(CLASSES)}.")
    if not not_until < lens_from:
        raise InputError(
            f"cfhtls: not_until {not_until} and lens_from {lens_from}; expected the first to be lower. Exchange them."
        )
    path = data_root(root) / FILE
    z = load_npz(path, ("x", "grade", "ra_deg", "dec_deg", "arcsec_per_pixel"))
    side = float(z["arcsec_per_pixel"]) * z["x"].shape[1]
    fields = overlapping(z["ra_deg"], z["dec_deg"], side)
    x, grade = as_images(np.moveaxis(z["x"], -1, 1), str(path)), as_values(z["grade"], str(path))
    if target == "grade":
        data, keep = Samples(x, grade, Target("grade"), str(path)), torch.arange(len(x))
        strata = value_bins(grade)
    else:
        # the grades are written in single precision
        keep = ((grade <= not_until + 1e-4) | (grade >= lens_from - 1e-4)).nonzero()[:, 0]
        label = (grade[keep] >= lens_from - 1e-4).long()
        if len(label.unique()) < 2:
            raise InputError(
                f"cfhtls: not_until {not_until} and lens_from {lens_from} leave the classes {label.unique().tolist()}; "
                f"expected both of {list(CLASSES)}. The grades run from 0.3 to 3."
            )
        data, strata = Samples(x[keep], label, CLASSES, str(path)), label
    group = fields[keep]
    # a field is one unit of the split and counts with the highest stratum in it
    of_field = torch.zeros(int(fields.max()) + 1, dtype=torch.int64).scatter_reduce(0, group, strata, "amax")
    index = stratified_split(of_field[group], fractions, split_seed, [str(g) for g in group.tolist()])
    return Splits(*(data.subset(i) for i in index)).prepare(geometry(size, bins), scale)


def overlapping(ra: np.ndarray, dec: np.ndarray, side: float) -> Tensor:
    """Return the number of the connected patch of sky of each square field, int64 ``[N]``.

    Args:
        ra: right ascension in degrees ``[N]``.
        dec: declination in degrees ``[N]``.
        side: of the fields in arcsec.
    """
    x1 = (ra[:, None] - ra[None]) * np.cos(np.radians((dec[:, None] + dec[None]) / 2)) * 3600
    x2 = (dec[:, None] - dec[None]) * 3600
    near = torch.from_numpy((np.abs(x1) < side) & (np.abs(x2) < side))
    patch = torch.arange(len(ra))
    while True:
        joined = torch.where(near, patch[None], len(ra)).amin(1)
        if torch.equal(joined, patch):
            return patch
        patch = joined
