"""Rotated digits: MNIST digits, each turned by a random angle (a derived file, not the published benchmark)."""

from __future__ import annotations

from pathlib import Path

from steerable.data.errors import InputError
from steerable.data.files import as_images, as_labels, data_root, load_npz
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe, geometry
from steerable.data.samples import Samples
from steerable.data.splits import picture_keys, stratified_split

FILE = Path("mnist") / "mnist_rotated_derived.npz"
# the standard deviation of all training pixels in [0, 1]; the mean is not subtracted, so that the background stays 0
# and neither padding nor turning draws an edge
SCALE = 0.2904


def rotated_digits(
    root: str | Path | None = None,
    scale: str | None = None,
    size: int = 29,
    val_fraction: float = 1 / 6,
    split_seed: int = 0,
) -> Splits:
    """Read 12000 training and 5000 test digits of 28 x 28 pixels, turned by uniform random angles.

    The source has no validation part: `val_fraction` of the training digits become one, the same for each `split_seed`.

    Args:
        root: folder of the data sets; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None divides by the standard deviation of all pixels.
        size: side in pixels after padding or cropping; 29 keeps two strided layers exact (29, 15, 8).
        val_fraction: share of the training digits that is kept for choices.
        split_seed: which share.

    Returns:
        Three parts with images ``[N, 1, size, size]``, background 0, standard deviation about 1.

    Raises:
        InputError: missing data or an impossible split.
    """
    if not 0 < val_fraction < 1:
        raise InputError(f"digits: val_fraction {val_fraction}; expected a number between 0 and 1.")
    path = data_root(root) / FILE
    z = load_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    classes = tuple(str(d) for d in range(10))
    x, y = as_images(z["x_train"], str(path)), as_labels(z["y_train"], str(path))
    train, val = stratified_split(y, (1 - val_fraction, val_fraction), split_seed, picture_keys(x))
    learn = Samples(x, y, classes, f"{path} (train)")
    test = Samples(as_images(z["x_test"], str(path)), as_labels(z["y_test"], str(path)), classes, f"{path} (test)")
    parts = Splits(learn.subset(train), learn.subset(val), test)
    if scale is None:
        return parts.prepare(geometry(size) + Recipe.of(("divide", {"by": SCALE})))
    return parts.prepare(geometry(size), scale)
