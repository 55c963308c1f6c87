"""HDF5 files, opened when they are asked for and read by slices; a packed one is unpacked into a nameless file."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from steerable.data.errors import InputError
from steerable.data.known.source import BROKEN


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; ``.gz`` is unpacked into a nameless temporary file first, which vanishes with it.

    Raises:
        InputError: h5py is not installed, or the file is broken or does not fit into the temporary folder.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise InputError(
            f"'{path}' is an HDF5 file, and the package h5py is not installed; expected the extra [images]: "
            "pip install 'steerable[images]'"
        ) from None
    with ExitStack() as stack:
        try:
            where: Any = path
            if path.suffix == ".gz":
                where = stack.enter_context(tempfile.TemporaryFile())
                with gzip.open(path, "rb") as packed:
                    shutil.copyfileobj(packed, where, 1 << 22)
                where.seek(0)
            file = stack.enter_context(h5py.File(where, "r"))
        except BROKEN as e:
            raise InputError(
                f"'{path}' cannot be opened as HDF5 ({(str(e).splitlines() or [type(e).__name__])[0]}); expected a "
                f"whole file, and room in '{tempfile.gettempdir()}' to unpack one that ends in .gz. Unpack it with "
                "gunzip, or download it again."
            ) from None
        yield file


def dataset(file: Any, key: str, path: Path) -> Any:
    """Return the data set `key`, which is not read yet.

    Raises:
        InputError: there is none.
    """
    if key not in file or not hasattr(file[key], "shape"):
        raise InputError(f"'{path}' has the keys {sorted(file.keys())}; expected '{key}'. Fetch the published file.")
    return file[key]


def rows(data: Any, index: np.ndarray, path: Path) -> np.ndarray:
    """Return the rows at sorted indices, reading one block around those that lie near each other.

    Raises:
        InputError: the file is broken there.
    """
    try:
        cuts = np.flatnonzero(np.diff(index) > 64) + 1  # a gap that is cheaper to leave out than to read
        return np.concatenate([data[part[0] : part[-1] + 1][part - part[0]] for part in np.split(index, cuts)])
    except BROKEN as e:
        raise InputError(
            f"'{path}' cannot be read ({str(e).splitlines()[0]}); expected a whole file. Download it again."
        ) from None
