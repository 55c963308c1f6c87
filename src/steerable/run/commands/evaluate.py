"""`steerable evaluate`: score trained networks on the test part; reads safetensors and JSON only."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from steerable.data import ImageData, Splits
from steerable.data.errors import InputError
from steerable.data.folder import read_npz_images
from steerable.run.build import try_model
from steerable.run.calibrate import expected_error
from steerable.run.config import FitConfig
from steerable.run.floors import Floors
from steerable.run.heads import find_head
from steerable.run.outputs import write_json, write_text
from steerable.run.readers import load_data
from steerable.run.scores import class_scores, predict, value_scores, vector_scores
from steerable.run.store import find_runs, load, meaning, recipe
from steerable.run.tables import (
    FLOORS,
    NETWORK,
    bin_cells,
    bin_heads,
    cell,
    columns_of,
    floor_row,
    markdown,
    network,
    show,
    summarise,
    tidy,
)


def check_data(folder: Path, record: dict[str, Any], data: ImageData) -> None:
    """Compare images with what the network was trained on.

    Raises:
        InputError: other channels, classes or another target.
    """
    if data.channels != record["in_channels"]:
        raise InputError(
            f"{data.source}: images have {data.channels} channels; the network in '{folder}' expects "
            f"{record['in_channels']}. Give it images of the kind that it was trained on."
        )
    if data.target != (record["target"] and meaning(record)):
        raise InputError(
            f"{data.source}: the target is {data.target}; the network in '{folder}' expects {meaning(record)}. Choose "
            "images with that column."
        )
    if list(data.classes) != record["classes"]:
        raise InputError(
            f"{data.source}: classes are {list(data.classes)}; the network in '{folder}' expects {record['classes']}, "
            "in this order. Rename or reorder the classes."
        )


def given_images(path: str, folder: Path, record: dict[str, Any]) -> ImageData:
    """Read an `.npz` file and prepare it as the run in `folder` prepared its own images.

    Raises:
        InputError: a file that cannot be read, images of another size, or a run whose images are computed first.
    """
    if record["input"] != "pixels":
        raise InputError(
            f"--images '{path}': the network in '{folder}' sees '{record['input']}', which is computed from images; "
            "expected a run on pixels. Use `steerable predict`."
        )
    what = meaning(record)
    data = read_npz_images(path, None if isinstance(what, tuple) else what)
    if data.channels == record["in_channels"] and list(data.size) != record["raw_size"]:
        raise InputError(
            f"{data.source}: images of {data.size[0]} x {data.size[1]} pixels; the network in '{folder}' expects "
            f"{record['raw_size'][0]} x {record['raw_size'][1]}. Cut or pad the images."
        )
    check_data(folder, record, data)
    return data.with_images(recipe(record)(data.x))


def evaluate(
    folder: Path, images: str | None, root: str | None, read: dict[str, Splits], bins: int = 4
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Score one run and write `evaluation.json` into its folder.

    Args:
        folder: the run.
        images: a file to score; None takes the test part that belongs to the run.
        root: where the data lies now; None: where it lay in training.
        read: data sets that were read already, by their config.
        bins: of the true value, for a regression.

    Returns:
        The record of the run and the scores, those of the floors among them.
    """
    model, record = load(folder)
    floors = Floors.load(folder)
    config = FitConfig.from_dict(record["config"])
    if images is None:
        where = config.data if root is None else dataclasses.replace(config.data, root=root)
        data = read[repr(where)] = read.get(repr(where)) or load_data(where)
        test = data.test
    else:
        test = given_images(images, folder, record)
    check_data(folder, record, test)
    try_model(model, test, config.model.exact_sizes)
    if test.target is None:
        own = class_scores(model, test)
        if record.get("calibration"):
            own["ece"] = expected_error(predict(model, test.x).double().softmax(1), test.y)
    elif test.target.columns:
        own = vector_scores(model, test, find_head(test.target.head).report if test.target.head else None)
    else:
        own = value_scores(model, test, floors.edges(bins))
    scores = {**own, "floors": floors.scores(test, bins), "source": test.source}
    write_json(folder / "evaluation.json", {"seed": record["seed"], **scores})
    return record, scores


def tables(found: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[tuple[list[str], list[list[str]], str]]:
    """Return the tables of one network: heads, rows (the network, then its floors) and a title.

    Args:
        found: record and scores of each seed.
    """
    record, scores = found[0][0], [s for _, s in found]
    columns, first = columns_of(record), scores[0]
    summary = tidy(summarise(scores, columns.keys))
    row = network(record, len(scores)) + [cell(summary.get(k), len(scores) > 1) for k in columns.keys]
    floors = [floor_row(name, first["floors"][name], columns.keys) for name in FLOORS]
    title = f"test part, {first['images']} images"
    if record["target"] is None:
        return [([*NETWORK, *columns.heads], [row, *floors], title)]
    what = str(meaning(record))
    who = NETWORK[:3]
    if record["target"].get("columns"):
        found_tables = [([*NETWORK, *columns.heads], [row, *floors], f"{title}: {what}")]
        for name, figures in first.get("tables", {}).items():
            keys = tuple(figures)
            own = summarise([s["tables"][name] for s in scores], keys)
            rows = [[*row[:3], *(cell(own.get(k), len(scores) > 1) for k in keys)]]
            for floor in FLOORS:
                values = summarise([first["floors"][floor]["tables"][name]], keys)
                rows.append([FLOORS[floor], "-", "-", *(cell(values.get(k), False) for k in keys)])
            found_tables.append(([*who, *keys], rows, name))
        return found_tables
    bins = [[*who, *bin_heads(first["bins"])]]
    bins += [[*row[:3], *bin_cells([s["bins"] for s in scores])]]
    bins += [[FLOORS[name], "-", "-", *bin_cells([first["floors"][name]["bins"]])] for name in FLOORS]
    return [
        ([*NETWORK, *columns.heads], [row, *floors], f"{title}: {what}"),
        (bins[0], bins[1:], "MAE, bias by true value (images)"),
    ]


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="steerable evaluate", description="Score trained networks on the test part.")
    parser.add_argument("run", nargs="+", help="folders that `steerable fit` wrote, with one seed or several")
    parser.add_argument("--root", help="where the data lies now, if not where it lay in training")
    parser.add_argument("--images", help="an .npz file with x, y and classes (or the target) to score instead")
    parser.add_argument("--bins", type=int, default=4, help="bins of the true value of a regression; default: quarters")
    args = parser.parse_args(argv)
    if args.bins < 1:
        raise InputError(f"--bins {args.bins}; expected at least 1.")
    read: dict[str, Splits] = {}
    # one table for all runs with the same columns; a floor that they share stands in it once
    merged: dict[tuple[str, ...], tuple[list[list[str]], str]] = {}
    for name in args.run:
        folder = Path(name)
        found = [evaluate(run, args.images, args.root, read, args.bins) for run in find_runs(folder)]
        own = tables(found)
        if len(found) > 1:
            keys = columns_of(found[0][0]).keys
            summary = summarise([s for _, s in found], keys)
            write_json(
                folder / "summary.json",
                {"seeds": [r["seed"] for r, _ in found], "test": summary, "floors": found[0][1]["floors"]},
            )
        write_text(folder / "row.md", "\n".join(markdown(heads, rows) for heads, rows, _ in own))
        for heads, rows, title in own:
            before, _ = merged.setdefault((title, *heads), ([], title))
            before += [r for r in rows if r not in before]
    for (_, *heads), (rows, title) in merged.items():
        show(heads, sorted(rows, key=lambda r: r[0] in FLOORS.values()), title)
    print(f"written to {', '.join(args.run)}: evaluation.json, row.md")
    return 0
