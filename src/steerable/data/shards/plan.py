"""The plan: everything that defines the bytes of a data set."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steerable import __version__
from steerable.data.errors import InputError
from steerable.data.shards.columns import Column, check_names

FORMAT = "steerable-shards"
VERSION = 1


@dataclasses.dataclass(frozen=True, order=True)
class Shard:
    """Rows `start` to `stop` of one part, in the file `path` below the folder of the data set."""

    part: str
    number: int
    start: int
    stop: int

    @property
    def path(self) -> str:
        """Path below the data set, such as "train/shard-00003.parquet"."""
        return f"{self.part}/shard-{self.number:05d}.parquet"

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be written. Two equal plans give equal bytes.

    Attributes:
        parts: rows of each part, by name, such as {"train": 600, "test": 900}.
        columns: what a row holds.
        seed: the seed that the makers of rows use.
        parameters: everything else that they use, as JSON can hold it.
        rows_per_shard: rows of every shard but the last of a part.
        description: a few words for people.
        code: `source_digest` of what makes the rows, so that an edit between two runs is noticed; "" for none.

    Raises:
        InputError: parts, sizes or parameters that cannot be.
    """

    parts: dict[str, int]
    columns: dict[str, Column]
    seed: int = 0
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    rows_per_shard: int = 256
    description: str = ""
    code: str = ""

    def __post_init__(self) -> None:
        check_names(self.columns)
        if not self.parts:
            raise InputError(f"Plan: parts are {self.parts}; expected at least one, such as {{'train': 100}}.")
        for name, rows in self.parts.items():
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
                raise InputError(f"Plan: a part is named {name!r}; expected letters, digits, '-' and '_'.")
            if rows < 1:
                raise InputError(f"Plan: the part '{name}' has {rows} rows; expected at least 1.")
        if self.rows_per_shard < 1:
            raise InputError(f"Plan: rows_per_shard is {self.rows_per_shard}; expected at least 1.")
        try:
            text = json.dumps(self.parameters, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as e:
            raise InputError(
                f"Plan: parameters cannot be written as JSON ({e}); expected plain finite values."
            ) from None
        object.__setattr__(self, "parameters", json.loads(text))

    def shards(self) -> list[Shard]:
        """All shards, part after part."""
        step = self.rows_per_shard
        return [
            Shard(part, number, start, min(start + step, rows))
            for part, rows in self.parts.items()
            for number, start in enumerate(range(0, rows, step))
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, the same for equal plans: no time, no host, no path."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "description": self.description,
            "seed": self.seed,
            "parameters": self.parameters,
            "parts": [{"name": name, "rows": rows} for name, rows in self.parts.items()],
            "rows_per_shard": self.rows_per_shard,
            "columns": [column.to_dict(name) for name, column in self.columns.items()],
            "versions": versions(),
            "code": self.code,
        }


def versions() -> dict[str, str]:
    """What computes the bytes: the packages, and the vector unit that torch uses, as others round otherwise."""
    import pyarrow

    return {
        "steerable": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pyarrow": pyarrow.__version__,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }


def source_digest(folder: Path, without: Iterable[str] = ()) -> str:
    """Sixteen hexadecimal digits for the Python files below `folder`, but those named `without` (stems)."""
    skip, digest = set(without), hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if path.stem not in skip:
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def first_difference(found: Any, expected: Any, key: str = "") -> str | None:
    """Say where two JSON values differ first, as "key is 1; expected 2", or return None.

    Lists of named things ({"name": ...}) are compared by name, so that the key reads "parts.train.rows".
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in [*expected, *(k for k in found if k not in expected)]:
            inner = f"{key}.{name}" if key else name
            if name not in found or name not in expected:
                return f"{inner} is {_short(found.get(name, 'absent'))}; expected {_short(expected.get(name, 'none'))}"
            if text := first_difference(found[name], expected[name], inner):
                return text
        return None
    if _named(found) and _named(expected):
        if [f["name"] for f in found] == [e["name"] for e in expected]:
            return first_difference({f["name"]: f for f in found}, {e["name"]: e for e in expected}, key)
        return f"{key} are {[f['name'] for f in found]}; expected {[e['name'] for e in expected]}"
    # True == 1 and 1 == 1.0, but they are not written alike
    if json.dumps(found) != json.dumps(expected):
        return f"{key} is {_short(found)}; expected {_short(expected)}"
    return None


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "name" in v for v in value)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
