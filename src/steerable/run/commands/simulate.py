"""`steerable simulate`: write a data set of simulated images."""

from __future__ import annotations

import argparse
from pathlib import Path

import jsonargparse

from steerable.data.errors import InputError, did_you_mean
from steerable.run.outputs import whole_folder
from steerable.run.parse import one_line
from steerable.run.stages import Stages

TASKS = ("lensing",)


def lensing(argv: list[str]) -> int:
    """Simulate strong lenses into a folder that `data.name: lensing` reads."""
    from steerable.tasks.lensing import BANNER, LensSettings, simulate_files

    parser = jsonargparse.ArgumentParser(
        prog="steerable simulate lensing",
        description="Simulate strong gravitational lenses of three classes and write train, validation and test parts.",
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="a YAML file with these keys")
    parser.add_argument("--out", type=str, default="data/lensing", help="the folder to write; it must not exist yet")
    parser.add_argument("--train", type=int, default=200, help="training images of each class")
    parser.add_argument("--validation", type=int, default=100, help="validation images of each class")
    parser.add_argument("--test", type=int, default=300, help="test images of each class")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other lenses")
    parser.add_argument("--settings", type=LensSettings, default=LensSettings())
    try:
        found = parser.parse_args(argv)
        settings = LensSettings.from_dict(found.settings.as_dict())
    except (argparse.ArgumentError, jsonargparse.ArgumentError, TypeError, ValueError) as e:
        raise one_line(e, [a.dest for a in parser._actions], "steerable simulate lensing") from None
    counts = {"train": found.train, "validation": found.validation, "test": found.test}
    if min(counts.values()) < 1:
        raise InputError(f"simulate: images of each class are {counts}; expected at least 1 in each part.")
    print(BANNER)
    with whole_folder(Path(found.out)) as folder, Stages() as stages:
        simulate_files(folder, counts, found.seed, settings, lambda part, k, n: stages(f"simulate {part}", k, n))
    print(f"written to {found.out}: {counts} images of each class; train with: steerable fit --config lensing "
          f"--data.root {found.out}")  # fmt: skip
    return 0


def main(argv: list[str]) -> int:
    """Run the command."""
    if not argv or argv[0].startswith("-"):
        argparse.ArgumentParser(prog="steerable simulate", usage="steerable simulate TASK [options]").parse_args(
            [a for a in argv if a in ("-h", "--help")]
        )
        raise InputError(f"simulate: no task was given ({argv}); expected one of {', '.join(TASKS)}.")
    if argv[0] not in TASKS:
        raise InputError(
            f"simulate: no task '{argv[0]}'; expected one of {', '.join(TASKS)}.{did_you_mean(argv[0], TASKS)}"
        )
    return lensing(argv[1:])
