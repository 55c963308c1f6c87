"""`steerable evaluate`: score trained networks on the test part; reads safetensors and JSON only."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from steerable.data import ImageData, Splits
from steerable.data.errors import InputError
from steerable.data.folder import read_npz_images
from steerable.run.build import load_data, try_model
from steerable.run.config import FitConfig
from steerable.run.outputs import write_json, write_text
from steerable.run.scores import score
from steerable.run.store import RECORD, WHAT, load
from steerable.run.tables import COLUMNS, cells, markdown, show, summarise


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders: `folder` itself, or the seeds in it.

    Raises:
        InputError: there are none.
    """
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder; expected {WHAT}. Mend the path.")
    if (folder / RECORD).is_file():
        return [folder]
    runs = sorted(p.parent for p in folder.glob(f"seed*/{RECORD}") if not p.parent.name.endswith(".partial"))
    if not runs:
        raise InputError(f"'{folder}' holds no run; expected {WHAT}, or folders seed0, ... with these. Train first.")
    return runs


def check_data(folder: Path, record: dict[str, Any], data: ImageData) -> None:
    """Compare images with what the network was trained on.

    Raises:
        InputError: other channels or other classes.
    """
    if data.channels != record["in_channels"]:
        raise InputError(
            f"{data.source}: images have {data.channels} channels; the network in '{folder}' expects "
            f"{record['in_channels']}. Give it images of the kind that it was trained on."
        )
    if list(data.classes) != record["classes"]:
        raise InputError(
            f"{data.source}: classes are {list(data.classes)}; the network in '{folder}' expects {record['classes']}, "
            "in this order. Rename or reorder the classes."
        )


def evaluate(
    folder: Path, given: ImageData | None, root: str | None, read: dict[str, Splits]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Score one run and write `evaluation.json` into its folder.

    Args:
        folder: the run.
        given: images to score; None takes the test part that belongs to the run.
        root: where the data lies now; None: where it lay in training.
        read: data sets that were read already, by their config.

    Returns:
        The record of the run and the scores.
    """
    model, record = load(folder)
    config = FitConfig.from_dict(record["config"])
    if given is None:
        where = config.data if root is None else dataclasses.replace(config.data, root=root)
        data = read[repr(where)] = read.get(repr(where)) or load_data(where)
        test, train = data.test, data.train
    else:
        test, train = given, None
    check_data(folder, record, test)
    try_model(model, test, config.model.exact_sizes)
    scores = {**score(model, test, train), "source": test.source}
    write_json(folder / "evaluation.json", {"seed": record["seed"], **scores})
    return record, scores


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="steerable evaluate", description="Score trained networks on the test part.")
    parser.add_argument("run", nargs="+", help="folders that `steerable fit` wrote, with one seed or several")
    parser.add_argument("--root", help="where the data lies now, if not where it lay in training")
    parser.add_argument("--images", help="an .npz file with x, y and classes to score instead of the test part")
    args = parser.parse_args(argv)
    given = None if args.images is None else read_npz_images(args.images)
    rows: list[list[str]] = []
    read: dict[str, Splits] = {}
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for name in args.run:
        folder = Path(name)
        found = [evaluate(run, given, args.root, read) for run in find_runs(folder)]
        record, scores = found[0][0], [s for _, s in found]
        summary = summarise(scores, COLUMNS)
        row = cells(record, summary, len(scores))
        rows.append(row)
        if len(scores) > 1:
            write_json(folder / "summary.json", {"seeds": [r["seed"] for r, _ in found], "test": summary})
        write_text(folder / "row.md", markdown([row]))
    show(rows, f"test part, {found[0][1]['images']} images")
    print(f"written to {', '.join(args.run)}: evaluation.json, row.md")
    return 0
