"""TIFF files: pictures, channels and stacks by the axes that the file states, as microscopes write them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from steerable.data.errors import InputError

EXTENSIONS = (".tif", ".tiff")
Size = tuple[float, float, float]
#: micrometres of the units of OME and ImageJ; others stay as they are
MICROMETRES: Mapping[str, float] = {
    "pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00B5m": 1.0,
    "mm": 1e3, "cm": 1e4, "inch": 25400.0, "m": 1e6,
}  # fmt: skip


class Header(NamedTuple):
    """What a file says of itself.

    Attributes:
        axes: a letter for each axis of the array: Y and X, S or C of channels, Z, T, or Q and I of pages.
        shape: its length along each.
        dtype: of the numbers.
        voxel: the size of a voxel along x1, x2, x3 by ImageJ's or OME's words, in micrometres where the unit is one
            of length; None where it is not said.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    voxel: Size | None


def read_header(path: Path) -> Header:
    """Return the axes, shape, dtype and voxel of a file without its pixels.

    Raises:
        InputError: tifffile is not installed, or the file holds several series, or not all pages that it states.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        return _header(path, file)


def tiff_images(path: Path) -> np.ndarray:
    """Read the images ``[N, C, H, W]`` of a file; one axis besides channels, such as Z or T, counts images.

    Palettes become colours, but for those of ImageJ, which only say how grey is shown; an opaque alpha channel is
    dropped; where white is zero, numbers are turned over.

    Raises:
        InputError: as :func:`read_header`, more axes than that, partly transparent pixels, pages of several palettes.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        header, page = _header(path, file), file.pages[0]
        array, axes = _upright(path, file), header.axes
        if page.colormap is not None and "S" not in axes and not file.is_imagej:
            if any(not np.array_equal(p.colormap, page.colormap) for p in file.pages):
                raise InputError(f"'{path}' has pages of several palettes; expected one. Save the pages in colour.")
            array, axes = np.moveaxis(page.colormap[:, array] >> 8, 0, -1).astype(np.uint8), axes + "S"
        extra = page.extrasamples
        alpha = bool(extra) and "S" in axes and extra[-1].name in ("ASSOCALPHA", "UNASSALPHA")
    found = _arranged(array, axes, "ZTQI", f"'{path}'", "images [H, W] with channels, or a stack of them")
    if alpha:
        if (found[:, -1] != (1 if found.dtype.kind == "f" else np.iinfo(found.dtype).max)).any():
            raise InputError(f"'{path}' is partly transparent; expected an opaque picture. Flatten it.")
        found = found[:, :-1]
    return found


def tiff_volume(path: Path) -> tuple[np.ndarray, Size | None]:
    """Read the volume of a file, ``[1, D, H, W]`` or with channels ``[1, C, D, H, W]``, and the size of its voxels.

    Pages lie along D, rows along H from the top, as those of an image. Of a palette the numbers of its entries.

    Raises:
        InputError: as :func:`read_header`, no axis of depth, or a time beside it.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        header, array = _header(path, file), _upright(path, file)
    # [D, C, H, W]: pages are depth
    found = _arranged(array, header.axes, "ZQI", f"'{path}'", "one volume [D, H, W], with channels or without")
    if not set(header.axes) & set("ZQI"):
        raise InputError(
            f"'{path}' has the axes {header.axes}, {list(header.shape)}; expected a stack of pages along Z. A file of "
            "one page is an image."
        )
    return (found[None, :, 0] if found.shape[1] == 1 else found.swapaxes(0, 1)[None]), header.voxel


def tiff_mask(path: Path) -> np.ndarray:
    """Read the numbers ``[H, W]`` of a file as they stand in it; of more axes all of them, for the caller to refuse.

    Raises:
        InputError: as :func:`read_header`.
        OSError: a file that cannot be read.
    """
    with _opened(path) as file:
        _header(path, file)
        return file.series[0].asarray()


def write_tiff(path: Path, array: np.ndarray, axes: str) -> None:
    """Write an array whose axes have these letters, so that :func:`read_header` and ImageJ find them again.

    Raises:
        InputError: tifffile is not installed.
    """
    tifffile = require_tifffile(f"'{path}'")
    tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": axes}, compression="zlib")


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


class _Complaints(logging.Handler):
    """What tifffile logs as an error and reads over, such as pages that are not there."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.texts.append(record.getMessage())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file; whatever its readers raise, or log as an error, is an OSError."""
    tifffile = require_tifffile(f"'{path}'")
    log, complaints = logging.getLogger("tifffile"), _Complaints()
    log.addHandler(complaints)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except InputError:
        raise
    except Exception as e:  # tifffile and its codecs raise nearly everything
        raise OSError((str(e).splitlines() or [type(e).__name__])[0]) from None
    finally:
        log.removeHandler(complaints)
    if complaints.texts:
        raise OSError(complaints.texts[0].splitlines()[0])


def _header(path: Path, file: Any) -> Header:
    series = file.series
    if len(series) != 1:
        shapes = ", ".join(f"{s.axes} {list(s.shape)}" for s in series[:4])
        raise InputError(
            f"'{path}' holds {len(series)} series ({shapes}{', ...' if len(series) > 4 else ''}); expected one. Save "
            "each in a file of its own."
        )
    pages = series[0].pages
    lost = sum(page is None for page in pages)
    if lost:
        raise InputError(f"'{path}' lacks {lost} of its {len(pages)} pages; expected all of them. Write it again.")
    return Header(series[0].axes, tuple(series[0].shape), series[0].dtype, _voxel(file))


def _upright(path: Path, file: Any) -> np.ndarray:
    """The array of the only series, growing with the light."""
    array = file.series[0].asarray()
    if file.pages[0].photometric.name != "MINISWHITE":
        return array
    if array.dtype.kind not in "iub":
        raise InputError(f"'{path}' has {array.dtype} of which white is zero; expected black. Save it that way.")
    return ~array


def _voxel(file: Any) -> Size | None:
    """The size of a voxel along x1, x2, x3 in micrometres, or in the unit of the file."""
    sizes = []
    if file.is_ome:
        pixels = next((e for e in ElementTree.fromstring(file.ome_metadata).iter() if e.tag.endswith("Pixels")), None)
        said = {} if pixels is None else pixels.attrib
        sizes = [(said.get(f"PhysicalSize{k}"), said.get(f"PhysicalSize{k}Unit", "µm")) for k in "XYZ"]
    elif file.is_imagej:
        tags, said = file.pages[0].tags, file.imagej_metadata or {}
        steps = [tags[f"{k}Resolution"].value if f"{k}Resolution" in tags else (0, 1) for k in "XY"]
        unit = str(said.get("unit", ""))
        sizes = [(d / n if n else None, unit) for n, d in steps] + [(said.get("spacing"), unit)]
    try:
        found = [float(s) * MICROMETRES.get(unit, 1.0) for s, unit in sizes if s is not None]
    except ValueError:  # no number
        return None
    good = len(found) == 3 and all(math.isfinite(s) and s > 0 for s in found)
    return (found[0], found[1], found[2]) if good else None


def _arranged(array: np.ndarray, axes: str, stack: str, name: str, expected: str) -> np.ndarray:
    """The array as ``[N, C, H, W]``, N along the one axis of `stack`, C along S or C."""
    pages, channels = [k for k in axes if k in stack], [k for k in axes if k in "SC"]
    known = len(pages) < 2 and len(channels) < 2 and len(axes) == 2 + len(pages) + len(channels)
    if not known or "Y" not in axes or "X" not in axes:
        mend = "If T are slices, save them as Z" if "T" in axes and "Z" not in axes else "Save the parts apart"
        raise InputError(f"{name} has the axes {axes}, {list(array.shape)}; expected {expected}. {mend}.")
    order = [*pages, *channels, "Y", "X"]
    array = array.transpose([axes.index(k) for k in order])
    array = array if pages else array[None]
    return array if channels else array[:, None]
