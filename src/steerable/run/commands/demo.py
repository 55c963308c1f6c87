"""`steerable demo`: from simulated lenses to a table and a page, in minutes."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from steerable.data.errors import InputError
from steerable.run.outputs import partial_name, whole_folder
from steerable.run.stages import Stages

RESULT = "result.json"


def clear_place(out: Path) -> None:
    """Make sure that `out` is free, or holds the report of an earlier demo, which may be replaced.

    Raises:
        InputError: something else lies there.
    """
    if out.exists() and not (out / RESULT).is_file():
        raise InputError(f"out '{out}' exists and is no report of a demo; expected a new folder. Say --out OTHER.")
    # what an interrupted demo left: there is nothing to resume
    for left in (partial_name(out), building(out), partial_name(building(out))):
        shutil.rmtree(left, ignore_errors=True)


def building(out: Path) -> Path:
    """Return the folder in which the page is built; an older report stays until it is whole."""
    return out.with_name(f"{out.name}.new")


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="steerable demo",
        description="Which dark matter bends the light? Simulate strong lenses, train an equivariant network, a plain "
        "one, and the plain one with augmentation, and write a page.",
    )
    parser.add_argument("--out", default="demo-report", help="the folder of the page")
    parser.add_argument("--seed", type=int, default=0, help="of lenses, weights and order")
    parser.add_argument("--train", type=int, default=200, help="training images of each class")
    parser.add_argument("--validation", type=int, default=100, help="validation images of each class")
    parser.add_argument("--test", type=int, default=300, help="test images of each class")
    parser.add_argument("--stem", choices=("pooled", "strided"), default="pooled", help="first layers of all networks")
    parser.add_argument(
        "--input",
        choices=("fit_residual", "residual"),
        default="fit_residual",
        help="what the networks see: what a blind fit of a smooth lens leaves, or the residual linearised at the truth",
    )
    parser.add_argument("--quick", action="store_true", help="a few images and steps: shows that all runs, no more")
    args = parser.parse_args(argv)
    if min(args.train, args.validation, args.test) < 1:
        raise InputError(
            f"demo: images of each class are {args.train}, {args.validation}, {args.test}; expected at least 1."
        )
    from rich.console import Console

    from steerable.tasks.lensing.demo import run_demo
    from steerable.tasks.lensing.residual import BANNERS
    from steerable.tasks.lensing.table import rich_table

    out = Path(args.out)
    clear_place(out)
    print(BANNERS[args.input])
    start = time.perf_counter()
    with whole_folder(building(out)) as folder, Stages() as stages:
        result = run_demo(
            folder, seed=args.seed, n_train=args.train, n_val=args.validation, n_test=args.test, quick=args.quick,
            stem=args.stem, input=args.input,
            progress=stages,
        )  # fmt: skip
    shutil.rmtree(out, ignore_errors=True)
    building(out).rename(out)
    console = Console()
    Console(width=None if console.is_terminal else 160).print(rich_table(result))
    for claim in result.claims:
        print(f"* {claim}")
    print(f"{time.perf_counter() - start:.0f} s; the page: {out / result.report.name}")
    return 0
