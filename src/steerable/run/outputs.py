"""Folders and files that appear whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError

CHECKPOINT = "last.ckpt"


def partial_name(out: Path) -> Path:
    """Return the folder in which a run is built before it gets its name."""
    return out.with_name(out.name + ".partial")


def check_free(out: Path) -> None:
    """Refuse a folder that exists, or that an unfinished run has claimed.

    Raises:
        InputError: saying how to go on.
    """
    partial = partial_name(out)
    if out.exists():
        raise InputError(f"out '{out}' exists already; expected a new folder. Say --out OTHER or remove it.")
    if partial.exists():
        how = f"Continue it with --resume {partial / CHECKPOINT} or" if (partial / CHECKPOINT).exists() else "Please"
        raise InputError(f"out '{out}' has an unfinished run in '{partial}'; expected none. {how} remove that folder.")


@contextmanager
def whole_folder(out: Path, resume: bool = False) -> Iterator[Path]:
    """Yield a folder to fill; it is renamed to `out` at the end and removed after an error.

    An interrupted run that has a checkpoint is kept under its temporary name, so that it can be resumed.

    Args:
        out: the final name; its parents are made.
        resume: the temporary folder is there already; after an error it is kept.

    Raises:
        InputError: the name is taken.
    """
    partial = partial_name(out)
    made = [p for p in (out.parent, *out.parent.parents) if not p.exists()]
    if not resume:
        check_free(out)
        partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(out)
    except BaseException as e:
        unfinished = isinstance(e, (KeyboardInterrupt, SystemExit)) and (partial / CHECKPOINT).exists()
        if not (unfinished or resume):
            shutil.rmtree(partial, ignore_errors=True)
            remove_empty(made)
        raise


@contextmanager
def whole_file(out: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield the name of a file to write; it is renamed to `out` at the end and removed after an error.

    Args:
        out: the final name; its parents are made.
        overwrite: replace a file of that name.

    Raises:
        InputError: the name is taken.
    """
    if out.is_dir() or (out.exists() and not overwrite):
        how = "Say --out OTHER." if out.is_dir() else "Say --out OTHER or --overwrite."
        raise InputError(f"out '{out}' exists already; expected a new file. {how}")
    made = [p for p in (out.parent, *out.parent.parents) if not p.exists()]
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        os.replace(partial, out)
    except BaseException:
        partial.unlink(missing_ok=True)
        remove_empty(made)
        raise


def remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, up to one that is not empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # someone else put something there meanwhile
            break


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part of it; NaN becomes null."""
    write_text(path, json.dumps(finite(value), indent=2, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """Return `value` with None in place of every float that JSON cannot hold."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_text(path: Path, text: str) -> None:
    """Write text so that a reader sees the old file or the new one, never a part of it."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        what: what is missing if it is not there, for the message.

    Raises:
        InputError: no file, no JSON, or no object.
    """
    if not path.is_file():
        raise InputError(f"'{path}' does not exist; expected {what}. Mend the path.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as e:
        raise InputError(f"'{path}' cannot be read as JSON ({e}); expected {what}. Make it again.") from None
    if not isinstance(value, dict):
        raise InputError(f"'{path}' holds a {type(value).__name__}; expected {what}. Make it again.")
    return value
