"""`steerable fit`: train from a config, one run for each seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from steerable.data import Recipe, Splits
from steerable.data.errors import InputError
from steerable.run.answer import find_device
from steerable.run.balance import balance_record
from steerable.run.build import build_model, check_domain, for_data, try_model
from steerable.run.calibrate import calibrate
from steerable.run.config import FitConfig
from steerable.run.domains import check_augment
from steerable.run.floors import Floors
from steerable.run.learner import KEY
from steerable.run.objectives import objective_of
from steerable.run.outputs import check_free, partial_name, whole_folder, write_json
from steerable.run.page import write_page, write_places
from steerable.run.parse import packaged_configs, parse_fit
from steerable.run.readers import load_data
from steerable.run.scores import predict
from steerable.run.start import head_names, load_start, take_over
from steerable.run.store import calibrated, data_config, describe, save
from steerable.run.tables import number, summarise
from steerable.run.training import read_checkpoint, train_network

# the figures of a run: key, and how it is called
SHOWN = {"iou": "mean IoU", "accuracy": "accuracy", "auc": "AUC", "mae": "MAE", "rmse": "RMSE", "bias": "bias",
         "psnr": "PSNR", "rate": "bits a sample"}  # fmt: skip
VALIDATION = (*(f"val_{k}" for k in SHOWN), "val_loss", "seconds")


def run_folder(config: FitConfig, seed: int) -> Path:
    """Return the folder of one seed: `out` itself, or a folder in it when there are several seeds."""
    out = Path(config.out)
    return out if len(config.seeds) == 1 else out / f"seed{seed}"


def fit_seed(config: FitConfig, data: Splits, seed: int, floors: Floors, resume: Path | None = None) -> dict[str, Any]:
    """Train one seed into its folder and return its record.

    Raises:
        InputError: a network that cannot take the images, or a checkpoint of another model.
    """
    config = dataclasses.replace(config, model=for_data(config.model, data.train))
    torch.manual_seed(seed)
    model = build_model(config.model, data.train.channels, data.train.outputs)
    check_domain(config.model.name, data.train)
    try_model(model, data.train, config.model.exact_sizes)
    record = describe(model, config, seed, data)
    head: frozenset[str] = frozenset()
    if config.start is not None:
        head = head_names(config.model, data.train.channels, data.train.outputs)
    if resume is not None:
        check_same(resume, model.state_dict())
        record["start"] = read_checkpoint(resume)[KEY].get("start")
    elif config.start is not None:
        record["start"] = load_start(model, config, data, head)
    if data.target is None and not data.train.regions:
        record["balance"] = balance_record(data.train, config.train.balance)
    with whole_folder(run_folder(config, seed), resume=resume is not None) as folder:
        label = f"{config.model.name} {config.model.group or ''} seed {seed}".replace("  ", " ")
        record["validation"] = train_network(model, data, config.train, seed, folder, record, resume, label, head)
        if config.train.calibrate:
            record["calibration"] = calibrate(predict(model, data.val.x), data.val.y)
        record["validation"]["floors"] = floors.scores(data.val)
        record["images"] = {p: getattr(data, p).counts() for p in ("train", "val", "test")}
        floors.save(folder)
        if config.page and (data.train.dense or data.train.domain == "sphere"):
            write_places(folder, calibrated(model, record), data, record)
        elif config.page and data.target is None:
            write_page(folder, calibrated(model, record), data, record)
        save(folder, model, record)
    return record


def check_page(config: FitConfig, data: Splits) -> None:
    """Refuse a page of what none is written of.

    Raises:
        InputError: naming the data.
    """
    train = data.train
    if not config.page or train.dense or train.domain in ("sphere", "plane"):
        return
    raise InputError(
        f"page is {config.page}, but {train.source} has {train.domain} data; expected images with classes, fields on "
        "the sphere, or answers at every place. Set page to false."
    )


def check_same(resume: Path, state: dict[str, torch.Tensor]) -> None:
    """Compare the tensors of a checkpoint with those of the network that its own record describes.

    Raises:
        InputError: they differ.
    """
    saved = {k.removeprefix("model."): v.shape for k, v in read_checkpoint(resume)["state_dict"].items()}
    own = {k: v.shape for k, v in state.items()}
    if saved != own:
        first = sorted(k for k in saved.keys() | own.keys() if saved.get(k) != own.get(k))[0]
        raise InputError(
            f"--resume '{resume}' holds another model: '{first}' is {list(saved.get(first, ()))}; expected "
            f"{list(own.get(first, ()))}. Resume with the version and the config that wrote it."
        )


def read_resume(path: Path) -> tuple[FitConfig, int]:
    """Return the config and the seed of an unfinished run.

    Raises:
        InputError: the file is no checkpoint of `fit`, or does not lie in OUT.partial.
    """
    record = read_checkpoint(path)[KEY]
    config, seed = FitConfig.from_dict(record["config"]), int(record["seed"])
    config.data = data_config(record)
    expected = partial_name(run_folder(config, seed))
    if path.parent.resolve() != expected.resolve():
        config.seeds, config.out = [seed], str(path.parent.resolve()).removesuffix(".partial")
        if not path.parent.name.endswith(".partial"):
            raise InputError(
                f"--resume '{path}' lies in '{path.parent}'; expected a folder named OUT.partial. Move it there."
            )
    return config, seed


def main(argv: list[str]) -> int:
    """Run the command."""
    if not argv:
        raise InputError(
            f"fit was given nothing; expected what to train on. Say --config NAME, one of "
            f"{', '.join(packaged_configs())}, or --data.name and --model.name."
        )
    given, resume = parse_fit(argv)
    if resume is not None:
        if len(argv) > 2:
            raise InputError(
                f"--resume was given with {len(argv) - 2} further arguments; expected it alone, since the checkpoint "
                "holds the config. Drop the others."
            )
        config, seed = read_resume(Path(resume))
        data = load_data(config.data)
        record = fit_seed(config, data, seed, Floors.fit(data), Path(resume))
        report(run_folder(config, seed), [record])
        return 0
    config = take_over(given)
    if config.start is not None:
        o, m = config.data.options, config.model
        print(
            f"taken over from {config.start}: {m.name} {m.group or ''}, images of {o['side'][0]} x {o['side'][1]} "
            f"({o['colour'] or 'bands as they are'}), {Recipe.from_json(o['recipe'])}"
        )
    if len(set(config.seeds)) != len(config.seeds) or not config.seeds:
        raise InputError(f"seeds are {config.seeds}; expected at least one, each once.")
    out = Path(config.out)
    several = len(config.seeds) > 1
    if several and out.exists():
        raise InputError(f"out '{out}' exists already; expected a new folder. Say --out OTHER or remove it.")
    check_free(run_folder(config, config.seeds[0]))
    find_device(config.train.device, "--train.device")
    data = load_data(config.data)
    objective_of(data.train, config.train)  # refuses settings of the other kind before anything is computed
    check_augment(data.train, config.train.augment)
    check_page(config, data)
    floors = Floors.fit(data)
    records = [fit_seed(config, data, seed, floors) for seed in config.seeds]
    if several:
        summary = summarise([r["validation"] for r in records], VALIDATION)
        write_json(out / "validation.json", {"seeds": config.seeds, "validation": summary})
    report(out, records)
    return 0


def report(out: Path, records: list[dict[str, Any]]) -> None:
    """Say what was trained and where it lies."""
    for r in records:
        v = r["validation"]
        shown = [
            f"{name} {number(v[f'val_{k}'])} (constant {number(v['floors']['constant'][k])}, linear "
            f"{number(v['floors']['linear'][k])})"
            for k, name in SHOWN.items()
            if f"val_{k}" in v
        ]
        print(
            f"seed {r['seed']}: {r['parameters']:,} parameters, best epoch {v['best_epoch']}, validation "
            f"{', '.join(shown)}, {v['seconds']:.0f} s"
        )
    print(f"written to {out}; score it on the test part with: steerable evaluate {out}")
