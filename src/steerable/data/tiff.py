"""TIFF files: pictures, channels and stacks by the axes that the file states, as microscopes write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from steerable.data.errors import InputError

EXTENSIONS = (".tif", ".tiff")
Size = tuple[float, float, float]


class Header(NamedTuple):
    """What a file says of itself.

    Attributes:
        axes: a letter for each axis of the array: Y and X, S or C of channels, Z, T, or Q and I of pages.
        shape: its length along each.
        dtype: of the numbers.
        voxel: the size of a voxel along x1, x2, x3 in the unit of the file (ImageJ, OME); None where it is not said.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    voxel: Size | None


def read_header(path: Path) -> Header:
    """Return the axes, shape, dtype and voxel of a file without its pixels.

    Raises:
        InputError: tifffile is not installed, or the file holds several series of unlike shape.
        OSError: no TIFF file.
    """
    with _opened(path) as file:
        return _header(path, file)


def tiff_images(path: Path) -> np.ndarray:
    """Read the images ``[N, C, H, W]`` of a file; one axis besides channels, such as Z or T, counts images.

    Palettes become colours, an opaque alpha channel is dropped.

    Raises:
        InputError: as :func:`read_header`, more axes than that, or partly transparent pixels.
        OSError: a broken file.
    """
    with _opened(path) as file:
        header, page = _header(path, file), file.pages[0]
        array, axes = _pixels(path, file), header.axes
        if page.colormap is not None and "S" not in axes:
            array, axes = np.moveaxis(page.colormap[:, array] >> 8, 0, -1).astype(np.uint8), axes + "S"
        if page.photometric.name == "MINISWHITE":
            array = ~array if array.dtype.kind == "b" else np.iinfo(array.dtype).max - array
        clear = len(page.extrasamples) if axes.endswith("S") and array.shape[-1] in (2, 4) else 0
    if clear:
        if (array[..., -1] != np.iinfo(array.dtype).max).any():
            raise InputError(f"'{path}' is partly transparent; expected an opaque picture. Flatten it.")
        array = array[..., :-1]
    return _arranged(array, axes, "ZTQI", f"'{path}'", "images [H, W] with channels, or a stack of them")


def tiff_volume(path: Path) -> tuple[np.ndarray, Size | None]:
    """Read the volume of a file, ``[1, D, H, W]`` or with channels ``[1, C, D, H, W]``, and the size of its voxels.

    Pages lie along D, rows along H from the top, as those of an image.

    Raises:
        InputError: as :func:`read_header`, no axis of depth, or a time beside it.
        OSError: a broken file.
    """
    with _opened(path) as file:
        header, array = _header(path, file), _pixels(path, file)
    # [D, C, H, W]: pages are depth
    found = _arranged(array, header.axes, "ZQI", f"'{path}'", "one volume [D, H, W], with channels or without")
    if not set(header.axes) & set("ZQI"):
        raise InputError(
            f"'{path}' has the axes {header.axes}, {list(header.shape)}; expected a stack of pages along Z. A file of "
            "one page is an image."
        )
    return (found[None, :, 0] if found.shape[1] == 1 else found.swapaxes(0, 1)[None]), header.voxel


def tiff_mask(path: Path) -> np.ndarray:
    """Read the numbers ``[H, W]`` of a file as they are; of more axes all of them, for the caller to refuse.

    Raises:
        InputError: as :func:`read_header`.
        OSError: a broken file.
    """
    with _opened(path) as file:
        return _pixels(path, file)


def write_tiff(path: Path, array: np.ndarray, axes: str) -> None:
    """Write an array whose axes have these letters, so that :func:`read_header` and ImageJ find them again.

    Raises:
        InputError: tifffile is not installed.
    """
    require_tifffile(f"'{path}'").imwrite(
        path, array, photometric="minisblack", metadata={"axes": axes}, compression="zlib"
    )


def require_tifffile(who: str) -> Any:
    """Return the package that reads and writes TIFF files.

    Raises:
        InputError: it is not installed.
    """
    try:
        import tifffile
    except ModuleNotFoundError:
        raise InputError(
            f"{who}: TIFF files need the package tifffile, which is not installed; expected the extra [images]: "
            "pip install 'steerable[images]'"
        ) from None
    return tifffile


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    tifffile = require_tifffile(f"'{path}'")
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except tifffile.TiffFileError as e:
        raise OSError(str(e)) from None


def _header(path: Path, file: Any) -> Header:
    series = file.series
    if len(series) != 1:
        shapes = ", ".join(f"{s.axes} {list(s.shape)}" for s in series[:4])
        raise InputError(
            f"'{path}' holds {len(series)} series ({shapes}{', ...' if len(series) > 4 else ''}); expected one. Save "
            "each in a file of its own."
        )
    return Header(series[0].axes, tuple(series[0].shape), series[0].dtype, _voxel(file))


def _pixels(path: Path, file: Any) -> np.ndarray:
    """The array of the only series; packings that tifffile leaves to others are read by Pillow."""
    series = file.series[0]
    try:
        return series.asarray()
    except ValueError as e:
        if "imagecodecs" not in str(e):
            raise
    from PIL import Image, ImageSequence

    with Image.open(path) as picture:
        pages = [np.asarray(page) for page in ImageSequence.Iterator(picture)]
    array = np.stack(pages)
    if array.size != np.prod(series.shape) or array.dtype != series.dtype:
        raise InputError(
            f"'{path}' is packed by {file.pages[0].compression.name}; expected none, deflate or LZW. Save it without, "
            "or pip install imagecodecs."
        )
    return array.reshape(series.shape)


def _voxel(file: Any) -> Size | None:
    """The size of a voxel along x1, x2, x3 by ImageJ's or OME's words."""
    if file.is_ome:
        pixels = next((e for e in ElementTree.fromstring(file.ome_metadata).iter() if e.tag.endswith("}Pixels")), None)
        sizes = [float((pixels.attrib if pixels is not None else {}).get(f"PhysicalSize{k}", 0)) for k in "XYZ"]
    elif file.is_imagej:
        tags = file.pages[0].tags
        steps = [tags[f"{k}Resolution"].value if f"{k}Resolution" in tags else (0, 1) for k in "XY"]
        sizes = [d / n if n else 0.0 for n, d in steps] + [float((file.imagej_metadata or {}).get("spacing", 0))]
    else:
        return None
    return (sizes[0], sizes[1], sizes[2]) if min(sizes) > 0 else None


def _arranged(array: np.ndarray, axes: str, stack: str, name: str, expected: str) -> np.ndarray:
    """The array as ``[N, C, H, W]``, N along the one axis of `stack`, C along S or C."""
    pages, channels = [k for k in axes if k in stack], [k for k in axes if k in "SC"]
    known = len(pages) < 2 and len(channels) < 2 and len(axes) == 2 + len(pages) + len(channels)
    if not known or "Y" not in axes or "X" not in axes:
        raise InputError(f"{name} has the axes {axes}, {list(array.shape)}; expected {expected}. Save the parts apart.")
    order = [*pages, *channels, "Y", "X"]
    array = array.transpose([axes.index(k) for k in order])
    array = array if pages else array[None]
    return array if channels else array[:, None]
