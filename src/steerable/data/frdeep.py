"""FR-DEEP: radio galaxies of the FIRST survey in two classes (Tang, Scaife and Leahy 2019, MNRAS 488, 3358)."""

from __future__ import annotations

from pathlib import Path

from steerable.data.files import as_images, as_labels, data_root, load_npz
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe, geometry
from steerable.data.samples import Samples
from steerable.data.splits import picture_keys, stratified_split

FILE = Path("radio_galaxies") / "frdeep_first.npz"
# the square root lifts faint lobes against bright cores; a fixed scale brings most pixels of a source near 1
SCALE = 0.25


def frdeep(
    root: str | Path | None = None,
    scale: str | None = None,
    size: int = 65,
    bins: int = 2,
    fractions: tuple[float, float, float] = (0.6, 0.15, 0.25),
    split_seed: int = 0,
) -> Splits:
    """Read 450 radio galaxies of 150 x 150 pixels, labelled FRI or FRII.

    The source has no split: it is made here, stratified and fixed for each `split_seed`. Two entries of class FRII are
    the same picture; they always come into the same part, so that no test image was trained on.

    Args:
        root: folder of the data sets; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None takes the square root over a fixed number.
        size: side of the result in pixels.
        bins: average blocks of this many pixels, after a crop to ``size * bins`` about the centre.
        fractions: shares of training, validation and test.
        split_seed: which split.

    Returns:
        Three parts with images ``[N, 1, size, size]``, background 0.

    Raises:
        InputError: missing data or an impossible split.
    """
    path = data_root(root) / FILE
    z = load_npz(path, ("x", "y", "classes"))
    raw, y = as_images(z["x"], str(path)), as_labels(z["y"], str(path))
    data = Samples(raw, y, tuple(str(c) for c in z["classes"]), str(path))
    parts = Splits(*(data.subset(i) for i in stratified_split(y, fractions, split_seed, picture_keys(raw))))
    if scale is None:
        return parts.prepare(geometry(size, bins) + Recipe.of(("sqrt", {}), ("divide", {"by": SCALE})))
    return parts.prepare(geometry(size, bins), scale)
