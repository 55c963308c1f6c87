"""`steerable compare`: train many networks on the same images and write one table and one figure."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from steerable.data.errors import InputError
from steerable.run.compare.page import write
from steerable.run.compare.plan import Cell, Plan
from steerable.run.compare.read import packaged_plans, read_plan
from steerable.run.compare.summary import gather
from steerable.run.compare.work import ANSWERS, Images, do, try_networks
from steerable.run.outputs import write_text


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="steerable compare",
        description="Train the networks of a plan at several numbers of images and with several seeds, each with the "
        "settings that validation chooses from one grid; write table.md and curves.png. The same command goes on "
        "after an interruption; several processes may work on one plan.",
    )
    parser.add_argument("plan", help="a YAML file, or one of: " + ", ".join(packaged_plans()))
    parser.add_argument("--out", help="the folder of the comparison, in place of the one in the plan")
    parser.add_argument("--root", help="where the images lie, in place of base.data.root in the plan")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="only these networks")
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="only these tasks")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", help="only these numbers of training images")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="only these seeds")
    parser.add_argument("--report", action="store_true", help="train nothing: table and figure of what is there")
    return parser


def selection(plan: Plan, args: argparse.Namespace) -> list[Cell]:
    """Return the runs that were asked for.

    Raises:
        InputError: a name or number that is not in the plan.
    """
    cells = list(plan.cells())
    for what, key in (("networks", "network"), ("tasks", "task"), ("sizes", "size"), ("seeds", "seed")):
        wanted = getattr(args, what)
        if wanted is None:
            continue
        known = list(getattr(plan, what))
        for value in wanted:
            if value not in known:
                raise InputError(f"--{what} {value}; expected some of {', '.join(map(str, known))}.")
        cells = [c for c in cells if getattr(c, key) in wanted]
    return cells


def main(argv: list[str]) -> int:
    """Run the command."""
    args = make_parser().parse_args(argv)
    plan = read_plan(args.plan, args.out, args.root)
    cells = selection(plan, args)
    out, images, busy = Path(plan.out), Images(), 0
    start = time.perf_counter()
    if not args.report:
        try_networks(plan, cells, images)
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "plan.json", plan.to_json() + "\n")

        todo = [c for c in cells if not (c.folder(out) / ANSWERS).is_file()]
        if len(todo) < len(cells):
            print(f"{len(cells) - len(todo)} of {len(cells)} runs are there already")

        def say(done: int, total: int, text: str) -> None:
            spent = time.perf_counter() - start
            left = f", about {spent / done * (total - done) / 60:.0f} min left" if 0 < done < total else ""
            print(f"[{done}/{total}, {spent / 60:.0f} min{left}] {text}", flush=True)

        busy = do(plan, todo, images, say)
    there = sum((c.folder(out) / ANSWERS).is_file() for c in plan.cells())
    if not there:
        raise InputError(f"'{out}' holds no finished run of this plan; expected at least one. Drop --report.")
    print(write(plan, gather(plan, images), out))
    rest = f"; another process is at {busy}" if busy else ""
    print(f"written to {out}: table.md, rows.json, curves.png; {there} of {len(list(plan.cells()))} runs{rest}")
    return 0
