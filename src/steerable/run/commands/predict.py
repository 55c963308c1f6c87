"""`steerable predict`: from image files to a catalogue of answers."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from steerable.data.errors import InputError
from steerable.data.reading import RESIZE
from steerable.data.resize import in_size
from steerable.run.answer import Answerer, Folder, open_answerer
from steerable.run.answer_files import FORMS, ORDERS, AnswerFiles
from steerable.run.catalogue import Catalogue, answer_types
from steerable.run.domains import domain_of, together
from steerable.run.inputs import find_inputs
from steerable.run.outputs import whole_file
from steerable.run.prepare import Function, preparation
from steerable.run.rows import WHOLE, Row, Want, batches, resized_text
from steerable.run.stages import Stages
from steerable.run.store import is_dense, versions

OPTIONS = {
    "pixel_scale": "arcsec a pixel",
    "psf_fwhm": "full width at half maximum of the seeing, arcsec",
    "lens_light": "Sersic components of light of the lens that a blind fit takes into account, 0 to 2",
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="steerable predict",
        description="Answer to images, volumes, point sets or maps of the sphere: one row each in a Parquet file, in "
        "the order of the input. Several seeds answer with their mean.",
    )
    parser.add_argument("run", help="a folder of `steerable fit`, a file of `steerable export`, or hf://USER/NAME")
    parser.add_argument("images", nargs="*", help="folders, files, or @list.txt: images (FITS, TIFF, npy, npz, PNG, "
                        "JPEG), volumes (MRC, TIFF, npy, npz), point sets (XYZ, PLY, OFF, CSV, npz) or maps of the "
                        "sphere (FITS, npy, npz)")  # fmt: skip
    parser.add_argument("--list", action="append", default=[], help="a text file with one path a line, as @list.txt")
    parser.add_argument("--out", required=True, help="the catalogue, FILE.parquet")
    parser.add_argument("--overwrite", action="store_true", help="replace a catalogue of that name")
    parser.add_argument("--skip-bad", action="store_true", help="unusable files get an empty row and an error")
    parser.add_argument("--resize", choices=(*RESIZE, WHOLE), help="bring images of another size to that of training: "
                        "cut or pad about the centre, or interpolate; whole: answer at every pixel or voxel of the "
                        "image as it is")  # fmt: skip
    parser.add_argument("--hdu", type=int, help="the HDU of FITS files; default: the first one with an image")
    parser.add_argument("--batch-size", type=int, default=64, help="samples at a time")
    parser.add_argument("--answers", metavar="FOLDER", help="a folder for answers at every place, a file for each row")
    parser.add_argument("--answer-format", choices=FORMS, default="npy", help="of these files: npy; TIFF of images "
                        "and volumes, PNG of classes, FITS of maps on HEALPix")  # fmt: skip
    parser.add_argument("--order", choices=ORDERS, help="of the FITS files; default: that of the sampling")
    parser.add_argument("--device", choices=("cpu", "gpu", "auto"), default="auto", help="where the network runs")
    for name, what in OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=float, help=f"{what}; only for a network whose input is computed from images")
    return parser


def answer(
    rows: list[Row],
    answerer: Answerer,
    prepare: Function,
    options: dict[str, Any],
    files: AnswerFiles | None = None,
    resize: str | None = None,
) -> tuple[list[dict[str, Any]], dict[str, list[Any]] | None]:
    """Return the rows of the catalogue for a batch, and the columns that the preparation added.

    Args:
        rows: images and errors.
        answerer: the networks.
        prepare: from images to what the recipe of the run is applied to.
        options: of the preparation.
        files: for the answers at every place; None: they are summed up only.
        resize: how samples of another size were resized.
    """
    good = [row for row in rows if row.image is not None]
    found: dict[str, dict[str, Any]] = {}
    extra: dict[str, list[Any]] | None = None
    if good:
        images = together([row.image for row in good if row.image is not None])
        inputs, more = prepare(images, options)
        extra = {k: v.tolist() if isinstance(v, Tensor) else list(v) for k, v in more.items()}
        seen = answerer.recipe(inputs)
        if is_dense(answerer.record):
            places = [
                place if row.size is None else in_size(place, row.size, str(resize))
                for row, place in zip(good, answerer.places(seen), strict=True)
            ]
            sums = [answerer.summary(place[None]) for place in places]
            columns = {**{k: [v for s in sums for v in s[k]] for k in sums[0]}, **extra}
            for row, place in zip(good, places, strict=True):
                if files is not None:
                    files.write(row.id, place)
        else:
            columns = {**answerer.columns(seen), **extra}
        for name, values in columns.items():
            if len(values) != len(good):
                raise ValueError(
                    f"predict: {len(values)} entries of column {name}; expected {len(good)}, one a sample."
                )
        found = {row.id: finite({k: v[i] for k, v in columns.items()}, row.id, extra) for i, row in enumerate(good)}
    return [{"id": row.id, "error": row.error, **found.get(row.id, {})} for row in rows], extra


def finite(row: dict[str, Any], name: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row, or, where the network answered no finite number, an error and the columns in `extra` alone."""
    broken = {k: v for k, v in row.items() if k not in extra and isinstance(v, float) and not math.isfinite(v)}
    if not broken:
        return row
    key, value = next(iter(broken.items()))
    why = row.get("reason")  # of a preparation that failed
    text = (
        f"'{name}': {why}"
        if why and why != "converged"
        else (
            f"'{name}': the network answers {value} for {key}; expected a finite number. Is it in the units of "
            "what it was trained on?"
        )
    )
    return {**{k: row[k] for k in extra}, "error": text}


def require_any_size(answerer: Answerer) -> None:
    """Refuse to take samples whole where the network answers once, or its size is fixed.

    Raises:
        InputError: naming what it is.
    """
    record = answerer.record
    if not is_dense(record) or record.get("sampling") or not isinstance(answerer, Folder):
        what = "is a file of fixed size" if not isinstance(answerer, Folder) else "answers with something else"
        raise InputError(
            f"--resize {WHOLE}: the network {what}; expected a run with classes at every pixel or voxel. Say crop or "
            "scale."
        )


def refuse(errors: Iterable[str | None]) -> None:
    """Raise the first of `errors` that is one.

    Raises:
        InputError: naming the image.
    """
    for error in filter(None, errors):
        raise InputError(f"{error} (--skip-bad leaves such images out.)")


def main(argv: list[str]) -> int:
    """Run the command."""
    args = make_parser().parse_args(argv)
    out = Path(args.out)
    if out.suffix != ".parquet":
        raise InputError(f"--out '{out}' ends in '{out.suffix}'; expected FILE.parquet. Rename it.")
    if args.batch_size < 1:
        raise InputError(f"--batch-size {args.batch_size}; expected at least 1.")
    answerer = open_answerer(args.run, args.device)
    record = answerer.record
    prepare, options = preparation(record, {k: getattr(args, k) for k in OPTIONS})
    kind = domain_of(record).files
    files = AnswerFiles.of(args.answers, record, args.answer_format, args.order)
    noun = domain_of(record).noun
    if args.resize == WHOLE:
        require_any_size(answerer)
    sources, others = find_inputs(args.images, args.list, kind.listing, kind.extensions, noun)
    if not args.skip_bad:
        for source in sources:  # what can be told from the name is told before the first image
            kind.check(source.path)
    want = Want.of(record, args.resize, args.run, args.hdu)
    metadata = {
        "run": str(args.run),
        "seeds": answerer.seeds,
        "model": record["config"]["model"],
        "classes": record["classes"],
        "target": record["target"],
        "input": record["input"],
        "options": options,
        "resize": want.resize,
        "preprocessing": record["preprocessing"],
        "versions": versions(),
        "trained_with": record["versions"],
    }
    assumed = [k for k in ("pixel_scale", "psf_fwhm") if k in options and getattr(args, k) is None]
    if assumed:
        values = ", ".join(f"--{k.replace('_', '-')} {options[k]:g}" for k in assumed)
        print(f"taken from training, in arcsec: {values}; say others where these images differ")
    tally: Counter[str] = Counter()
    first = ""
    with whole_file(out, args.overwrite) as path, Stages() as stages:
        total, done, resized = sum(kind.count(s.path) for s in sources), 0, 0
        with Catalogue(path, metadata, answer_types(record), args.skip_bad) as catalogue:
            for rows in batches(kind.rows(sources, want, record, args.batch_size), args.batch_size):
                if not args.skip_bad:
                    refuse(row.error for row in rows)
                answers, extra = answer(rows, answerer, prepare, options, files, want.resize)
                errors = [row["error"] for row in answers]
                first = first or next(filter(None, errors), "")
                if not args.skip_bad:
                    refuse(errors)
                tally.update("bad" if row["error"] else str(row.get("prediction", "answers")) for row in answers)
                catalogue.add(answers, extra)
                done += len(rows)
                resized += sum(row.size is not None for row in rows)
                stages("predict", done, max(total, done))
        if tally["bad"] == done:
            raise InputError(f"none of {done} {noun} can be used; expected at least one. The first: {first}")
    if resized:
        size = "; answers have the sizes of the files" if files is not None else ""
        if size and want.resize == "crop":
            size += f", with none where these were cut off (--resize {WHOLE} has one everywhere)"
        print(resized_text(resized, done, want, args.resize is not None, noun) + size, file=sys.stderr)
    bad = tally.pop("bad", 0)
    report = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    print(f"written to {out}: {done} rows: {report}" + (f"; {bad} could not be used (column error)" if bad else ""))
    if files is None and is_dense(record):
        print("sums over all places; --answers FOLDER writes the answers at every place, too")
    if others:
        print(f"left out: {len(others)} files of other kinds, such as {others[0].name}")
    return 0
