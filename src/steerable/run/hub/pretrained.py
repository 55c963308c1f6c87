"""A trained network as the hub knows it: the mixin of huggingface_hub on top of a run's own two files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, hf_hub_download
from torch import Tensor, nn

from steerable.data import Recipe, Regions, Target
from steerable.data.errors import InputError
from steerable.run.floors import FILE as FLOORS
from steerable.run.hub.card import card_text
from steerable.run.hub.errors import one_line
from steerable.run.hub.exactness import measure_exactness
from steerable.run.outputs import finite, write_text
from steerable.run.store import (
    RECORD,
    WEIGHTS,
    build,
    calibrated,
    find_runs,
    load_network,
    meaning,
    portable,
    recipe,
    require_images,
    save,
)

SCORES = "evaluation.json"


class Pretrained(nn.Module, PyTorchModelHubMixin, library_name="steerable", tags=["steerable", "equivariance"]):
    """A network with all that its answers mean: classes or target, the preparation of its images, its figures.

    ``save_pretrained(folder)``, ``push_to_hub("user/name")`` and ``from_pretrained(folder or "user/name")`` come from
    huggingface_hub. What they write is a folder of `steerable fit` with a card: `steerable predict` takes it, too.

    Args:
        record: of the run, see :func:`steerable.run.store.describe`.
        network: what it describes, trained; None: built with new weights.

    Attributes:
        network: `[B, C, H, W] -> [B, K]`; a regression answers standardised values.
        record: of the run.
        license: of the weights, for the card; an identifier of the hub such as ``cc-by-4.0``.
    """

    def __init__(self, record: dict[str, Any], network: nn.Module | None = None) -> None:
        super().__init__()
        require_images(record, record["config"]["out"], "hub")
        self.record = record
        self.network = build(record) if network is None else network
        self.license: str | None = None
        self.extra: dict[str, str] = {}  # further files of the run, by name
        keys = ("in_channels", "classes", "target", "raw_size", "preprocessing", "input")
        self._hub_mixin_config = finite(
            {"library": "steerable", "model": record["config"]["model"], **{k: record[k] for k in keys}}
        )

    @property
    def meaning(self) -> tuple[str, ...] | Target | Regions:
        """What the answers are: the names of the classes, or the target."""
        return meaning(self.record)

    @property
    def recipe(self) -> Recipe:
        """What is done to raw images first."""
        return recipe(self.record)

    def forward(self, x: Tensor) -> Tensor:
        """Prepared images ``[N, C, H, W]`` to logits ``[N, K]``, or values ``[N, 1]`` in the unit of the target."""
        return calibrated(self.network, self.record)(x)

    @torch.no_grad()
    def answer(self, images: Tensor) -> Tensor:
        """Raw images ``[N, C, H, W]`` to probabilities ``[N, K]``, or values ``[N, 1]``; the mode is left as it is."""
        out = self(self.recipe(images).to(next(self.network.parameters())))
        return out if self.record["target"] is not None else out.softmax(-1)

    @staticmethod
    def of_run(folder: str | Path, seed: int | None = None, license: str | None = None) -> Pretrained:
        """Read a run of `steerable fit`.

        Args:
            folder: of the run.
            seed: which one, where there are several.
            license: of the weights.

        Raises:
            InputError: no run, or several seeds and none was named.
        """
        runs = {int(load_network(run)[1]["seed"]): run for run in find_runs(Path(folder))}
        if (seed is None and len(runs) > 1) or (seed is not None and seed not in runs):
            raise InputError(f"'{folder}' has the seeds {sorted(runs)}, seed={seed} was given; expected one of them.")
        run = runs[min(runs) if seed is None else seed]
        network, record = load_network(run)
        found = Pretrained(portable(record), network).eval()
        found.license = license
        names = (FLOORS, SCORES)
        found.extra = {n: (run / n).read_text(encoding="utf-8") for n in names if (run / n).is_file()}
        return found

    def _save_pretrained(self, save_directory: Path) -> None:
        save(save_directory, self.network, self.record)
        for name, text in self.extra.items():
            write_text(save_directory / name, text)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **where: Any) -> Pretrained:
        network, record = load_network(fetch(model_id, **where))
        return cls(record, network).to(map_location).eval()

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """Return the page of the model; `name` is how it is called there."""
        test = json.loads(self.extra[SCORES]) if SCORES in self.extra else None
        name = str(kwargs.get("name") or "USER/NAME")
        exactness = measure_exactness(self.network, self.record)
        return ModelCard(card_text(self.record, test, exactness, self.license, name))


def fetch(name: str, **where: Any) -> Path:
    """Return a folder with the files of a model: `name` itself, or what the hub holds under that name.

    Args:
        name: a folder, or USER/NAME.
        where: `revision`, `cache_dir`, `token`, `force_download`, `local_files_only` of `hf_hub_download`.

    Raises:
        InputError: there is no such model, or it is not ours.
    """
    if Path(name).is_dir():
        return Path(name)
    options = {k: v for k, v in where.items() if v is not None}
    with one_line(name, "cannot be loaded"):
        found = [Path(hf_hub_download(name, file, **options)) for file in (RECORD, WEIGHTS)]
    return found[0].parent
