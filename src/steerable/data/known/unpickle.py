"""Pickled arrays, read without running anything: only numpy arrays, dicts, lists, numbers and text come out.

A pickle may name any function and have it called. Here three names of numpy are known, and each is a stand-in of ours
that notes its arguments; arrays are built from them afterwards, by numpy's public functions. Everything else is refused
before it is called. So neither code nor a forged array header can reach the interpreter.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from steerable.data.errors import InputError

DEEPEST, MOST = 20, 20_000_000
KINDS = "biufSUO"  # of arrays and numbers: bool, int, unsigned, float, bytes, text, objects


class _Dtype:
    """Stands for `numpy.dtype`: its text and byte order are kept, its flags are not believed."""

    def __init__(self, text: Any = None, *rest: Any) -> None:
        self.text = text.decode("ascii") if isinstance(text, bytes) else text
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError(f"a byte order {order!r}")
        self.order = order

    def real(self) -> np.dtype:
        """Return the dtype."""
        if not isinstance(self.text, str) or len(self.text) > 16:
            raise pickle.UnpicklingError(f"a structured array {str(self.text)[:40]!r}")
        dtype = np.dtype(self.text).newbyteorder(self.order if self.order != "|" else "=")  # pyright: ignore
        if dtype.kind not in KINDS:
            raise pickle.UnpicklingError(f"an array of {dtype}")
        return dtype


class _Array:
    """Stands for `numpy.ndarray` while its state is not there yet."""

    def __init__(self, *arguments: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)

    def real(self, depth: int, left: list[int]) -> np.ndarray:
        """Return the array; the numbers are those of :func:`plain`."""
        if len(self.state) != 5 or not isinstance(self.state[2], _Dtype):
            raise pickle.UnpicklingError(f"an array with a state of {len(self.state)} entries")
        _, shape, dtype, fortran, content = self.state
        kind = dtype.real()
        shape = tuple(int(n) for n in shape)
        order = "F" if fortran else "C"
        if kind.kind == "O":
            if not isinstance(content, list) or len(content) != int(np.prod(shape)):
                raise pickle.UnpicklingError(f"an array {shape} of objects that are not there")
            whole = np.empty(len(content), dtype=object)
            for i, item in enumerate(content):
                whole[i] = plain(item, depth + 1, left)
            return whole.reshape(shape, order=order)
        if isinstance(content, str):  # bytes of Python 2 in a newer pickle
            content = content.encode("latin1")
        if not isinstance(content, bytes) or len(content) != int(np.prod(shape)) * kind.itemsize:
            raise pickle.UnpicklingError(f"an array of {shape} with other content")
        return np.frombuffer(content, kind).reshape(shape, order=order).astype(kind.newbyteorder("="))


class _Scalar:
    """Stands for a number of numpy."""

    def __init__(self, dtype: Any = None, content: Any = b"") -> None:
        self.dtype, self.content = dtype, content

    def real(self) -> Any:
        """Return the number."""
        if not isinstance(self.dtype, _Dtype):
            raise pickle.UnpicklingError(f"a number of the type {str(self.dtype)[:40]!r}")
        kind = self.dtype.real()
        content = self.content.encode("latin1") if isinstance(self.content, str) else self.content
        if kind.kind == "O" or not isinstance(content, bytes) or len(content) != kind.itemsize:
            raise pickle.UnpicklingError(f"a number of {kind} with other content")
        return np.frombuffer(content, kind)[0].item()


class _Type:
    """Stands for the class `numpy.ndarray`, which is only ever an argument."""


def _encode(text: str, how: str) -> bytes:
    """Bytes as pickles of protocol 2 write them."""
    if how != "latin1":
        raise pickle.UnpicklingError(f"text in {how!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """No bytes, as pickles of protocol 2 write them."""
    return b""


_NAMES: dict[str, Any] = {
    "_reconstruct": _Array, "scalar": _Scalar, "ndarray": _Type, "dtype": _Dtype, "encode": _encode,
    "bytes": _no_bytes,
}  # fmt: skip
_MODULES = {
    "_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "scalar": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "ndarray": ("numpy",),
    "dtype": ("numpy",),
    "encode": ("_codecs",),
    "bytes": ("builtins", "__builtin__"),
}


class _Reader(pickle.Unpickler):
    """Knows the names above and no others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in.

        Raises:
            UnpicklingError: any other name.
        """
        if module not in _MODULES.get(name, ()):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither an array nor plain data")
        return _NAMES[name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse objects outside the file.

        Raises:
            UnpicklingError: always.
        """
        raise pickle.UnpicklingError(f"it refers to {str(pid)[:40]!r} outside the file")


def plain(value: Any, depth: int = 0, left: list[int] | None = None) -> Any:
    """Return `value` with arrays and numbers in place of their stand-ins.

    Args:
        value: what the reader returned.
        depth: how deep it lies.
        left: how many values may still come: a small file can name one list a billion times.

    Raises:
        UnpicklingError: anything that is not data, nested too deep, or too much.
    """
    left = [MOST] if left is None else left
    left[0] -= 1
    if depth > DEEPEST or left[0] < 0:
        raise pickle.UnpicklingError(f"data nested {depth} deep, or more than {MOST} values")
    if isinstance(value, _Array):
        return value.real(depth, left)
    if isinstance(value, _Scalar):
        return value.real()
    if isinstance(value, dict):
        return {plain(k, depth + 1, left): plain(v, depth + 1, left) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v, depth + 1, left) for v in value)
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")


def read_pickle(content: bytes, name: str) -> Any:
    """Return the data of a pickle; text of Python 2 comes out as bytes.

    Args:
        content: the file.
        name: of it, for messages.

    Raises:
        InputError: it asks for anything but arrays and plain data, or is broken.
    """
    try:
        return plain(_Reader(io.BytesIO(content), encoding="bytes").load())
    except Exception as e:  # a forged file may raise anything
        text = (str(e).splitlines() or [type(e).__name__])[0]
        raise InputError(
            f"'{name}' is refused as a pickle ({text}); expected arrays, lists and dicts only, which are read without "
            "running code. Fetch the published file, or save plain arrays."
        ) from None


def read_npy(path: Path) -> Any:
    """Return the content of an ``.npy`` file: an array, or, of an array of objects, the array of them.

    Raises:
        InputError: it is broken, or holds anything but arrays, numbers and text.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
            if dtype.hasobject:
                return read_pickle(file.read(), str(path))
            file.seek(0)
            array = np.lib.format.read_array(file, allow_pickle=False)
            if array.shape != shape:
                raise ValueError(f"shape {array.shape}")
            return array
    except InputError:
        raise
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, MemoryError, OverflowError) as e:
        text = (str(e).splitlines() or [type(e).__name__])[0]
        raise InputError(f"'{path}' cannot be read as npy ({text}); expected a whole file. Fetch it again.") from None
