"""Two columns of a CSV or Parquet table: which image, and its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steerable.data.errors import InputError, did_you_mean


def read_columns(path: str | Path, columns: tuple[str, ...]) -> dict[str, list[Any]]:
    """Read columns of a table.

    Args:
        path: a ``.csv`` or ``.parquet`` file.
        columns: their names.

    Raises:
        InputError: no such file, an unreadable one, a column that is missing, an empty table or an empty cell.
    """
    import pyarrow
    from pyarrow import csv, parquet

    path = Path(path)
    if not path.is_file():
        raise InputError(f"the table '{path}' does not exist; expected a .csv or .parquet file. Mend the path.")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"the table '{path}' ends in '{path.suffix}'; expected .csv or .parquet. Convert it.")
    try:
        table = csv.read_csv(path) if path.suffix.lower() == ".csv" else parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as e:
        text = " ".join(str(e).split())[:160]
        raise InputError(f"the table '{path}' cannot be read ({text}); expected columns {list(columns)}.") from None
    for name in columns:
        if name not in table.column_names:
            raise InputError(
                f"the table '{path}' has the columns {table.column_names}; expected '{name}' among them."
                f"{did_you_mean(name, table.column_names)}"
            )
    if not len(table):
        raise InputError(f"the table '{path}' has no row; expected one for each image.")
    found = {name: table.column(name).to_pylist() for name in columns}
    for name, values in found.items():
        if None in values:
            raise InputError(
                f"the table '{path}' has no value in row {values.index(None) + 1} of '{name}'; expected one in each. "
                "Fill or drop the row."
            )
    return found
