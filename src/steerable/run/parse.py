"""From command line and YAML to a :class:`FitConfig`, checked key by key before anything runs."""

from __future__ import annotations

import argparse
import dataclasses
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonargparse

from steerable.data.errors import InputError, did_you_mean
from steerable.run.config import DataConfig, FitConfig, ModelConfig, TrainConfig
from steerable.run.switch import suit, switched
from steerable.run.twin import TWINS, plain_twin

ALIASES = {"lensing": "lensing/classify"}
SECTIONS = {"model": ModelConfig, "data": DataConfig, "train": TrainConfig}


def known_keys() -> list[str]:
    """Return every key that a config may have, dotted."""
    inner = [f"{s}.{f.name}" for s, c in SECTIONS.items() for f in dataclasses.fields(c)]
    return [*inner, *SECTIONS, "out", "seeds", "start", "page"]


def packaged_configs() -> dict[str, Path]:
    """Return the configs that come with the package, by name, such as ``digits`` and ``lensing/classify``."""
    folder = Path(str(resources.files("steerable.run") / "configs"))
    found = {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}
    return {**found, **{short: found[name] for short, name in ALIASES.items()}}


def find_config(name: str) -> str:
    """Return the path of a config: a file, or the name of one that comes with the package.

    Raises:
        InputError: neither.
    """
    packaged = packaged_configs()
    if Path(name).is_file():
        return name
    if name in packaged:
        return str(packaged[name])
    raise InputError(
        f"--config '{name}' is no file and no packaged config; expected a path or one of {', '.join(packaged)}."
        f"{did_you_mean(name, packaged)}"
    )


def take_twin(argv: list[str]) -> tuple[list[str], str | None, bool]:
    """Take ``--twin HOW`` out of the arguments.

    A packaged config may have twins of its own, with the schedules that suit them (``lensing/classify_plain``): then
    its name is exchanged, and nothing is left to do.

    Returns:
        The other arguments, ``plain``, ``augmented`` or None, and whether the network is still to be exchanged.

    Raises:
        InputError: another word.
    """
    rest, how, name = [], None, None
    words = iter(split_equals(argv))
    for word in words:
        if word == "--twin":
            how = next(words, "")
            if how not in TWINS:
                raise InputError(f"--twin is '{how}'; expected one of {', '.join(TWINS)}.{did_you_mean(how, TWINS)}")
            continue
        rest.append(word)
    if how is None:
        return argv, None, False
    for i, word in enumerate(rest[:-1]):
        if word == "--config":
            name = ALIASES.get(rest[i + 1], rest[i + 1])
            twin = f"{name}_plain" + ("_augmented" if how == "augmented" else "")
            if not Path(rest[i + 1]).is_file() and twin in packaged_configs():
                rest[i + 1] = twin
                return rest, how, False
    return rest, how, True


def split_equals(argv: list[str]) -> list[str]:
    """Return ``--config=X`` and ``--twin=X`` as two words each; the rest as it is."""
    return [w for word in argv for w in (word.split("=", 1) if word.startswith(("--config=", "--twin=")) else [word])]


def one_line(error: Exception, known: list[str] | None = None, command: str = "steerable fit") -> InputError:
    """Turn a parser's complaint into one line with the nearest known key.

    Args:
        error: what the parser raised.
        known: the keys that there are; None: those of a run.
        command: whose help to name.
    """
    known = known_keys() if known is None else [k for k in known if k not in ("help", "config")]
    text = " ".join(str(error).split())
    found = re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", text)
    unknown = f"{found[1]}.{found[2]}" if found else None
    if not unknown and (found := re.search(r"Option '([\w.]+)' is not accepted", text)):
        unknown = found[1]
    if not unknown and (found := re.search(r"unrecognized arguments: -*([\w.]+)", text)):
        unknown = found[1]
    if unknown:
        hint = did_you_mean(unknown, known)
        section = unknown.split(".")[0]
        near = [k for k in known if k.startswith(section + ".")] or known
        return InputError(f"config: there is no key '{unknown}'; expected one of {', '.join(near)}.{hint}")
    text = re.sub(r"Parser key \"([\w.]+)\":", r"\1:", text)
    text = text.replace("<class '", "").replace("'>", "").replace("typing.", "")
    return InputError(f"config: {text}. See `{command} --help` for what each key takes.")


def fit_parser() -> jsonargparse.ArgumentParser:
    """Return the parser of `steerable fit`."""
    parser = jsonargparse.ArgumentParser(
        prog="steerable fit",
        description="Train a network. Every key of the config can also be given here, and wins over the file.",
        exit_on_error=False,
        allow_abbrev=False,  # a misspelt key is an error
    )
    parser.add_argument("--config", action="config", help="a YAML file, or one of: " + ", ".join(packaged_configs()))
    parser.add_argument("--out", type=str, default="runs/fit", help="the folder of the run; it must not exist yet")
    parser.add_argument("--model", type=ModelConfig, default=ModelConfig())
    parser.add_argument("--data", type=DataConfig, default=DataConfig())
    parser.add_argument("--train", type=TrainConfig, default=TrainConfig())
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run for each")
    parser.add_argument(
        "--twin", type=str, default=None, help=f"train the plain twin of the network instead: {' or '.join(TWINS)}"
    )
    parser.add_argument("--start", "--from", type=str, default=None,
                        help="take over the network, preparation and weights of this run (fine-tuning)")  # fmt: skip
    parser.add_argument("--page", type=bool, default=False, help="write report.html into the run")
    parser.add_argument("--resume", type=str, default=None, help="continue from OUT.partial/last.ckpt")
    return parser


def config_first(argv: list[str]) -> list[str]:
    """Return the arguments with the config in front and its name resolved: what the user types wins over the file."""
    for i, word in enumerate(argv):
        if word == "--config" and i + 1 < len(argv):
            return ["--config", find_config(argv[i + 1]), *argv[:i], *config_first(argv[i + 2 :])]
        if word.startswith("--config="):
            return ["--config", find_config(word.split("=", 1)[1]), *argv[:i], *config_first(argv[i + 1 :])]
    return argv


def parse_fit(argv: list[str]) -> tuple[FitConfig, str | None]:
    """Read `argv` and return the run and, with ``--resume``, the checkpoint.

    Raises:
        InputError: an unknown key, a value of the wrong type, an unreadable file.
    """
    argv, how, exchange = take_twin(list(argv))
    if exchange and any(word.startswith("--print_config") for word in argv):
        raise InputError(f"--twin {how} and --print_config: expected one of the two. Drop --twin.")
    typed = {word.split("=")[0] for word in argv}
    argv, before = switched(config_first(argv))
    try:
        found = fit_parser().parse_args(argv)
    except InputError:
        raise
    except (argparse.ArgumentError, jsonargparse.ArgumentError, TypeError, ValueError, KeyError) as e:
        raise one_line(e) from None
    values: dict[str, Any] = found.as_dict()
    resume = values.pop("resume")
    values.pop("config", None)
    values.pop("twin", None)
    for section, kind in SECTIONS.items():
        given = values[section]
        if not isinstance(given, dict):
            keys = [f.name for f in dataclasses.fields(kind)]
            raise InputError(
                f"config: {section} is {given!r}; expected the keys {keys}. Indent them below `{section}:`."
            )
    config = FitConfig.from_dict(values)
    if config.start is not None and (how is not None or any(word.startswith("--model") for word in typed)):
        raise InputError(
            f"--from '{config.start}' beside --twin or --model...; expected it without: the network of that run is "
            "taken over. Drop the others."
        )
    train = config.train
    if config.start is None and (train.freeze_epochs or train.backbone_lr != 1):
        if {"--train.freeze_epochs", "--train.backbone_lr"} & typed:
            raise InputError(
                f"train.freeze_epochs is {train.freeze_epochs} and backbone_lr {train.backbone_lr} without a saved "
                "run; expected 0 and 1: new weights must learn. Say --from RUN."
            )
        # a config for fine-tuning, used without a saved run: nothing is there to be spared
        config = dataclasses.replace(config, train=dataclasses.replace(train, freeze_epochs=0, backbone_lr=1.0))
    if before is not None:
        config, note = suit(config, before, typed)
        print(note)
    if exchange and how is not None:
        twin = plain_twin(config, how)
        config = dataclasses.replace(twin, out=config.out) if "--out" in typed else twin
    return config, resume
