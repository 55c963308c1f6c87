"""Galaxy10 (Leung and Bovy): ten kinds of galaxies, in SDSS images of 69 pixels or DECaLS images of 256 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from steerable.data.errors import InputError
from steerable.data.known.assemble import Piece, Raw, Wish, assemble
from steerable.data.known.hdf5 import dataset, open_hdf5, rows
from steerable.data.known.source import Published, Source
from steerable.data.parts import Splits
from steerable.data.recipe import Recipe
from steerable.data.splits import stratified_split


class Release(NamedTuple):
    """One of the two releases: its file, size in pixels, number of images, classes, and the size asked for."""

    file: str
    side: int
    count: int | None
    classes: tuple[str, ...]
    size: int
    bins: int


RELEASES = {
    "sdss": Release(
        "Galaxy10.h5", 69, None,  # its pages name several numbers; the checksum decides
        ("disk_face_on_no_spiral", "smooth_round", "smooth_in_between", "smooth_cigar", "edge_on_rounded_bulge",
         "edge_on_boxy_bulge", "edge_on_no_bulge", "face_on_tight_spiral", "face_on_medium_spiral",
         "face_on_loose_spiral"),
        65, 1,
    ),
    "decals": Release(
        "Galaxy10_DECals.h5", 256, 17736,
        ("disturbed", "merging", "round_smooth", "in_between_round_smooth", "cigar_smooth", "barred_spiral",
         "unbarred_tight_spiral", "unbarred_loose_spiral", "edge_on_without_bulge", "edge_on_with_bulge"),
        129, 2,
    ),
}  # fmt: skip
PUBLISHED = Published(
    "Galaxy10",
    "https://zenodo.org/records/10845026 (DECaLS) or https://zenodo.org/records/10844811 (SDSS)",
    {
        "Galaxy10.h5": "sha256:969a6b1cefcc36e09fffa86febd2f699a4aa19b837ba0427f01b0bc6ded458af",
        "Galaxy10_DECals.h5": "sha256:19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571",
    },
)


def galaxy10(
    root: str | Path | None = None,
    scale: str | None = None,
    per_class: int | None = None,
    release: str | None = None,
    size: int | None = None,
    bins: int | None = None,
    colour: str | None = None,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    split_seed: int = 0,
    verify: bool = True,
) -> Splits:
    """Read about 22000 (SDSS) or 17736 (DECaLS) galaxies in ten classes and three bands.

    The releases have no split: it is made here, stratified and fixed for each `split_seed`. The same picture twice, or
    the same place on the sky (within 0.001 degrees), comes into one part, so that no test image was trained on.

    Args:
        root: the folder with the file; the environment variable ``STEERABLE_DATA`` otherwise.
        scale: see :func:`steerable.data.recipe.scale_steps`; None divides by 0.25, the sky stays near 0.
        per_class: training images of each class; None: all. Classes are of very different size (17 in the smallest).
        release: ``sdss`` or ``decals``; None: the one that is there.
        size: side of the result; None: 65 (SDSS), 129 (DECaLS), at which layers of stride 2 stay exact.
        bins: average blocks of this many pixels, after a cut to ``size * bins``; None: 1 (SDSS), 2 (DECaLS).
        colour: ``grey``, ``rgb`` or None.
        fractions: shares of training, validation and test.
        split_seed: which split.
        verify: compare checksum and count with the published ones.

    Returns:
        Three parts with images ``[N, 3, size, size]``.

    Raises:
        InputError: missing, broken or other files, both releases and no choice, or no h5py.
    """
    if release not in (None, *RELEASES):
        raise InputError(f"data.options.release is '{release}'; expected {' or '.join(RELEASES)}, or null.")
    source = Source(root, PUBLISHED, verify)
    there = [name for name, r in RELEASES.items() if source.has(r.file)] if release is None else [release]
    if len(there) != 1:
        if there:
            raise InputError(f"{source}: the releases {there} are both there; expected one. Set data.options.release.")
        raise source.missing([" or ".join(r.file for r in RELEASES.values())])
    own = RELEASES[there[0]]
    path = source.path(own.file)
    if path is None:
        raise source.missing([own.file])
    wish = Wish(scale, size or own.size, bins or own.bins, colour, per_class)
    with open_hdf5(path) as file:
        raw, keys = _raw(source, own, file, path)
        index = stratified_split(raw.y, fractions, split_seed, keys)
        parts = Piece(raw, index[0]), Piece(raw, index[1]), Piece(raw, index[2])
        return assemble(parts, own.classes, wish, Recipe.of(("divide", {"by": 0.25})), source.files)


def _raw(source: Source, own: Release, file: Any, path: Path) -> tuple[Raw, list[str]]:
    """The images, and a key for each that is the same for the same picture or place."""
    x, y = dataset(file, "images", path), np.asarray(dataset(file, "ans", path)[()])
    if len(x.shape) != 4 or x.shape[-1] != 3 or x.dtype != np.uint8 or (source.verify and x.shape[1] != own.side):
        raise source.wrong(f"'{path}' holds {x.dtype} {list(x.shape)}; expected bytes [N, {own.side}, {own.side}, 3]")
    source.count(f"'{path.name}'", len(x), own.count or len(x))
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0 or y.max() > 9:
        raise source.wrong(f"'{path}' has answers {y.dtype} {list(y.shape)}; expected a number from 0 to 9 an image")
    raw = Raw(torch.from_numpy(y.astype(np.int64)), lambda i: np.moveaxis(rows(x, i, path), -1, 1), str(path))
    return raw, _places(file, len(x)) or raw.keys()


def _places(file: Any, count: int) -> list[str] | None:
    """A key for each place on the sky, where the file says them."""
    if "ra" not in file or "dec" not in file:
        return None
    ra, dec = np.asarray(file["ra"][()]), np.asarray(file["dec"][()])
    if ra.shape != (count,) or dec.shape != (count,) or not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        return None
    return [f"{a:.3f} {d:.3f}" for a, d in zip(ra, dec, strict=True)]
