"""Simulated data sets: in memory, and as safetensors files with a JSON manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.tasks.lensing.draw import SPLITS, draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.render import add_noise, noise_level, render
from steerable.tasks.lensing.residual import BANNER, network_input, smooth_residual
from steerable.tasks.lensing.settings import LensSettings

__all__ = ["LensData", "load", "observe", "save", "simulate", "simulate_files"]

_FORMAT = "steerable-lensing-1"
_SCENES = 16  # scenes rendered at a time; bounds the memory, changes no image


@dataclasses.dataclass(frozen=True)
class LensData:
    """One split: N images, class after class.

    Attributes:
        image: [N, n, n] float32, noisy image; the peak of the noise-free one is sigma * peak_snr.
        residual: [N, n, n] float32, (image - smooth model) / sigma.
        sigma: [N] float32, standard deviation of the noise.
        label: [N] int64, index into `settings.classes`.
        macro: [N, 14] float64, true parameters of the smooth lens, columns `MACRO`.
        log10_axion_mass: [N] float64, log10 (mass / eV); 0 where there is no vortex.
        settings: what was simulated.
        seed, split: the seed and the name of the split.
    """

    image: Tensor
    residual: Tensor
    sigma: Tensor
    label: Tensor
    macro: Tensor
    log10_axion_mass: Tensor
    settings: LensSettings
    seed: int
    split: str

    def __len__(self) -> int:
        return int(self.label.shape[0])

    def inputs(self) -> Tensor:
        """[N, 1, n, n] network input, asinh(residual / 2)."""
        return network_input(self.residual)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name, as they are written to a file."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.type == "Tensor"}


def observe(
    scene: Drawn, settings: LensSettings, *, noise: bool = True, sigma: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(image, residual, sigma) of the scenes: [B, n, n], [B, n, n], [B], float32.

    Args:
        scene: what to look at.
        settings: grid, point-spread function and signal to noise.
        noise: without it the image is noise-free while sigma is the same: use that to compare turned scenes, because
            white noise has no exact turn by less than 90 degrees.
        sigma: [B] noise levels to use instead of peak / peak_snr: those of the upright scenes, for turned ones.
    """
    image = render(scene, settings)
    sigma = noise_level(image, settings) if sigma is None else sigma
    if noise:
        image = add_noise(image, sigma, scene, settings)
    return image, smooth_residual(image, sigma, scene.macro, settings), sigma


def simulate(
    n_per_class: int,
    seed: int = 0,
    split: str = "train",
    settings: LensSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LensData:
    """Simulate `n_per_class` images of every class.

    Image number i of a class depends on (seed, split, class, i) and the settings alone: a larger set begins with the
    images of a smaller one, and splits share nothing.

    Args:
        n_per_class: images of each class.
        seed: any integer.
        split: one of `SPLITS`.
        settings: defaults to `LensSettings()`.
        progress: called with (images done, images in all) after each chunk.
    """
    if n_per_class < 1:
        raise ValueError(f"simulate: got n_per_class={n_per_class}; expected at least 1")
    settings = LensSettings() if settings is None else settings
    rows: list[dict[str, Tensor]] = []
    total, done = n_per_class * len(settings.classes), 0
    for label in range(len(settings.classes)):
        for start in range(0, n_per_class, _SCENES):
            indices = range(start, min(start + _SCENES, n_per_class))
            scene = draw_scenes(settings, label, indices, seed=seed, split=split)
            image, residual, sigma = observe(scene, settings)
            rows.append(
                {"image": image, "residual": residual, "sigma": sigma, "label": scene.label, "macro": scene.macro,
                 "log10_axion_mass": scene.log10_axion_mass}
            )  # fmt: skip
            done += len(scene)
            if progress is not None:
                progress(done, total)
    tensors = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    return LensData(**tensors, settings=settings, seed=seed, split=split)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(path: Path, write: Callable[[str], Any]) -> None:
    """Write beside `path` and rename: a reader sees the old file or the whole new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save(data: LensData, path: str | Path) -> Path:
    """Write `data` to PATH.safetensors with its manifest PATH.json beside; returns the path of the manifest.

    Both files appear whole or not at all; the manifest is written last and holds the checksum of the tensors.
    """
    from safetensors.torch import save_file

    target = Path(path).with_suffix(".safetensors")
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, lambda name: save_file({k: v.contiguous() for k, v in data.tensors().items()}, name))
    manifest = {
        "format": _FORMAT,
        "file": target.name,
        "sha256": _checksum(target),
        "split": data.split,
        "seed": data.seed,
        "images": len(data),
        "classes": list(data.settings.classes),
        "settings": data.settings.to_dict(),
        "note": BANNER,
        "torch": torch.__version__,
    }
    text = json.dumps(manifest, indent=2) + "\n"
    _replace(target.with_suffix(".json"), lambda name: Path(name).write_text(text, encoding="utf-8"))
    return target.with_suffix(".json")


def simulate_files(
    folder: str | Path,
    n_per_class: dict[str, int],
    seed: int = 0,
    settings: LensSettings | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Simulate and write one file per split; returns the manifests.

    Args:
        folder: where the files go, made if absent.
        n_per_class: images of each class by split, such as {"train": 200, "validation": 100, "test": 300}.
        seed: any integer.
        settings: defaults to `LensSettings()`.
        progress: called with (split, images done, images in all).
    """
    unknown = sorted(set(n_per_class) - set(SPLITS))
    if unknown or not n_per_class:
        raise ValueError(f"simulate_files: got splits {sorted(n_per_class)}; expected some of {', '.join(SPLITS)}")
    manifests = []
    for split, count in n_per_class.items():

        def report(done: int, total: int, split: str = split) -> None:
            if progress is not None:
                progress(split, done, total)

        manifests.append(save(simulate(count, seed, split, settings, report), Path(folder) / split))
    return manifests


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} does not exist; expected a manifest as `steerable simulate lensing` writes it"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error}); expected a manifest: simulate the data again") from None
    found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
    if found != _FORMAT:
        raise ValueError(f"{path} has format {found!r}; expected {_FORMAT!r}: simulate the data again")
    missing = [
        key for key in ("file", "sha256", "split", "seed", "images", "settings", "classes") if key not in manifest
    ]
    if missing:
        raise ValueError(f"{path} lacks the key {missing[0]!r}; simulate the data again")
    return manifest


def load(path: str | Path) -> LensData:
    """Read one split from its manifest (PATH.json) or from PATH or PATH.safetensors with the manifest beside.

    Raises:
        FileNotFoundError: when the manifest or the tensors are absent.
        ValueError: when the file is not ours, was changed after it was written, is incomplete, has tensors of other
            shapes than promised or holds a value that is not finite. The message is one line.
    """
    path = Path(path)
    path = path if path.suffix == ".json" else path.with_suffix(".json")
    manifest = _manifest(path)
    target = path.parent / Path(str(manifest["file"])).name
    if not target.is_file():
        raise FileNotFoundError(f"{target} does not exist; expected the tensors that {path.name} describes")
    if (checksum := _checksum(target)) != manifest["sha256"]:
        raise ValueError(
            f"{target} has sha256 {checksum[:12]}..., {path.name} promises {str(manifest['sha256'])[:12]}...: the file "
            "was changed or cut; simulate the data again"
        )
    from safetensors.torch import load_file

    tensors = load_file(target)
    settings = LensSettings.from_dict(manifest["settings"])
    n, pixels = manifest["images"], settings.pixels
    shapes = {"image": (n, pixels, pixels), "residual": (n, pixels, pixels), "sigma": (n,), "label": (n,),
              "macro": (n, 14), "log10_axion_mass": (n,)}  # fmt: skip
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != shapes:
        raise ValueError(f"{target} holds {found}; expected {shapes}")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{target}: {name} holds NaN or infinite values; expected finite ones: simulate again")
    if int(tensors["label"].min()) < 0 or int(tensors["label"].max()) >= len(settings.classes):
        raise ValueError(
            f"{target}: labels run to {int(tensors['label'].max())}; expected 0 to {len(settings.classes) - 1}"
        )
    return LensData(**tensors, settings=settings, seed=int(manifest["seed"]), split=str(manifest["split"]))
