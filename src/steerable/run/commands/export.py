"""`steerable export`: from a trained run to files that answer by themselves."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from steerable.data.errors import InputError
from steerable.run.answer import Folder
from steerable.run.domains import domain_of
from steerable.run.export.build import Wish, write
from steerable.run.export.compare import BOUNDS, INT8_BOUND, Comparison, compare, require
from steerable.run.export.images import find_images
from steerable.run.export.int8 import calibration
from steerable.run.outputs import whole_file
from steerable.run.store import is_dense

FORMATS = {"program": ".pt2", "onnx": ".onnx", "int8": ".int8.onnx"}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="steerable export",
        description="Write a trained run as one file that answers by itself: a program of torch, ONNX, or ONNX in "
        "integers. The file is read back and checked against the network before it gets its name.",
    )
    parser.add_argument("run", help="a folder of `steerable fit`; several seeds become one file with their mean")
    parser.add_argument("--format", nargs="+", choices=tuple(FORMATS), help="default: by the name of --out, or onnx")
    parser.add_argument("--out", required=True, help="a file (.pt2, .onnx), or a folder for several formats")
    parser.add_argument("--overwrite", action="store_true", help="replace files of that name")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--batch", default="dynamic", help="images at a time: a number, or `dynamic` (default)")
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32", help="of a program")
    parser.add_argument("--recipe", choices=("inside", "outside"), default="inside",
                        help="whether the preparation of the images is part of the graph (default), or left to the "
                        "caller")  # fmt: skip
    parser.add_argument("--weight-bits", type=int, choices=(7, 8), default=8, help="of int8; 7 for x86 processors "
                        "without VNNI, whose 8-bit products saturate")  # fmt: skip
    parser.add_argument("--changed", type=float, default=INT8_BOUND, help="of int8: the largest share of answers that "
                        f"may change, else nothing is written; default {INT8_BOUND:g}")  # fmt: skip
    parser.add_argument("--images", nargs="+", default=[], help="check (and calibrate int8) on these files or folders "
                        "instead of the images of the run")  # fmt: skip
    parser.add_argument("--root", help="where the data of the run lies now, if not where it lay in training")
    parser.add_argument("--verbose", action="store_true", help="name every operator of the graph")
    return parser


def plan(args: argparse.Namespace) -> dict[str, Path]:
    """Return which formats are written where.

    Raises:
        InputError: names and formats that do not belong together.
    """
    out = Path(args.out)
    suffix = out.suffix.lower()
    formats = args.format or (["program"] if suffix == ".pt2" else ["onnx"])
    if suffix in (".pt2", ".onnx") and not out.is_dir():
        if len(formats) > 1:
            raise InputError(f"--format {' '.join(formats)} and the one file --out '{out}'; expected a folder.")
        wanted = ".pt2" if formats[0] == "program" else ".onnx"
        if suffix != wanted:
            raise InputError(f"--out '{out}' ends in '{suffix}'; expected '{wanted}' for --format {formats[0]}.")
        return {formats[0]: out}
    if suffix and not out.is_dir():
        raise InputError(f"--out '{out}' ends in '{suffix}'; expected FILE.pt2, FILE.onnx or a folder. Rename it.")
    return {kind: out / f"model{FORMATS[kind]}" for kind in dict.fromkeys(formats)}


def check_run(record: dict[str, Any], run: str, formats: Iterable[str]) -> None:
    """Refuse what cannot be exported.

    Raises:
        InputError: a run on point sets, or integers of what are no images with one answer each.
    """
    noun = domain_of(record).noun
    if record.get("domain") == "points":
        raise InputError(
            f"export: '{run}' is a run on {noun}, which have no fixed size; expected images, volumes or maps. Load it "
            "with steerable.run.store.load, and write it with st.bake and torch.export."
        )
    if "int8" in formats and (record.get("domain", "plane") != "plane" or is_dense(record)):
        where = " with answers at every place" if is_dense(record) else ""
        raise InputError(
            f"--format int8: '{run}' is a run on {noun}{where}; expected images with one answer each. Say --format "
            "onnx."
        )


def read_batch(text: str) -> int | None:
    """Return the number of images at a time, or None for any number.

    Raises:
        InputError: neither a positive number nor ``dynamic``.
    """
    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--batch {text}; expected `dynamic` or a number of images, 1 or more.")
    return int(text)


def operators(counts: dict[str, int], every: bool, width: int = 100, few: int = 5) -> str:
    """Return which operators a graph holds, in lines of at most `width` characters.

    Args:
        counts: of each operator.
        every: name all of them, not only the commonest `few`.
        width: of a line.
        few: how many to name.
    """
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count}" for name, count in (ranked if every else ranked[:few]))
    more = "" if every or len(ranked) <= few else ", ... (--verbose names all)"
    kinds = f"{len(counts)} kind{'s' * (len(counts) != 1)}"
    text = f"ordinary operators only, {kinds}, {sum(counts.values())} in all: {shown}{more}"
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def report(
    kind: str, path: Path, size: int, found: Comparison, written: Any, record: dict[str, Any], verbose: bool = False
) -> str:
    """Return what was written and how it compares, for people; with `verbose` every operator is named."""
    what = "probabilities" if record["target"] is None else record["target"]["name"]
    lines = [
        f"{path}: {kind}, {size / 1e6:.2f} MB, {len(written.seeds)} network{'s' * (len(written.seeds) > 1)}",
        f"  largest difference from the network: {found.absolute:.1e} in {what}; logits {found.relative:.1e} (relative)"
        if record["target"] is None
        else f"  largest difference from the network: {found.absolute:.1e} in {what}, {found.relative:.1e} (relative)",
    ]
    dense = is_dense(record)
    if record["target"] is None:
        of = f"the places of {found.images} {domain_of(record).noun}" if dense else f"{found.images} images"
        lines.append(f"  the same class for {found.agreement:.2%} of {of}")
    if found.integers is not None:
        lines.append(f"  {found.integers:.2%} of the answers are those of the integer network in torch")
    if found.before is not None and found.after is not None:
        figure = ("share right" if dense else "accuracy") if record["target"] is None else "mean absolute error"
        lines.append(f"  {figure}: network {found.before:.4f}, file {found.after:.4f}")
    return "\n".join([*lines, operators(written.header["operators"], verbose)])


def main(argv: list[str]) -> int:
    """Run the command."""
    args = make_parser().parse_args(argv)
    targets, batch = plan(args), read_batch(args.batch)
    double = args.precision == "float64"
    if double and set(targets) != {"program"}:
        raise InputError(f"--precision float64 and --format {' '.join(targets)}; expected --format program alone.")
    if not 0.0 <= args.changed <= 1.0:
        raise InputError(f"--changed {args.changed:g}; expected a share, 0 to 1.")
    wish = Wish(batch, double, args.recipe == "inside", args.weight_bits)
    eager = Folder.load(args.run, seed=args.seed)
    check_run(eager.record, args.run, targets)
    eager = eager.double() if double else eager
    images, warning = find_images(eager.record, args.images, args.root, args.run)
    if "int8" in targets:
        calibration(images)  # refused before anything is computed
    if warning:
        print(warning, file=sys.stderr)
    texts = []
    with ExitStack() as stack:  # all files get their names, or none
        for kind, path in targets.items():
            partial = stack.enter_context(whole_file(path, args.overwrite))
            bound = args.changed if kind == "int8" else BOUNDS[args.precision]
            written, integers = write(kind, eager, images, wish, partial, bound)
            found = compare(eager, written, images, integers)
            require(found, kind, bound, path, images.real)
            texts.append(report(kind, path, partial.stat().st_size, found, written, eager.record, args.verbose))
    print(f"checked on {images.source}")
    print("\n".join(texts))
    noun = domain_of(eager.record).noun
    print(f"answer to {noun} with: steerable predict {next(iter(targets.values()))} FILES --out catalogue.parquet")
    return 0
