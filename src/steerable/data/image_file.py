"""One file with one image or many: FITS, npy, npz, PNG, JPEG, TIFF. Pixels are checked, nothing is resized."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError, did_you_mean
from steerable.data.files import as_images
from steerable.data.tiff import EXTENSIONS as TIFF
from steerable.data.tiff import read_header, tiff_images

FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")
PICTURES = (".png", ".jpg", ".jpeg")
EXTENSIONS = (*FITS, ".npy", ".npz", *PICTURES, *TIFF)
BROKEN = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, SyntaxError, MemoryError,
          OverflowError, NotImplementedError, zipfile.BadZipFile, zlib.error)  # fmt: skip


def extension(path: Path) -> str:
    """Return the extension that decides how a file is read, in lower case; that of a packed FITS file has two parts."""
    name = path.name.lower()
    return next((end for end in (".fits.gz", ".fits.fz") if name.endswith(end)), path.suffix.lower())


def iterate_images(
    path: str | Path, hdu: int | None = None, chunk: int = 256, check: bool = True, full: bool = False
) -> Iterator[Tensor]:
    """Read a file in pieces of at most `chunk` images.

    ========================  ==================================================================================
    FITS                      the first HDU with a 2-D array, or `hdu`; ``[bands, H, W]`` is one image of several
                              channels; leading axes of length 1 are dropped. Row 0 is the first row of the file,
                              which viewers of the sky show at the bottom.
    npy, npz                  ``[H, W]``, ``[N, H, W]`` or ``[N, C, H, W]``; an npz file has one array, or it is `x`
    PNG, JPEG                 grey or colour; an opaque alpha channel is dropped
    TIFF                      by the axes that the file states: channels, and one axis of images (Z, T or pages)
    ========================  ==================================================================================

    Whole numbers of 8 bits come into ``[0, 1]``; all others stay as they are.

    Args:
        path: the file.
        hdu: of a FITS file; None: the first one with an image.
        chunk: images at a time.
        check: refuse NaN; otherwise the caller asks :func:`check_image` for each image.
        full: whole numbers of 16 bits come into ``[0, 1]``, too.

    Yields:
        float32 ``[n, C, H, W]``.

    Raises:
        InputError: naming the file: it does not exist, cannot be read, holds no image, or holds NaN.
    """
    path = Path(path)
    read = find_reader(path)
    done = 0
    try:
        for part in read(path, hdu, chunk):
            images = as_images(part, str(path), full)
            check_shape(images, path)
            for k, image in enumerate(images if check else ()):
                check_image(image, str(path) if len(images) == 1 and not done else f"{path}#{done + k}")
            done += len(images)
            yield images
    except InputError:
        raise
    except BROKEN as e:
        text = (str(e).splitlines() or [type(e).__name__])[0]
        raise InputError(
            f"'{path}' cannot be read as {extension(path)[1:]} ({text}); expected a whole file of this kind. Fetch or "
            "write it again."
        ) from None
    if not done:
        raise InputError(f"'{path}' holds 0 images; expected at least one. Leave the file out.")


def read_image_file(path: str | Path, hdu: int | None = None, full: bool = False) -> Tensor:
    """Read all images of a file, float32 ``[n, C, H, W]``; see :func:`iterate_images`."""
    return torch.cat(list(iterate_images(path, hdu, full=full)))


def pixel_depth(path: str | Path) -> str:
    """Return how deep the whole numbers of a file are by its header, such as ``8 bits``; empty for all else."""
    path = Path(path)
    try:
        if extension(path) in PICTURES:
            from PIL import Image

            with Image.open(path) as picture:
                return "16 bits" if picture.mode.startswith("I") else "" if picture.mode == "F" else "8 bits"
        if extension(path) == ".npy":
            with path.open("rb") as file:
                return _bits(_header(file)[2])
        if extension(path) in TIFF:
            return _bits(read_header(path).dtype)
    except (*BROKEN, InputError):
        pass  # reading it will say why
    return ""


def _bits(dtype: np.dtype) -> str:
    return f"{8 * dtype.itemsize} bits" if dtype.kind in "iu" else ""


def count_images(path: str | Path) -> int:
    """Return how many images a file holds by its header alone; 1 where that cannot be told."""
    path = Path(path)
    try:
        if extension(path) == ".npy":
            with path.open("rb") as file:
                return _count(_header(file)[0])
        if extension(path) == ".npz":
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path)) as file:
                return _count(_header(file)[0])
        if extension(path) in TIFF:
            header = read_header(path)
            return math.prod(n for k, n in zip(header.axes, header.shape, strict=True) if k not in "SCYX")
    except (*BROKEN, InputError):
        pass  # reading it will say why
    return 1


def find_reader(path: Path) -> Callable[[Path, int | None, int], Iterator[np.ndarray]]:
    """Return the reader of a file.

    Raises:
        InputError: no such file, or another extension.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"'{path}' {what}; expected an image file. Mend the path.")
    end = extension(path)
    if end not in EXTENSIONS:
        raise InputError(
            f"'{path}' has the extension '{end}'; expected one of {', '.join(EXTENSIONS)}."
            f"{did_you_mean(end, EXTENSIONS)} Convert the file."
        )
    if end in FITS:
        return _fits
    if end in TIFF:
        return _tiff
    return _npy if end == ".npy" else _npz if end == ".npz" else _picture


def check_shape(images: Tensor, path: Path) -> None:
    """Refuse images ``[n, C, H, W]`` without pixels, or with what must be channels last.

    Raises:
        InputError: naming the file.
    """
    c, h, w = images.shape[1:]
    if min(c, h, w) < 1:
        raise InputError(f"'{path}' holds images of {[c, h, w]}; expected at least one pixel. Leave the file out.")
    if w <= 4 < c:
        raise InputError(
            f"'{path}' holds images of {[c, h, w]}, which looks like channels last; expected [N, C, H, W]. Move the "
            "channels with numpy.moveaxis(x, -1, 1)."
        )


def check_image(image: Tensor, name: str) -> None:
    """Refuse an image ``[C, H, W]`` with NaN or infinite pixels.

    Raises:
        InputError: naming it and how many pixels.
    """
    bad = int((~torch.isfinite(image)).sum())
    if bad:
        raise InputError(
            f"'{name}' has {bad} of {image.numel()} pixels that are NaN or infinite; expected finite values. Fill the "
            "pixels or leave the image out."
        )


def _fits(path: Path, hdu: int | None, chunk: int) -> Iterator[np.ndarray]:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        # astropy warns of headers that break the standard, which does not concern the pixels; but a file that is
        # shorter than its header says is no image
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.filterwarnings("error", message=".*truncated.*")
        try:
            # astropy does not close a broken file that it opened itself
            with path.open("rb") as raw, fits.open(raw, memmap=False, lazy_load_hdus=False) as file:
                array = _pick(path, file, hdu)
        except (fits.VerifyError, AstropyWarning) as e:
            raise OSError(f"{e}") from None
    array = array.astype(array.dtype.newbyteorder("="))
    yield array[None, None] if array.ndim == 2 else array[None]


def _pick(path: Path, file: list, hdu: int | None) -> np.ndarray:
    if hdu is not None and not 0 <= hdu < len(file):
        raise InputError(f"'{path}' has {len(file)} HDUs, number {hdu} was asked for; expected 0 to {len(file) - 1}.")
    shapes, bands = [], None
    for unit in file if hdu is None else [file[hdu]]:
        array = unit.data if unit.is_image else None
        shapes.append("a table" if not unit.is_image else "empty" if array is None else str(list(array.shape)))
        if array is None:
            continue
        while array.ndim > 2 and array.shape[0] == 1:
            array = array[0]
        if array.ndim == 2:
            return array
        bands = array if array.ndim == 3 and bands is None else bands
    if bands is not None:
        return bands
    raise InputError(
        f"'{path}' has no image ({'HDUs' if hdu is None else f'HDU {hdu}'}: {', '.join(shapes)}); expected [H, W] or "
        "bands [C, H, W]. Choose another file or hdu."
    )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _count(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) in (3, 4) else 1


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    names = [n for n in archive.namelist() if n.endswith(".npy")]
    if "x.npy" in names:
        return "x.npy"
    if len(names) != 1:
        raise InputError(
            f"'{path}' holds the arrays {sorted(n[:-4] for n in names)}; expected one array, or one of them called x. "
            "Save the images as x."
        )
    return names[0]


def _npz(path: Path, hdu: int | None, chunk: int) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path)) as file:
        yield from _stream(file, path, chunk)


def _npy(path: Path, hdu: int | None, chunk: int) -> Iterator[np.ndarray]:
    with path.open("rb") as file:
        yield from _stream(file, path, chunk)


def _stream(file: IO[bytes], path: Path, chunk: int) -> Iterator[np.ndarray]:
    """Read an array image by image as far as its layout allows: a cube need not fit into memory."""
    shape, fortran, dtype = _header(file)
    if len(shape) not in (2, 3, 4) or dtype.kind not in "fiub":
        raise InputError(
            f"'{path}' holds an array of {dtype} {list(shape)}; expected numbers [H, W], [N, H, W] or [N, C, H, W]."
        )
    if len(shape) == 2 or fortran:
        count = int(np.prod(shape))
        whole = np.frombuffer(_exactly(file, count * dtype.itemsize), dtype)
        whole = whole.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))
        whole = whole[None] if len(shape) == 2 else whole
        yield from (whole[i : i + chunk] for i in range(0, len(whole), chunk))
        return
    each = int(np.prod(shape[1:])) * dtype.itemsize
    for start in range(0, shape[0], chunk):
        n = min(chunk, shape[0] - start)
        part = np.frombuffer(_exactly(file, n * each), dtype).reshape(n, *shape[1:])
        yield part.astype(dtype.newbyteorder("="))


def _exactly(file: IO[bytes], count: int) -> bytes:
    parts, left = [], count
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    if left:
        raise EOFError(f"the file ends {left} bytes early")
    return b"".join(parts)


def _tiff(path: Path, hdu: int | None, chunk: int) -> Iterator[np.ndarray]:
    whole = tiff_images(path)
    yield from (whole[i : i + chunk] for i in range(0, len(whole), chunk))


def _picture(path: Path, hdu: int | None, chunk: int) -> Iterator[np.ndarray]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                if picture.mode in ("P", "1"):
                    picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB" if picture.mode == "P"
                                              else "L")  # fmt: skip
                array, mode = np.asarray(picture), picture.mode
        except Image.DecompressionBombWarning as e:
            raise OSError(f"{e}") from None
    if mode in ("LA", "RGBA"):
        if (array[..., -1] != 255).any():
            raise InputError(f"'{path}' is partly transparent (mode {mode}); expected an opaque picture. Flatten it.")
        array = array[..., :-1]
    array = array[..., None] if array.ndim == 2 else array
    yield np.moveaxis(array, -1, 0)[None]
