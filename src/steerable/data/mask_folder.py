"""Your own images and masks: a folder of pictures and one of the class of each of their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from steerable.data.divide import divide
from steerable.data.errors import InputError
from steerable.data.image_file import BROKEN, EXTENSIONS
from steerable.data.image_folder import list_images, read_with_sizes
from steerable.data.label_values import class_numbers, class_values, joined
from steerable.data.parts import Splits
from steerable.data.reading import Reading
from steerable.data.recipe import Recipe
from steerable.data.resize import crop
from steerable.data.samples import Samples
from steerable.data.target import Regions
from steerable.data.tiff import EXTENSIONS as TIFF
from steerable.data.tiff import tiff_mask

PARTS = ("train", "val", "test")
IMAGES, MASKS = "images", "masks"


def mask_folder(
    root: str | Path | None,
    scale: str = "none",
    values: Sequence[int] | None = None,
    classes: Sequence[str] = (),
    ignore: int | None = None,
    instances: bool = False,
    colour: str | None = None,
    depth: str = "full",
    resize: str | None = None,
    side: int | list[int] | None = None,
    pad: str = "border",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_seed: int = 0,
) -> Splits:
    """Read images and the class of each of their pixels: ``images/NAME.png`` and ``masks/NAME.png``.

    An image is any file that :func:`steerable.data.image_folder` reads; its mask lies at the same place below ``masks``
    and has the same name, PNG (grey or with a palette), TIFF or npy, whole numbers ``[H, W]``. The folder has
    ``images`` and ``masks``, which are split, or folders ``train``, ``val`` and ``test`` with these two in each.

    Args:
        root: the folder.
        scale: see :func:`steerable.data.recipe.scale_steps`.
        values: what stands in the masks, one number for each class in order, such as ``[0, 255]``; None: all that
            occur, in ascending order.
        classes: their names; empty: the values.
        ignore: what stands where a pixel has no class: it is neither learned nor scored.
        instances: masks number single things, as tools that count cells write them: 0 is the first class, every other
            number the second.
        colour: ``grey`` or ``rgb``: make all images so; None: all must have the same channels.
        depth: ``full`` or ``file``, see :func:`steerable.data.image_folder`.
        resize: ``crop`` (cut or pad about the centre; what is padded has no class) or ``scale`` (interpolate; masks
            take the nearest pixel) to `side`; None: all images must have one size.
        side: height and width after that, or one number for both.
        pad: what stands in padded pixels: ``border``: the median of the border of each channel, which is the
            background, bright or dark; ``zero``.
        fractions: shares of training, validation and test where the folder has no parts.
        split_seed: which split.

    Raises:
        InputError: no such folders, an image without a mask or a mask without an image, sizes that differ, values that
            are not said, masks in colour.
    """
    if root is None or not Path(root).expanduser().is_dir():
        raise InputError(f"masks: data.root is '{root}'; expected a folder with {IMAGES} and {MASKS}. Mend data.root.")
    folder = Path(root).expanduser()
    reading = Reading.of(colour, depth, resize, side, pad)
    present = [p for p in PARTS if (folder / p).is_dir()]
    if 0 < len(present) < len(PARTS):
        raise InputError(f"masks: '{folder}' has the parts {present}; expected all of {list(PARTS)}, or none of them.")
    parts = [_read(folder / p, reading) for p in present] or [_read(folder, reading)]
    if instances:
        parts = [(x, joined(m, (NONE, ignore)), ids) for x, m, ids in parts]
    known = class_values([m for _, m, _ in parts], values, ignore, NONE, str(folder))
    names = tuple(classes) or tuple(map(str, known))
    if len(names) != len(known) or len(known) < 2:
        raise InputError(
            f"masks: '{folder}' has the values {known} and the names {list(names)}; expected at least two values, and "
            "one name for each. Set data.options.values and data.options.classes."
        )
    found = []
    for (x, masks, ids), part in zip(parts, present or [""], strict=True):
        found.append(Samples(x, class_numbers(masks, known), Regions(names), str(folder / part), ids))
    if len(found) == 1:
        found = divide(found[0], fractions, split_seed)
    return Splits(*found, reading=reading.to_json()).prepare(Recipe(), scale)


def read_mask(path: Path) -> Tensor:
    """Read the values of a mask, int64 ``[H, W]``; of a picture with a palette the numbers of its entries.

    Raises:
        InputError: a file that cannot be read, or has colours or values that are no whole numbers.
    """
    end = path.suffix.lower()
    if end not in (".png", ".npy", *TIFF):  # JPEG smears the values along edges
        raise InputError(f"'{path}' ends in '{path.suffix}'; expected a mask: .png, .tif, .npy, exact to the pixel.")
    try:
        if end == ".npy":
            found = np.load(path, allow_pickle=False)
        elif end in TIFF:
            found = tiff_mask(path)
        else:
            from PIL import Image

            with Image.open(path) as picture:
                found = np.asarray(picture)
    except InputError:
        raise
    except BROKEN as e:
        text = (str(e).splitlines() or [type(e).__name__])[0]
        raise InputError(
            f"'{path}' cannot be read ({text}); expected a mask: PNG, TIFF, npy. Write it again."
        ) from None
    if found.ndim != 2 or found.dtype.kind not in "iub":
        raise InputError(
            f"'{path}' is {found.dtype} {list(found.shape)}; expected whole numbers [H, W], one for each pixel. "
            + ("Save it grey or with a palette." if found.ndim > 2 else "Save it as whole numbers.")
        )
    return torch.from_numpy(found.astype(np.int64))


def fit_mask(mask: Tensor, reading: Reading) -> Tensor:
    """Bring a mask ``[H, W]`` to the size of its image: cut and padded with :data:`NONE`, or the nearest pixel."""
    if reading.side is None or tuple(mask.shape) == reading.side:
        return mask
    if reading.resize == "scale":
        return F.interpolate(mask[None, None].double(), reading.side, mode="nearest-exact")[0, 0].long()
    return crop(mask, reading.side, NONE)


#: what stands where a mask was padded: no mask of a file holds it
NONE = -(2**62)


def _read(folder: Path, reading: Reading) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Images ``[N, C, H, W]``, masks ``[N, H, W]`` and names of one part."""
    for name in (IMAGES, MASKS):
        if not (folder / name).is_dir():
            raise InputError(f"masks: '{folder}' has no folder '{name}'; expected {IMAGES} and {MASKS} in it.")
    shown, held = _by_name(folder / IMAGES), _by_name(folder / MASKS)
    files, keys = list(shown.values()), list(shown)
    if not files:
        others = list_images(folder / IMAGES)[1]
        raise InputError(
            f"masks: '{folder / IMAGES}' has no image ({len(others)} other files); expected files of "
            f"{', '.join(EXTENSIONS)}. Convert them."
        )
    bare = [f for f, k in zip(files, keys, strict=True) if k not in held]
    if bare:
        name = (folder / MASKS / bare[0].relative_to(folder / IMAGES)).with_suffix(".png")
        raise InputError(
            f"masks: '{bare[0]}' has no mask ({len(bare)} of {len(files)} images); expected '{name}', .tif or .npy. "
            "Give masks the names of their images, or move these away."
        )
    spare = [p for k, p in held.items() if k not in shown]
    if spare:
        raise InputError(
            f"masks: '{spare[0]}' has no image ({len(spare)} of {len(held)} masks); expected one of its name in "
            f"'{folder / IMAGES}'. Add it, or move the mask away."
        )
    x, sizes = read_with_sizes(files, None, reading)
    masks = []
    for file, key, size in zip(files, keys, sizes, strict=True):
        raw = read_mask(held[key])
        if tuple(raw.shape) != size:
            raise InputError(
                f"'{held[key]}' has {raw.shape[0]} x {raw.shape[1]} pixels; expected {size[0]} x {size[1]}, those of "
                f"'{file}'. Mend the mask."
            )
        masks.append(fit_mask(raw, reading))
    return x, torch.stack(masks), tuple(k.as_posix() for k in keys)


def _by_name(folder: Path) -> dict[Path, Path]:
    """The files below a folder by their names without the end, each of which may come once."""
    found: dict[Path, Path] = {}
    for path in list_images(folder)[0]:
        first = found.setdefault(path.relative_to(folder).with_suffix(""), path)
        if first != path:
            raise InputError(f"masks: '{first}' and '{path}' have one name; expected each once. Rename one of them.")
    return found
