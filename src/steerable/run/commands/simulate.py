"""`steerable simulate`: write a data set of simulated images."""

from __future__ import annotations

import argparse

import jsonargparse

from steerable.data.errors import InputError, did_you_mean
from steerable.run.parse import one_line
from steerable.run.stages import Stages

TASKS = ("lensing",)


def lensing(argv: list[str]) -> int:
    """Simulate strong lenses into a folder that `data.name: lensing` reads."""
    from steerable.tasks.lensing import KINDS, LensSettings, published_settings, simulate_files
    from steerable.tasks.lensing.residual import BANNERS
    from steerable.tasks.lensing.shortcut import data_shortcut

    parser = jsonargparse.ArgumentParser(
        prog="steerable simulate lensing",
        description="Simulate strong gravitational lenses and write train, validation and test parts as Parquet "
        "shards. An interrupted run is continued by the same command, and ends with the same bytes.",
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="a YAML file with these keys")
    parser.add_argument("--out", type=str, default="data/lensing", help="the folder to write")
    parser.add_argument("--train", type=int, default=200, help="training images of each class")
    parser.add_argument("--validation", type=int, default=100, help="validation images of each class")
    parser.add_argument("--test", type=int, default=300, help="test images of each class")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other lenses")
    parser.add_argument(
        "--classes",
        type=str,
        nargs="+",
        default=None,
        help=f"in label order; some of {', '.join(KINDS)}; null: those of the settings",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that simulate, such as the cores; the bytes do not depend on it",
    )
    parser.add_argument("--published", choices=("I", "II", "III"), default=None,
                        help="start from the settings of this model of the public benchmark, quirks and shortcut "
                        "included")  # fmt: skip
    base = argparse.ArgumentParser(add_help=False)
    base.add_argument("--published")
    model = base.parse_known_args(argv)[0].published
    known = model in ("I", "II", "III")
    parser.add_argument("--settings", type=LensSettings, default=published_settings(model) if known else LensSettings())
    try:
        found = parser.parse_args(argv)
        settings = LensSettings.from_dict(found.settings.as_dict())
    except (argparse.ArgumentError, jsonargparse.ArgumentError, TypeError, ValueError) as e:
        raise one_line(e, [a.dest for a in parser._actions], "steerable simulate lensing") from None
    counts = {"train": found.train, "validation": found.validation, "test": found.test}
    with Stages() as stages:

        def start(there: int, shards: int) -> None:
            for column, banner in BANNERS.items():
                if column == "residual" or settings.blind_fit:
                    print(f"column {column}: {banner}")
            if there:
                print(f"continuing: {there} of {shards} shards are there")

        written = simulate_files(
            found.out,
            counts,
            found.seed,
            settings,
            lambda k, n: stages("simulate", k, n),
            classes=found.classes,
            workers=found.workers,
            start=start,
        )
    if len(settings.classes if found.classes is None else found.classes) > 1:
        print(f"global statistics of the images: {data_shortcut(found.out)}")
    if written.already:
        print(f"{found.out} is there already, whole and the same ({written.shards} shards): nothing to do")
        return 0
    print(f"written to {found.out}: {counts} images of each class in {written.shards} shards; train with: "
          f"steerable fit --config lensing --data.root {found.out}")  # fmt: skip
    return 0


def main(argv: list[str]) -> int:
    """Run the command."""
    if not argv or argv[0].startswith("-"):
        argparse.ArgumentParser(
            prog="steerable simulate",
            usage="steerable simulate TASK [options]",
            description=f"Tasks: {', '.join(TASKS)}. Each explains itself: steerable simulate lensing --help",
        ).parse_args([a for a in argv if a in ("-h", "--help")])
        raise InputError(f"simulate: no task was given ({argv}); expected one of {', '.join(TASKS)}.")
    if argv[0] not in TASKS:
        raise InputError(
            f"simulate: no task '{argv[0]}'; expected one of {', '.join(TASKS)}.{did_you_mean(argv[0], TASKS)}"
        )
    return lensing(argv[1:])
