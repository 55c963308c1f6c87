"""A catalogue in Parquet: one row an image, in the order of the input, written in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
from pyarrow import parquet

METADATA = b"steerable"
ROWS = 4096  # kept before they are written


class Catalogue:
    """A Parquet file that grows by batches of rows.

    Args:
        path: the file.
        metadata: what the answers came from, as plain JSON; it stands in the schema under ``steerable``.
        types: the columns of a network's answer: name and Arrow type.
        errors: whether there is a column ``error``.
    """

    def __init__(self, path: Path, metadata: Mapping[str, Any], types: Mapping[str, pa.DataType], errors: bool) -> None:
        self.path, self.metadata, self.types, self.errors = path, metadata, types, errors
        self._rows: list[dict[str, Any]] = []
        self._extra: dict[str, pa.DataType] | None = None
        self._writer: parquet.ParquetWriter | None = None

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, rows: Iterable[Mapping[str, Any]], extra: Mapping[str, Sequence[Any]] | None = None) -> None:
        """Append rows.

        Args:
            rows: one mapping for each; columns that it lacks are null.
            extra: further columns that came with these rows, to learn their types from; they are in the rows, too.

        Raises:
            ValueError: further columns that bear a name which is taken, or that came later than the first answers.
        """
        if extra is not None:
            found = {name: pa.array(list(values)).type for name, values in extra.items()}
            taken = [n for n in found if n in ("id", "error", *self.types)]
            if taken or (self._extra is not None and found.keys() != self._extra.keys()):
                raise ValueError(
                    f"catalogue: further columns {list(found)} beside {list(self.types)}; expected names of their own, "
                    "the same in each batch."
                )
            self._extra = self._extra or found
        self._rows += [dict(row) for row in rows]
        # the columns are not known before the first answer
        if len(self._rows) >= ROWS and self._extra is not None:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            fields = [("id", pa.string()), *self.types.items(), *(self._extra or {}).items()]
            fields += [("error", pa.string())] if self.errors else []
            schema = pa.schema(fields, metadata={METADATA: json.dumps(self.metadata).encode()})
            self._writer = parquet.ParquetWriter(self.path, schema)
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._writer.schema))
            self._rows = []


def answer_types(record: Mapping[str, Any]) -> dict[str, pa.DataType]:
    """Return the columns of the answers of a run; see :meth:`steerable.run.answer.Answerer.columns`."""
    target = record["target"]
    if target is not None and target.get("everywhere"):
        return {f"{c}_{what}": pa.float64() for c in target["columns"] for what in ("mean", "rms")}
    if target is not None:
        names = target.get("columns") or [target["name"]]
        return dict.fromkeys([*names, f"{target['name']}_spread"], pa.float64())
    if record.get("regions"):
        return {f"share_{c}": pa.float64() for c in record["classes"]}
    each = {f"p_{c}": pa.float64() for c in record["classes"]}
    return {"prediction": pa.string(), **each, "spread": pa.float64()}


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return what the answers of a catalogue came from."""
    return json.loads((parquet.read_schema(path).metadata or {})[METADATA])
