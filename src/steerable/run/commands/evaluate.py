"""`steerable evaluate`: score trained networks on the test part; reads safetensors and JSON only."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from steerable.data import Samples, Splits, Target
from steerable.data.errors import InputError
from steerable.data.folder import read_npz_images
from steerable.run.answer.answerer import Answers
from steerable.run.answer.opening import is_exported, open_file
from steerable.run.build import network_group, try_model
from steerable.run.calibrate import expected_error
from steerable.run.coded import coded_scores
from steerable.run.config import FitConfig
from steerable.run.dense import field_scores, region_scores
from steerable.run.domains import domain_of
from steerable.run.export.images import check_shape
from steerable.run.floors import Floors
from steerable.run.heads import find_head
from steerable.run.outputs import write_json, write_text
from steerable.run.readers import load_data
from steerable.run.samples import read_npz_samples
from steerable.run.scores import class_scores, predict, value_scores, vector_scores
from steerable.run.store import data_config, find_runs, is_dense, load, meaning, recipe
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


def check_data(folder: Path, record: dict[str, Any], data: Samples) -> None:
    """Compare images with what the network was trained on.

    Raises:
        InputError: other channels, classes or another target.
    """
    domain, noun = record.get("domain", "plane"), domain_of(record).noun
    if data.domain != domain or data.regions != bool(record.get("regions")):
        raise InputError(
            f"{data.source}: {data.domain} data{' with regions' if data.regions else ''}; the network in '{folder}' "
            f"expects {domain} data{' with regions' if record.get('regions') else ''}. Give it data of its own kind."
        )
    for key in ("sampling", "type"):
        if getattr(data, key) != record.get(key, ""):
            raise InputError(
                f"{data.source}: {key} is '{getattr(data, key)}'; the network in '{folder}' expects "
                f"'{record.get(key, '')}'. Give it fields of its own kind."
            )
    if data.channels != record["in_channels"]:
        raise InputError(
            f"{data.source}: {noun} have {data.channels} channels; the network in '{folder}' expects "
            f"{record['in_channels']}. Give it {noun} of the kind that it was trained on."
        )
    if data.target != (record["target"] and meaning(record)):
        raise InputError(
            f"{data.source}: the target is {data.target}; the network in '{folder}' expects {meaning(record)}. Choose "
            f"{noun} with that column."
        )
    if list(data.classes) != record["classes"]:
        raise InputError(
            f"{data.source}: classes are {list(data.classes)}; the network in '{folder}' expects {record['classes']}, "
            "in this order. Rename or reorder the classes."
        )


def given_images(path: str, folder: Path, record: dict[str, Any]) -> Samples:
    """Read an `.npz` file of images, volumes or point sets for the run in `folder`, as before its preparation.

    Raises:
        InputError: a file that cannot be read, images of another size, or a run whose images are computed first.
    """
    if record["input"] not in ("pixels", "points"):
        raise InputError(
            f"--images '{path}': the network in '{folder}' sees '{record['input']}', which is computed from "
            f"{domain_of(record).noun}; expected a run on pixels. Use `steerable predict`."
        )
    what = meaning(record)
    if record.get("domain", "plane") == "plane" and not is_dense(record):
        data = read_npz_images(path, what if isinstance(what, Target) else None)
    else:
        data = read_npz_samples(path, what, record)
    if data.channels == record["in_channels"] and list(data.size) != record["raw_size"]:
        have, want = (" x ".join(map(str, s)) for s in (data.size, record["raw_size"]))
        raise InputError(
            f"{data.source}: {domain_of(record).noun} of {have} pixels; the network in '{folder}' expects {want}. Cut "
            "or pad them."
        )
    check_data(folder, record, data)
    return data


def score(
    model: nn.Module,
    test: Samples,
    floors: Floors,
    bins: int,
    record: dict[str, Any],
    prepared: Samples | None = None,
) -> dict[str, Any]:
    """Return the figures of a network and those of the floors.

    Args:
        model: what answers to the images of `test`.
        test: the test part.
        floors: of the training part.
        bins: of the true value, for a regression.
        record: of the run.
        prepared: the same images as the floors saw them in training; None: those of `test`.
    """
    group = network_group(FitConfig.from_dict(record["config"]).model)
    if test.target is not None and test.target.trade:
        own = coded_scores(model, test)
    elif test.dense:
        own = (region_scores if test.regions else field_scores)(model, test, group)
    elif test.target is None:
        own = class_scores(model, test, group)
        if record.get("calibration"):
            own["ece"] = expected_error(predict(model, test.x).double().softmax(1), test.y)
    elif test.target.columns:
        report = find_head(test.target.head).report if test.target.head else None
        own = vector_scores(model, test, report, group)
    else:
        own = value_scores(model, test, floors.edges(bins), group)
    turn = domain_of(test).turn(group, test).words
    return {**own, "turn": turn, "floors": floors.scores(prepared or test, bins), "source": test.source}


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
        where = data_config(record) if root is None else dataclasses.replace(data_config(record), root=root)
        data = read[repr(where)] = read.get(repr(where)) or load_data(where)
        test = data.test
    else:
        raw = given_images(images, folder, record)
        test = raw.with_images(recipe(record)(raw.x))
    check_data(folder, record, test)
    try_model(model, test, config.model.exact_sizes)
    scores = score(model, test, floors, bins, record)
    write_json(folder / "evaluation.json", {"seed": record["seed"], **scores})
    return record, scores


def evaluate_file(
    path: Path, images: str | None, root: str | None, bins: int = 4
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Score an exported file and write `FILE.evaluation.json` beside it.

    Args:
        path: of `steerable export`.
        images: a file to score; None takes the test part of the data that the run was trained on.
        root: where that data lies now.
        bins: of the true value, for a regression.

    Returns:
        The record of the run, with the kind of file in the name of the network, and the scores.

    Raises:
        InputError: a file that is not ours, or images that are not there or of another kind.
    """
    answerer = open_file(path)
    record, header = answerer.record, answerer.header
    if header["floors"] is None:
        raise InputError(
            f"'{path}' holds no floors to compare with (floors: {header['floors']}); expected those of a run."
        )
    floors = Floors.from_json(header["floors"], str(path))
    if images is None:
        config = data_config(record)
        try:
            data = load_data(config if root is None else dataclasses.replace(config, root=root), raw=True)
        except InputError as e:
            hint = " An exported file does not know where its images lie: say --root DIR or --images FILE.npz."
            raise InputError(f"'{path}': {e}{hint if root is None else ''}") from None
        raw, prepared = (data.raw or data).test, data.test
    else:
        raw = given_images(images, path, record)
        prepared = raw.with_images(recipe(record)(raw.x))
    check_data(path, record, raw)
    check_shape(raw.x, record, raw.source)
    seen = raw if header["recipe_in_graph"] else prepared
    scores = score(Answers(answerer), seen, floors, bins, record, prepared)
    write_json(path.with_name(f"{path.name}.evaluation.json"), {"seeds": answerer.seeds, **scores})
    model = {**record["config"]["model"], "name": f"{record['config']['model']['name']} ({header['kind']})"}
    return {**record, "config": {**record["config"], "model": model}, "networks": len(answerer.seeds)}, scores


def tables(found: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[tuple[list[str], list[list[str]], str]]:
    """Return the tables of one network: heads, rows (the network, then its floors) and a title.

    Args:
        found: record and scores of each seed.
    """
    record, scores = found[0][0], [s for _, s in found]
    first = scores[0]
    columns = columns_of(record, first["turn"])
    summary = tidy(summarise(scores, columns.keys))
    row = network(record, record.get("networks", len(scores))) + [
        cell(summary.get(k), len(scores) > 1) for k in columns.keys
    ]
    floors = [floor_row(name, first["floors"][name], columns.keys) for name in FLOORS]
    title = f"test part, {first['images']} {domain_of(record).noun}"
    if record["target"] is None:
        return [([*NETWORK, *columns.heads], [row, *floors], title)]
    what = str(meaning(record))
    who = NETWORK[:3]
    if record["target"].get("columns") or record["target"].get("everywhere"):
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
    parser.add_argument("run", nargs="+", help="folders of `steerable fit`, with one seed or several, or files of "
                        "`steerable export`")  # fmt: skip
    parser.add_argument("--root", help="where the data lies now, if not where it lay in training")
    parser.add_argument("--images", help="an .npz file with x, y and classes (or the target) to score instead")
    parser.add_argument("--bins", type=int, default=4, help="bins of the true value of a regression; default: quarters")
    args = parser.parse_args(argv)
    if args.bins < 1:
        raise InputError(f"--bins {args.bins}; expected at least 1.")
    read: dict[str, Splits] = {}
    written: list[str] = []
    # one table for all runs with the same columns; a floor that they share stands in it once
    merged: dict[tuple[str, ...], tuple[list[list[str]], str]] = {}
    for name in args.run:
        folder = Path(name)
        if is_exported(name):
            found = [evaluate_file(folder, args.images, args.root, args.bins)]
            written.append(f"{folder.name}.evaluation.json")
        else:
            found = [evaluate(run, args.images, args.root, read, args.bins) for run in find_runs(folder)]
            written += [n for n in ("evaluation.json", "row.md") if n not in written]
        own = tables(found)
        if len(found) > 1:
            keys = columns_of(found[0][0]).keys
            summary = summarise([s for _, s in found], keys)
            write_json(
                folder / "summary.json",
                {"seeds": [r["seed"] for r, _ in found], "test": summary, "floors": found[0][1]["floors"]},
            )
        if not is_exported(name):
            write_text(folder / "row.md", "\n".join(markdown(heads, rows) for heads, rows, _ in own))
        for heads, rows, title in own:
            before, _ = merged.setdefault((title, *heads), ([], title))
            before += [r for r in rows if r not in before]
    for (_, *heads), (rows, title) in merged.items():
        show(heads, sorted(rows, key=lambda r: r[0] in FLOORS.values()), title)
    print(f"written to {', '.join(args.run)}: {', '.join(written)}")
    return 0
