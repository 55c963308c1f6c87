"""Starting from a saved run: its network, its preparation of images and its weights, with a new last layer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from steerable.data import Splits
from steerable.data.errors import InputError
from steerable.run.build import build_model
from steerable.run.config import FitConfig, ModelConfig
from steerable.run.store import find_runs, load_network

COLOURS = {1: "grey", 3: "rgb"}
TAKEN = ("side", "colour", "recipe", "size", "bins")  # options of the reader that the saved run decides


def find_start(name: str) -> Path:
    """Return the folder of one saved run: a folder of `steerable fit` or of the hub, or USER/NAME on the hub.

    Raises:
        InputError: there is none, or it holds several seeds.
    """
    path = Path(name).expanduser()
    if not path.is_dir():
        # a mistyped path must not be looked for on the hub
        if name.count("/") != 1 or name.startswith((".", "~", "/")) or path.parent.is_dir():
            raise InputError(f"--from '{name}' is not a folder; expected one that `steerable fit` wrote, or USER/NAME.")
        from steerable.run.hub.pretrained import fetch

        path = fetch(name)
    runs = find_runs(path)
    if len(runs) > 1:
        raise InputError(f"--from '{name}' holds {len(runs)} seeds; expected one. Say --from {runs[0]}")
    return runs[0]


def take_over(config: FitConfig) -> FitConfig:
    """Return the config of a run that starts from another: complete by itself, so that its data can be read again.

    The network, the colour, the size of the raw images and the recipe are those of the saved run.

    Raises:
        InputError: a saved run whose input is computed from images, or another reader than that of image folders.
    """
    if config.start is None:
        return config
    folder = find_start(config.start)
    record = load_network(folder)[1]
    if record["input"] != "pixels":
        raise InputError(
            f"--from '{folder}': its network sees '{record['input']}', which is computed from images; expected a run "
            "on pixels. Start from another run."
        )
    if config.data.name != "images":
        raise InputError(
            f"--from '{folder}' with data.name '{config.data.name}'; expected images, a folder with one sub-folder for "
            "each class. Say --config folder."
        )
    if config.data.scale is not None:
        raise InputError(
            f"data.scale is '{config.data.scale}' beside --from; expected null: the scale of '{folder}' is taken over."
        )
    how = record.get("reading") or {}
    options = {k: v for k, v in config.data.options.items() if k not in TAKEN}
    options |= {
        "side": list(record["raw_size"]),
        "resize": options.get("resize") or how.get("resize") or "scale",
        "colour": how.get("colour") or COLOURS.get(int(record["in_channels"])),
        "depth": how.get("depth") or options.get("depth") or "full",
        "recipe": record["preprocessing"],
    }
    model: ModelConfig = FitConfig.from_dict(record["config"]).model
    return dataclasses.replace(
        config, model=model, data=dataclasses.replace(config.data, options=options), start=str(folder)
    )


def head_names(config: ModelConfig, channels: int, outputs: int) -> frozenset[str]:
    """Return the names of the tensors whose shape depends on the number of outputs: the last layer."""
    with torch.random.fork_rng(devices=[]):
        one, two = (build_model(config, channels, n).state_dict() for n in (outputs, outputs + 1))
    return frozenset(k for k in one if k not in two or one[k].shape != two[k].shape)


def load_start(model: nn.Module, config: FitConfig, data: Splits, head: frozenset[str]) -> dict[str, Any]:
    """Give `model` the weights of the run that it starts from; the last layer stays new where the classes differ.

    Args:
        model: new weights; changed in place.
        config: of the new run, after :func:`take_over`.
        data: its images.
        head: see :func:`head_names`.

    Returns:
        For the record: the run, its classes, whether the last layer was kept, and how many tensors were loaded.

    Raises:
        InputError: no such run, or a network that does not fit.
    """
    if config.start is None:
        return {}
    folder = find_start(config.start)
    network, record = load_network(folder)
    saved, own = network.state_dict(), model.state_dict()
    keep = data.target is None and record["target"] is None and list(data.classes) == list(record["classes"])
    wanted = [k for k in own if keep or k not in head]
    wrong = [k for k in wanted if k not in saved or saved[k].shape != own[k].shape]
    if wrong:
        raise InputError(
            f"--from '{folder}': {len(wrong)} of {len(own)} tensors do not fit (first: '{wrong[0]}'); expected the "
            f"network '{record['config']['model']['name']}' with the same options. Start from another run."
        )
    model.load_state_dict({**own, **{k: saved[k] for k in wanted}})
    return {
        "run": str(folder), "model": record["config"]["model"]["name"], "classes": list(record["classes"]),
        "head": "kept" if keep else "new", "tensors": len(wanted),
    }  # fmt: skip
