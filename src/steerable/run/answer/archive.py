"""A look into a `.pt2` file before torch opens it: its reader unpickles what a file asks it to, and so may run code."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from steerable.data.errors import InputError
from steerable.run.export.header import ENTRY, MEND, check_header, read_header_text

#: what `steerable export` writes, below the one folder of the archive; the last of them holds the example input
MEMBERS = (
    r"models/model\.json",
    r"data/(weights|constants)/model_(weights|constants)_config\.json",
    r"data/(weights/weight|constants/tensor)_\d+",
    rf"extra/{re.escape(ENTRY)}",
    r"archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id",
    r"data/sample_inputs/model\.pt",
)


def inspect_archive(path: Path) -> dict[str, Any]:
    """Return the header of a program. Nothing of the file is run.

    Raises:
        InputError: no such file, no archive, a program that is not ours, or one that holds pickled objects.
    """
    if not path.is_file():
        raise InputError(f"'{path}' is no file; expected one that `steerable export` wrote. Mend the path.")
    try:
        with zipfile.ZipFile(path) as archive:
            held = {name: archive.read(name) for name in archive.namelist() if not re.search(r"_\d+$", name)}
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as e:
        raise InputError(f"'{path}' cannot be read as a program of torch ({_line(e)}). {MEND}") from None
    inner = {name.partition("/")[2]: data for name, data in held.items()}
    text = inner.get(f"extra/{ENTRY}")
    header = check_header(
        read_header_text(None if text is None else text.decode("utf-8", "replace"), path), path, ("program",)
    )
    odd = [n for n in names if not any(re.fullmatch(m, n.partition("/")[2]) for m in MEMBERS)]
    odd += [n for n in names if names.count(n) > 1]
    for name, data in inner.items():
        if name.endswith("_config.json"):
            odd += _pickled(name, data)
    if not _is_plain(inner.get("data/sample_inputs/model.pt", b"")):
        odd.append("data/sample_inputs/model.pt")
    if odd:
        raise InputError(
            f"'{path}' holds '{odd[0]}', which `steerable export` does not write and which may run code when it is "
            f"read; expected tensors and a graph. {MEND}"
        )
    return header


def _pickled(name: str, data: bytes) -> list[str]:
    """The entries of a table of tensors that are no plain tensors."""
    try:
        table = json.loads(data)["config"]
        return [f"{name}: {k}" for k, v in table.items() if v["use_pickle"] is not False or "_obj" in v["path_name"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [name]


def _is_plain(data: bytes) -> bool:
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # whatever it is, torch would try again by running it
        return False
    return True


def _line(e: Exception) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0][:200]
