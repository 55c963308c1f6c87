"""A trained network on disk: `model.safetensors` and `run.json`. Reading them runs no code."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from torch import Tensor, nn

from steerable import __version__
from steerable.data import Recipe, Regions, Splits, Target
from steerable.data.errors import InputError
from steerable.data.resize import PADS
from steerable.nn.constants import ConstantModule
from steerable.nn.module import EquivariantModule
from steerable.run.build import build_model
from steerable.run.config import DataConfig, FitConfig, ModelConfig
from steerable.run.objectives import target_record
from steerable.run.outputs import read_json, write_json
from steerable.run.units import Tempered, in_units

FORMAT = "steerable-run-2"
WEIGHTS, RECORD = "model.safetensors", "run.json"
KEYS = ("config", "in_channels", "classes", "target", "input", "raw_size", "preprocessing", "fingerprint")
#: readers that can pad with the background
PADDED = ("images", "masks", "volume_folder", "folder")
WHAT = f"a folder that `steerable fit` wrote, with {RECORD} and {WEIGHTS}"


def fingerprint(model: nn.Module) -> dict[str, float]:
    """Return one number for each constant that the layers derived from their groups.

    Weights are coordinates in these bases: the same weights in another basis are another network.
    """
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, ConstantModule):
            found.update({f"{name}.{k}": v for k, v in module.fingerprint().items()})
    return found


def types(model: nn.Module) -> dict[str, str]:
    """Return the field types of each equivariant layer, as text; a chain that ends in plain layers has none."""
    return {
        name: f"{m.in_type!r} -> {m.out_type!r}"
        for name, m in model.named_modules()
        if isinstance(m, EquivariantModule) and m.in_type is not None and m.out_type is not None
    }


def parameter_count(model: nn.Module) -> int:
    """Return the number of learned numbers."""
    return sum(p.numel() for p in model.parameters())


def describe(model: nn.Module, config: FitConfig, seed: int, data: Splits) -> dict[str, Any]:
    """Return what is needed to build the network again and to prepare images for it, as plain JSON."""
    return {
        "format": FORMAT,
        "config": config.to_dict(),
        "seed": seed,
        "in_channels": data.train.channels,
        "domain": data.train.domain,
        "sampling": data.train.sampling,
        "type": data.train.type,
        "classes": list(data.classes),
        "regions": data.train.regions,
        "target": None if data.target is None else target_record(data.train),
        "input": data.input,
        "input_settings": dict(data.settings),
        "raw_size": list(data.raw_size or data.train.size),
        "preprocessing": data.recipe.to_json(),
        "files": dict(data.files),
        "reading": {"pad": PADS[0], **data.reading},
        "parameters": parameter_count(model),
        "types": types(model),
        "fingerprint": fingerprint(model),
        "versions": versions(),
    }


def data_config(record: Mapping[str, Any]) -> DataConfig:
    """Return the config by which the samples of a run are read again as they were.

    Runs of before there was a choice padded with zeros.
    """
    found = FitConfig.from_dict(record["config"]).data
    if found.name not in PADDED or "pad" in (record.get("reading") or {}):
        return found
    return dataclasses.replace(found, options={**found.options, "pad": "zero"})


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {"steerable": __version__, "torch": str(torch.__version__)}


def save(folder: Path, model: nn.Module, record: dict[str, Any]) -> None:
    """Write the weights and then the record; a folder without a record is no run."""
    from safetensors.torch import save_file

    state = {k: v.detach().cpu().clone().contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    write_json(folder / RECORD, record)


def compare(where: Path, state: dict[str, Tensor], model: nn.Module) -> None:
    """Compare names and shapes of saved weights with those of a network.

    Raises:
        InputError: naming the first difference.
    """
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    shapes = [k for k in own if k in state and own[k].shape != state[k].shape]
    if missing or extra or shapes:
        if shapes:
            first = f"'{shapes[0]}' is {list(state[shapes[0]].shape)} and should be {list(own[shapes[0]].shape)}"
        else:
            first = f"'{missing[0]}' is missing" if missing else f"'{extra[0]}' is unknown"
        raise InputError(
            f"'{where}' holds the weights of another model ({len(missing) + len(extra) + len(shapes)} of {len(own)} "
            f"tensors differ: {first}); expected those of the model in {RECORD}. Use the two files of one run."
        )


def build(record: dict[str, Any]) -> nn.Module:
    """Build the network that a record describes, with new weights.

    Raises:
        InputError: a network or a config that this version does not know.
    """
    config: ModelConfig = FitConfig.from_dict(record["config"]).model
    return build_model(config, int(record["in_channels"]), outputs(record))


def portable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without the paths of the machine that trained it; names of files stay."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(v) for v in value]
        for kind in (PurePosixPath, PureWindowsPath):
            if isinstance(value, str) and kind(value).is_absolute():
                return kind(value).name
        return value

    found = clean(dict(record))
    config = dict(found["config"])
    return {**found, "config": {**config, "out": "", "data": {**config["data"], "root": None}}}


def load(folder: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Build the network of a run and load its weights.

    Args:
        folder: what `steerable fit` wrote.

    Returns:
        The network in eval mode, and the record of the run. A regression answers ``[B, 1]``, or ``[B, K]`` for a
        vector, in the unit of its target.

    Raises:
        InputError: see :func:`load_network`.
    """
    model, record = load_network(folder)
    return calibrated(model, record).eval(), record


def calibrated(model: nn.Module, record: Mapping[str, Any]) -> nn.Module:
    """Return the network of a run with answers as they are meant: in the unit of the target, or logits whose softmax is
    calibrated, where the run says how. This is the one place between logits and probabilities.
    """
    if record["target"] is not None:
        return in_units(model, record["target"])
    found = record.get("calibration")
    return Tempered(model, float(found["temperature"])) if found else model


def load_network(folder: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a run as it was trained, its values standardised, and the record of the run.

    Raises:
        InputError: no run, another format, weights of another model, bases that differ from those of training.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder; expected {WHAT}. Mend the path.")
    record = read_json(folder / RECORD, WHAT)
    if record.get("format") != FORMAT:
        raise InputError(f"'{folder / RECORD}' has format {record.get('format')!r}; expected {FORMAT!r}. Train again.")
    absent = [k for k in KEYS if k not in record]
    if absent:
        raise InputError(f"'{folder / RECORD}' lacks the keys {absent}; expected {WHAT}. Train again.")
    model = build(record)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise InputError(f"'{weights}' does not exist; expected {WHAT}. Train again.")
    try:
        state = load_file(weights)
    except (SafetensorError, OSError) as e:
        raise InputError(f"'{weights}' cannot be read ({e}); expected a safetensors file. Train again.") from None
    compare(weights, state, model)
    now, then = fingerprint(model), record["fingerprint"]
    for key in sorted(now.keys() | then.keys()):
        if not math.isclose(now.get(key, math.nan), then.get(key, math.nan), rel_tol=1e-6, abs_tol=1e-6):
            raise InputError(
                f"'{folder}': the basis '{key}' has fingerprint {now.get(key)}, {then.get(key)} when it was trained; "
                "expected the same. Its weights mean another network here: use the version that trained it."
            )
    model.load_state_dict(state)
    return model.eval(), record


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders: `folder` itself, or the seeds in it.

    Raises:
        InputError: there are none.
    """
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder; expected {WHAT}. Mend the path.")
    if (folder / RECORD).is_file():
        return [folder]
    runs = sorted(p.parent for p in folder.glob(f"seed*/{RECORD}") if not p.parent.name.endswith(".partial"))
    if not runs:
        raise InputError(f"'{folder}' holds no run; expected {WHAT}, or folders seed0, ... with these. Train first.")
    return runs


def meaning(record: dict[str, Any]) -> tuple[str, ...] | Target | Regions:
    """Return what the answers of a run mean: the names of the classes, the target, or the regions."""
    target = record["target"]
    if record.get("regions"):
        return Regions(tuple(record["classes"]))
    if target is None:
        return tuple(record["classes"])
    columns, baseline = (tuple(target.get(k, ())) for k in ("columns", "baseline"))
    everywhere = bool(target.get("everywhere"))
    columns = columns if len(columns) > 1 else ()  # the one entry of a value everywhere is called as the value
    return Target(
        target["name"], target["unit"], columns, target.get("head", ""), baseline, everywhere, target.get("type", ""),
        float(target.get("trade", 0.0)),
    )  # fmt: skip


def outputs(record: dict[str, Any]) -> int:
    """Return how many numbers the network of a run answers."""
    found = meaning(record)
    return found.size if isinstance(found, Target) else len(record["classes"])


def recipe(record: dict[str, Any]) -> Recipe:
    """Return what was done to the images of a run before its network saw them."""
    return Recipe.from_json(record["preprocessing"])


def is_dense(record: Mapping[str, Any]) -> bool:
    """Return whether the network of a run answers at every place."""
    return bool(record.get("regions") or (record["target"] or {}).get("everywhere"))


def require_images(record: Mapping[str, Any], run: str | Path, what: str) -> None:
    """Refuse a run on volumes, point sets or the sphere, or with answers at every place.

    For what handles images with classes or values only.

    Args:
        record: of the run.
        run: its name.
        what: what cannot be done with it.

    Raises:
        InputError: naming what it is a run on.
    """
    domain = record.get("domain", "plane")
    if domain != "plane" or is_dense(record):
        kind = domain if domain != "plane" else "regions" if record.get("regions") else "values at every place"
        raise InputError(
            f"{what}: '{run}' is a run on {kind}; expected one on images, with classes or values. Load it with "
            "steerable.run.store.load, and write it with st.bake and torch.export."
        )
