"""Load, save and publish trained networks in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerable.data import Recipe, Target
from steerable.data.errors import InputError
from steerable.run.config import FitConfig, ModelConfig
from steerable.run.hub.errors import one_line
from steerable.run.outputs import whole_folder
from steerable.run.store import FORMAT, build, fingerprint, parameter_count, types, versions

if TYPE_CHECKING:
    from steerable.run.hub.pretrained import Pretrained


def from_pretrained(
    name: str | Path,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    device: str = "cpu",
) -> Pretrained:
    """Load a trained network from a folder or from the hub.

    Args:
        name: a folder that :func:`save_pretrained` or `steerable fit` wrote, or USER/NAME of the hub.
        revision: a branch, tag or commit.
        cache_dir: where downloads are kept; None: where huggingface_hub keeps them.
        token: of the hub; None: the one of `hf auth login`.
        local_files_only: look only among what was downloaded before.
        device: where the network lives.

    Returns:
        The network in eval mode: ``model(x)`` gives logits, ``model.answer(images)`` probabilities or values.

    Raises:
        InputError: no such model, weights of another model, or bases that differ from those of training.
        ModuleNotFoundError: without the extra ``steerable[hub]``.
    """
    from steerable.run.hub.pretrained import Pretrained

    if Path(name).is_dir():
        return Pretrained._from_pretrained(model_id=str(name), map_location=device)
    with one_line(name, "cannot be loaded"):
        return Pretrained.from_pretrained(
            str(name), revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only,
            map_location=device,
        )  # fmt: skip


def save_pretrained(
    run: str | Path | Pretrained, folder: str | Path, seed: int | None = None, license: str | None = None
) -> Path:
    """Write a trained network with its card into a new folder, as the hub would hold it.

    Args:
        run: a folder of `steerable fit`, or a network of :func:`create_pretrained`.
        folder: it must not exist yet.
        seed: which one, where a run has several.
        license: of the weights, such as ``cc-by-4.0``.

    Returns:
        The folder.

    Raises:
        InputError: no run, several seeds and none was named, or a folder that exists.
    """
    model = _opened(run, seed, license)
    with whole_folder(Path(folder)) as partial:
        model.save_pretrained(partial, model_card_kwargs={"name": Path(folder).name})
    return Path(folder)


def push_to_hub(
    run: str | Path | Pretrained,
    name: str,
    seed: int | None = None,
    license: str | None = None,
    private: bool | None = None,
    token: str | None = None,
    message: str = "Weights, record and card of a steerable network",
    branch: str | None = None,
) -> str:
    """Publish a trained network.

    Args:
        run: a folder of `steerable fit`, or a network of :func:`create_pretrained`.
        name: USER/NAME.
        seed: which one, where a run has several.
        license: of the weights, such as ``cc-by-4.0``; the card says so.
        private: None: what the owner has set.
        token: of the hub; None: the one of `hf auth login`.
        message: of the commit.
        branch: None: main.

    Returns:
        The address of the commit.

    Raises:
        InputError: no run, no such place, or no leave to write there.
        ModuleNotFoundError: without the extra ``steerable[hub]``.
    """
    model = _opened(run, seed, license)
    with one_line(name, "cannot be published"):
        return str(
            model.push_to_hub(
                name, private=private, token=token, commit_message=message, branch=branch,
                model_card_kwargs={"name": name},
            )
        )  # fmt: skip


def _opened(run: str | Path | Pretrained, seed: int | None, license: str | None) -> Pretrained:
    from steerable.run.hub.pretrained import Pretrained

    if isinstance(run, Pretrained):
        run.license = license or run.license
        return run
    return Pretrained.of_run(run, seed, license)


def create_pretrained(
    name: str,
    meaning: Sequence[str] | Target,
    size: tuple[int, int],
    in_channels: int = 1,
    group: str | None = None,
    options: dict[str, Any] | None = None,
    preparation: Recipe | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Pretrained:
    """Build a network by name that can be saved and published, for those who train it themselves.

    Args:
        name: one of `steerable.list_models()`.
        meaning: the names of the classes, or the target of a regression.
        size: height and width of raw images.
        in_channels: of the images.
        group: its symmetry, such as ``C8``.
        options: further arguments of the model.
        preparation: what is done to raw images first.
        mean, std: of the values that a regression was trained on.

    Returns:
        A network in training mode; train ``model.network``, which answers logits or standardised values.

    Raises:
        InputError: an unknown network or group, or no class.
        ModuleNotFoundError: without the extra ``steerable[hub]``.
    """
    from steerable.run.hub.pretrained import Pretrained

    target = meaning if isinstance(meaning, Target) else None
    classes = [] if isinstance(meaning, Target) else [str(c) for c in meaning]
    if target is None and not classes:
        raise InputError(f"create_pretrained: meaning is {meaning!r}; expected names of classes, or a Target.")
    config = FitConfig(out="", model=ModelConfig(name, group, dict(options or {})))
    record: dict[str, Any] = {
        "format": FORMAT,
        "config": config.to_dict(),
        "seed": 0,
        "in_channels": in_channels,
        "classes": classes,
        "target": None if target is None else {"name": target.name, "unit": target.unit, "mean": mean, "std": std},
        "input": "pixels",
        "input_settings": {},
        "raw_size": list(size),
        "preprocessing": (preparation or Recipe()).to_json(),
        "versions": versions(),
    }
    network = build(record)
    about = {"parameters": parameter_count(network), "types": types(network), "fingerprint": fingerprint(network)}
    return Pretrained({**record, **about}, network)
