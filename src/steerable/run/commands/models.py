"""`steerable models`: the networks that `steerable.create_model` builds."""

from __future__ import annotations

import argparse

from steerable.data.errors import InputError, did_you_mean


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="steerable models", description="List the networks, or explain one.")
    parser.add_argument("name", nargs="?", help="a network to build and to explain")
    parser.add_argument("--group", help="its symmetry, such as C8, D4, SO2, O2")
    parser.add_argument("--channels", type=int, default=1, help="channels of the images")
    parser.add_argument("--classes", type=int, default=10, help="number of classes")
    args = parser.parse_args(argv)
    from steerable.models import describe_model, list_models
    from steerable.run.build import build_model
    from steerable.run.config import ModelConfig
    from steerable.run.store import parameter_count

    names = list(list_models())
    if args.name is None:
        width = max(map(len, names))
        print("\n".join(f"{name:<{width}}  {describe_model(name)}" for name in names))
        return 0
    if args.name not in names:
        raise InputError(
            f"no network '{args.name}'; expected one of the {len(names)} names that `steerable models` lists."
            f"{did_you_mean(args.name, names)}"
        )
    model = build_model(ModelConfig(args.name, args.group), args.channels, args.classes)
    print(model)
    print(f"{parameter_count(model):,} parameters")
    return 0
