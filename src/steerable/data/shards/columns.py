"""Columns: what one row holds, and its two forms, torch and Arrow."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError

Block = dict[str, Any]
"""Rows by column name: a tensor `[rows, *shape]`, or a list of strings for a text column."""

TEXT = "text"
DTYPES = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
}


@dataclasses.dataclass(frozen=True)
class Column:
    """The type of one column.

    Attributes:
        dtype: one of `DTYPES`, or "text".
        shape: shape of one row's entry; () for a number. Truth values and texts have no shape.
        finite: whether NaN and infinite values are refused, for float columns.

    Raises:
        InputError: an unknown dtype, or a shape that cannot be.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    finite: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if self.dtype not in (*DTYPES, TEXT):
            raise InputError(f"Column: dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}, {TEXT}.")
        if any(not isinstance(n, int) or n < 1 for n in self.shape):
            raise InputError(f"Column: shape is {self.shape}; expected sides of at least 1.")
        if self.shape and self.dtype in ("bool", TEXT):
            raise InputError(f"Column: a {self.dtype} column has shape {self.shape}; expected (). Use uint8.")

    @property
    def is_float(self) -> bool:
        """Whether entries are floating-point numbers."""
        return self.dtype.startswith("float")

    @property
    def size(self) -> int:
        """Numbers in one row's entry."""
        return math.prod(self.shape)

    def to_dict(self, name: str) -> dict[str, Any]:
        """JSON-ready form, with the name of the column."""
        return {"name": name, "dtype": self.dtype, "shape": list(self.shape), "finite": self.finite}

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}" if self.shape else self.dtype


def columns_of(block: Mapping[str, Any], may_be_nan: tuple[str, ...] = ()) -> dict[str, Column]:
    """Read the columns off a block of rows.

    Args:
        block: tensors `[rows, *shape]` and lists of strings, by name.
        may_be_nan: float columns in which NaN means "no value".
    """
    found = {}
    for name, values in block.items():
        if isinstance(values, Tensor):
            dtype, shape = str(values.dtype).removeprefix("torch."), tuple(values.shape[1:])
        else:
            dtype, shape = TEXT, ()
        found[name] = Column(dtype, shape, finite=name not in may_be_nan)
    return found


def check_names(columns: Mapping[str, Column]) -> None:
    """Refuse names that a Parquet path or another reader would take apart.

    Raises:
        InputError: naming the first.
    """
    for name in columns:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise InputError(f"columns: the name {name!r} cannot be used; expected letters, digits and underscores.")
    if not columns:
        raise InputError(f"columns: there are {len(columns)}; expected at least one.")


def check_block(block: Mapping[str, Any], columns: Mapping[str, Column], rows: int, where: str) -> None:
    """Compare a block with what was promised.

    Raises:
        InputError: another set of columns, another dtype or shape, another number of rows, or a value that is not
            finite.
    """
    if list(block) != list(columns):
        raise InputError(f"{where}: the columns are {list(block)}; expected {list(columns)}, in this order.")
    for name, column in columns.items():
        values = block[name]
        if column.dtype == TEXT:
            if len(values) != rows or not all(isinstance(v, str) for v in values):
                raise InputError(f"{where}: '{name}' has {len(values)} entries; expected {rows} strings.")
            continue
        expected = (rows, *column.shape)
        if values.dtype != DTYPES[column.dtype] or tuple(values.shape) != expected:
            found = f"{str(values.dtype).removeprefix('torch.')} {tuple(values.shape)}"
            raise InputError(f"{where}: '{name}' is {found}; expected {column.dtype} {expected}.")
        check_finite(values, column, f"{where}: '{name}'")


def check_finite(values: Tensor, column: Column, where: str) -> None:
    """Refuse NaN and infinite values in a float column that promises none.

    Raises:
        InputError: naming the first row.
    """
    if not (column.is_float and column.finite):
        return
    # the sum is finite unless an entry is not, or large entries overflow: only then is every entry looked at
    if math.isfinite(float(values.sum(dtype=torch.float64))):
        return
    bad = ~torch.isfinite(values).flatten(1).all(1) if column.shape else ~torch.isfinite(values)
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        raise InputError(
            f"{where} holds NaN or infinite values (first in row {row}); expected finite ones. Make the data again."
        )


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column: a fixed-shape tensor where an entry has a shape."""
    import pyarrow as pa

    if column.dtype == TEXT:
        return pa.string()
    value = pa.bool_() if column.dtype == "bool" else pa.from_numpy_dtype(np.dtype(column.dtype))
    return pa.fixed_shape_tensor(value, column.shape) if column.shape else value


def arrow_schema(columns: Mapping[str, Column]) -> Any:
    """The Arrow schema of all columns, in their order."""
    import pyarrow as pa

    return pa.schema([pa.field(name, arrow_type(column)) for name, column in columns.items()])


def to_arrow(values: Any, column: Column) -> Any:
    """Arrow array of one column; shares the memory of the tensor."""
    import pyarrow as pa

    if column.dtype == TEXT:
        return pa.array(values, pa.string())
    array = values.detach().cpu().contiguous().numpy()
    if not column.shape:
        return pa.array(array)
    storage = pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), column.size)
    return pa.ExtensionArray.from_storage(arrow_type(column), storage)


def from_arrow(array: Any, column: Column) -> Any:
    """Read-only numpy array `[rows, *shape]` on the memory of a whole Arrow array, or a list of strings.

    Truth values are unpacked, so they are a copy.
    """
    if column.dtype == TEXT:
        return array.to_pylist()
    if not column.shape:
        return array.to_numpy(zero_copy_only=False)
    # flatten() respects the offset of a slice, .values would not
    return array.storage.flatten().to_numpy(zero_copy_only=True).reshape(len(array), *column.shape)
