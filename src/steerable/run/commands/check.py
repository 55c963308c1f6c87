"""`steerable check`: the laws on one network, and its error against the angle."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from steerable.data.errors import InputError
from steerable.run.answer.answerer import Answers
from steerable.run.answer.opening import is_exported, open_file
from steerable.run.build import build_model, read_group
from steerable.run.check_space import check_space
from steerable.run.config import ModelConfig
from steerable.run.domains import domain_of
from steerable.run.scenes import random_scenes
from steerable.run.store import load


def find_model(args: argparse.Namespace) -> tuple[nn.Module, int, int, str]:
    """Return the network that the arguments name, its input channels, the side of its images, and what it takes.

    Raises:
        InputError: neither a run, nor an exported file, nor a known name.
    """
    from steerable.models import example_domain, example_side

    if is_exported(args.model):
        return *find_file(args), "images"
    if Path(args.model).is_dir():
        model, record = load(args.model)
        name = str(record["config"]["model"]["name"])
        return model, int(record["in_channels"]), example_side(name), example_domain(name)
    if "/" in args.model:
        raise InputError(f"'{args.model}' is not a folder; expected a run of `steerable fit` or a name. Mend the path.")
    torch.manual_seed(args.seed)
    model = build_model(ModelConfig(args.model, args.group), args.channels, args.classes).eval()
    return model, args.channels, example_side(args.model), example_domain(args.model)


def find_file(args: argparse.Namespace) -> tuple[nn.Module, int, int]:
    """Return what :func:`find_model` returns for an exported file, and fill in the symmetry that it was trained with.

    Raises:
        InputError: the file is not ours, its images are not square, or have another size than what was asked for.
    """
    answerer = open_file(args.model)
    record = answerer.record
    if record.get("domain", "plane") != "plane":
        raise InputError(
            f"'{args.model}' takes {domain_of(record).noun}; expected a file that takes images. Check its run, or its "
            "network by name: the file answers as they do."
        )
    height, width = answerer.recipe(torch.zeros(1, record["in_channels"], *record["raw_size"])).shape[-2:]
    if height != width or args.size not in (None, height):
        raise InputError(
            f"'{args.model}' takes images of {height} x {width} pixels; expected square ones, of --size. Drop --size."
        )
    args.under = args.under or record["config"]["model"]["group"]
    if args.under is None:
        raise InputError(
            f"'{args.model}': the symmetry is {args.under}; expected a group to ask about. Say --under C4."
        )
    return Answers(answerer), int(record["in_channels"]), height


def main(argv: list[str]) -> int:
    """Run the command; its status is 1 where the symmetry is broken, so that a script can ask."""
    parser = argparse.ArgumentParser(prog="steerable check", description="Measure how equivariant a network is.")
    parser.add_argument("model", help="a folder of `steerable fit`, a file of `steerable export`, or a name that "
                        "`steerable models` lists")  # fmt: skip
    parser.add_argument("--group", help="the symmetry of a network that is given by name, such as C8")
    parser.add_argument("--under", help="the symmetry to ask about, if not that of the network itself")
    parser.add_argument("--channels", type=int, default=1, help="its input channels")
    parser.add_argument("--classes", type=int, default=10, help="its classes")
    parser.add_argument(
        "--size", type=int, help="side of the images in pixels; default: one on which the network is exact"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights of a network that is given by name")
    parser.add_argument("--out", default="check.png", help="the picture of the error against the angle")
    args = parser.parse_args(argv)
    out = Path(args.out)
    if not out.parent.is_dir():
        raise InputError(f"--out '{out}': the folder '{out.parent}' does not exist; expected one that does. Make it.")
    model, channels, side, domain = find_model(args)
    side = args.size or side
    under = read_group(args.under, "--under")
    if domain != "images":
        return 0 if check_space(model, domain, channels, side, under) else 1
    from steerable.laws import check, error_against_angle

    x = random_scenes(4, channels, side)
    if is_exported(args.model):  # a file has its own precision, and with it its own tolerance
        x = x.float()
    else:
        model = model.double()
    try:
        report = check(model, x, group=under)
        curve = error_against_angle(model, x, group=under)
    except (ValueError, RuntimeError, TypeError) as e:
        raise InputError(f"check: images of [{channels}, {side}, {side}]: {str(e).splitlines()[0]}") from None
    curve.plot(out)
    angle, worst = curve.worst
    print(report)
    print(f"any angle, on smooth scenes: the largest error is {worst:.3f}, at {angle:g} degrees; the curve: {out}")
    return 0 if report.ok else 1
