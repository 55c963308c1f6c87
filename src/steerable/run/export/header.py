"""What stands in an exported file beside the network: all that `steerable predict` needs, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steerable.data import Recipe
from steerable.data.errors import InputError
from steerable.run.outputs import finite
from steerable.run.store import KEYS, portable, recipe, versions

FORMAT = "steerable-export-1"
ENTRY = "steerable.json"  # of a program: the name of its extra file; of ONNX: the key of its metadata
MEND = "Write it again with `steerable export RUN --out FILE`."
NEEDED = ("kind", "record", "seeds", "recipe_in_graph", "batch", "dtype", "bound", "probe", "floors", "versions")


def make_header(
    record: Mapping[str, Any],
    seeds: Sequence[int],
    kind: str,
    batch: int | None,
    dtype: str = "float32",
    recipe_in_graph: bool = True,
    bound: float = 0.0,
    probe: Sequence[Any] = (),
    operators: Mapping[str, int] | None = None,
    floors: Any = None,
) -> dict[str, Any]:
    """Return the header of a file.

    Args:
        record: of the run, see :func:`steerable.run.store.describe`.
        seeds: one for each network in the file.
        kind: ``program``, ``onnx`` or ``int8``.
        batch: images at a time; None: any number.
        dtype: of the graph's input: ``float32`` or ``float64``.
        recipe_in_graph: whether the graph begins with the preparation of the images.
        bound: largest relative difference from eager that was allowed.
        probe: the answer to :func:`steerable.run.export.probe.probe_images`, nested lists ``[S][N][...]``.
        operators: what the graph consists of, and how often.
        floors: of the run, see :class:`steerable.run.floors.Floors`; None: it has none.
    """
    target = record["target"] is not None
    return finite(
        {
            "format": FORMAT,
            "kind": kind,
            "record": portable(record),
            "seeds": list(seeds),
            "recipe_in_graph": recipe_in_graph,
            "batch": batch,
            "dtype": dtype,
            "outputs": ["value", "values"] if target else ["probabilities", "logits"],
            "operators": dict(operators or {}),
            "bound": bound,
            "probe": list(probe),
            "floors": floors,
            "versions": versions(),
        }
    )


def read_header_text(text: str | None, path: Path) -> dict[str, Any]:
    """Parse the header of a file.

    Raises:
        InputError: there is none, or it is no JSON object.
    """
    if text is None:
        raise InputError(
            f"'{path}' holds a network, but not one that `steerable export` wrote (no '{ENTRY}' in its metadata): what "
            f"its answers mean is unknown. {MEND}"
        )
    try:
        header = json.loads(text)
    except json.JSONDecodeError as e:
        raise InputError(f"'{path}': its metadata '{ENTRY}' is no JSON ({e}). {MEND}") from None
    if not isinstance(header, dict):
        raise InputError(f"'{path}': its metadata '{ENTRY}' is a {type(header).__name__}; expected an object. {MEND}")
    return header


def check_header(header: dict[str, Any], path: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """Return a header that has all that is needed.

    Raises:
        InputError: another format or kind, or keys that are missing.
    """
    if header.get("format") != FORMAT:
        raise InputError(f"'{path}' has format {header.get('format')!r}; expected {FORMAT!r}. {MEND}")
    absent = [k for k in NEEDED if k not in header]
    absent += [f"record.{k}" for k in (*KEYS, "input_settings") if k not in header.get("record", {})]
    if absent:
        raise InputError(f"'{path}' lacks {absent} in its metadata; expected those of {FORMAT}. {MEND}")
    if header["kind"] not in kinds:
        raise InputError(f"'{path}' says that it is '{header['kind']}'; expected {' or '.join(kinds)}. {MEND}")
    return header


def outside_recipe(header: Mapping[str, Any]) -> Recipe:
    """Return what is still to be done to images before they are given to the graph."""
    return Recipe() if header["recipe_in_graph"] else recipe(header["record"])
