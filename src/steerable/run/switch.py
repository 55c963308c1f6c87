"""Another network in a config by one word: what belongs to the first one goes, and the images get a side that suits."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from steerable.data.errors import InputError
from steerable.run.build import build_model
from steerable.run.config import FitConfig, ModelConfig
from steerable.run.sides import nearest_side

SIDES = ("size", "side")  # what readers call the side of their images


def stem(name: str) -> str:
    """Return the name without ``_plain``: twins share group and options."""
    return name.removesuffix("_plain")


def own_model(path: str) -> ModelConfig | None:
    """Return the network of a config file; None where it names none, or cannot be read (the parser says why)."""
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        given = found["model"]
        return ModelConfig(given["name"], given.get("group"), given.get("options") or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError, InputError):
        return None


def switched(argv: list[str]) -> tuple[list[str], ModelConfig | None]:
    """Let ``--model.name`` on the command line win over group and options of the config, which are another network's.

    Args:
        argv: arguments, ``--config PATH`` in front.

    Returns:
        The arguments, where group and options of the file are undone before the user's own are read; and the network of
        the file, or None where it stays (or where the new one is its twin).
    """
    if len(argv) < 2 or argv[0] != "--config":
        return argv, None
    rest = argv[2:]
    names = [w.split("=", 1)[1] for w in rest if w.startswith("--model.name=")]
    names += [after for word, after in itertools.pairwise(rest) if word == "--model.name"]
    before = own_model(argv[1])
    if not names or before is None or stem(names[-1]) == stem(before.name):
        return argv, None
    return [*argv[:2], "--model.group=null", "--model.options={}", *rest], before


def suit(config: FitConfig, before: ModelConfig, typed: set[str]) -> tuple[FitConfig, str]:
    """Return the config with a folder and a side of images of its own, and one line that says what was changed.

    Args:
        config: with the new network.
        before: the network of the file.
        typed: the options that the user gave: they stay.

    Raises:
        InputError: a network that cannot be built.
    """
    model, notes = config.model, []
    if before.group is not None and model.group is None:
        notes.append(f"its own symmetry, not model.group {before.group}")
    if before.options and not any(word.startswith("--model.options") for word in typed):
        notes.append(f"its own options, not {', '.join(before.options)}")
    if "--out" not in typed:
        config = dataclasses.replace(config, out=f"{config.out}_{model.name}")
    key = next((k for k in SIDES if isinstance(config.data.options.get(k), int)), None)
    if key is not None and not {f"--data.options.{key}", "--data.options"} & typed and model.exact_sizes:
        from steerable.models import example_side

        side = int(config.data.options[key])
        channels = 3 if config.data.options.get("colour") == "rgb" else 1
        found = nearest_side(build_model(model, channels, 2), channels, side, example_side(model.name))
        if found is not None and found != side:
            options = {**config.data.options, key: found}
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, options=options))
            notes.append(f"images of {found} x {found} pixels, not {side} (data.options.{key}), where it is exact")
    notes.append(f"out {config.out}")
    return config, f"{model.name} in place of {before.name}: {'; '.join(notes)}"
