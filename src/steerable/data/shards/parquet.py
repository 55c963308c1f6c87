"""One shard as the bytes of a Parquet file, the same for the same rows, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steerable.data.errors import InputError
from steerable.data.shards.columns import Block, Column, arrow_schema, from_arrow, to_arrow


def encode(block: Block, columns: Mapping[str, Column]) -> bytes:
    """Parquet file of all rows of `block`, in one row group.

    Float columns have their bytes split into planes before zstandard: exponents lie side by side and compress, the
    noise of the mantissa does not. Nothing but rows, columns and the versions of pyarrow and zstandard enters.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(columns)
    table = pa.Table.from_arrays([to_arrow(block[n], c) for n, c in columns.items()], schema=schema)
    # halves are stored as two bytes, which the splitting of pyarrow takes too
    split = [f"{n}.list.element" if c.shape else n for n, c in columns.items() if c.is_float]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        version="2.6",
        row_group_size=max(table.num_rows, 1),
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        use_byte_stream_split=split,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=True,
    )
    return sink.getvalue().to_pybytes()


def decode(data: Any, columns: Mapping[str, Column], chosen: Sequence[str], rows: int, where: str) -> dict[str, Any]:
    """Read-only numpy arrays `[rows, *shape]`, and lists of strings, of the `chosen` columns.

    Args:
        data: an Arrow buffer with the file.
        columns: all columns that the file must have.
        chosen: those to read.
        rows: rows that it must have.
        where: its name, for messages.

    Raises:
        InputError: no Parquet file, other columns or rows than promised, entries without a value.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            check_schema(file.schema_arrow, columns, where)
            if file.metadata.num_rows != rows:
                raise InputError(f"{where} has {file.metadata.num_rows} rows; expected {rows}. Make the data again.")
            table = file.read(columns=list(chosen), use_threads=False)
    except (pa.ArrowException, OSError) as e:
        text = " ".join(str(e).split())
        raise InputError(
            f"{where} cannot be read as Parquet ({text}); expected a whole shard. Make it again."
        ) from None
    found = {}
    for name in chosen:
        array = table.column(name).combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # extension types of a table without rows in some versions
            array = array.chunk(0)
        if array.null_count:
            raise InputError(f"{where}: '{name}' lacks {array.null_count} values; expected none. Make the data again.")
        found[name] = from_arrow(array, columns[name])
    return found


def check_schema(schema: Any, columns: Mapping[str, Column], where: str) -> None:
    """Compare the columns of a file with those promised.

    Raises:
        InputError: naming the first difference.
    """
    expected = arrow_schema(columns)
    if schema.names != expected.names:
        raise InputError(f"{where} has the columns {schema.names}; expected {expected.names}. Make the data again.")
    for field in expected:
        found = schema.field(field.name).type
        if found != field.type:
            raise InputError(f"{where}: '{field.name}' is {found}; expected {field.type}. Make the data again.")
