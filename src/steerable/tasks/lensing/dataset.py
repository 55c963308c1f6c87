"""Simulated data sets: in memory, and as Parquet shards that a run killed at any moment continues."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steerable.data.errors import InputError, did_you_mean
from steerable.data.shards.columns import Block, columns_of
from steerable.data.shards.manifest import find_part
from steerable.data.shards.plan import Plan, source_digest
from steerable.data.shards.read import read_shards
from steerable.data.shards.workers import one_thread
from steerable.data.shards.write import Written, join, write_shards
from steerable.tasks.lensing.draw import SPLITS, draw_scenes
from steerable.tasks.lensing.drawn import Drawn
from steerable.tasks.lensing.macro.fit import fit_macro
from steerable.tasks.lensing.macro.result import MacroFit
from steerable.tasks.lensing.render import add_noise, noise_level, noise_map, render
from steerable.tasks.lensing.residual import BANNER, BANNERS, network_input, smooth_residual
from steerable.tasks.lensing.scene import smooth_scene
from steerable.tasks.lensing.settings import KINDS, LensSettings

__all__ = ["LensData", "blind_fit", "load", "observe", "rows", "simulate", "simulate_files"]

_SCENES = 64  # scenes of one class rendered at a time; bounds the memory, and is part of what defines the last bit
_SHARD = 256  # scenes of a shard, about
_NOT_DATA = ("demo", "report", "pictures", "table", "train", "metrics", "evaluate", "floor", "shortcut", "__init__")


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
        ids: N names such as "train/cdm/17": split, class, number of the image in it.
        fit_residual: [N, n, n] float32, (image - model) / sigma after the blind fit; None where it was not run.
        fit_macro: [N, 14] parameters of the blind fit; None where it was not run.
        fit_chi2: [N] chi2 per pixel of the blind fit; None where it was not run.
        fit_converged: [N] bool; None where it was not run.
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
    ids: tuple[str, ...] = ()
    fit_residual: Tensor | None = None
    fit_macro: Tensor | None = None
    fit_chi2: Tensor | None = None
    fit_converged: Tensor | None = None

    def __len__(self) -> int:
        return int(self.label.shape[0])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in label order."""
        return self.settings.classes

    def inputs(self, kind: str = "residual") -> Tensor:
        """[N, 1, n, n] network input: asinh(r / 2) of the residual r of this `kind`, "residual" or "fit_residual".

        Raises:
            ValueError: another kind, or a set without blind fits.
        """
        found = getattr(self, kind, None) if kind in BANNERS else None
        if found is None:
            raise ValueError(
                f"LensData: there is no {kind!r} in this set (blind_fit={self.settings.blind_fit}); "
                f"expected one of {tuple(BANNERS)}, blind fits where they were simulated"
            )
        return network_input(found)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name, those that are there."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}


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
    # photon noise of the smooth model, not of the noisy pixel: see `blind_fit`
    model = render(smooth_scene(scene.macro), settings) if settings.poisson_share else image
    return image, smooth_residual(image, noise_map(model, sigma, settings), scene.macro, settings), sigma


def blind_fit(image: Tensor, sigma: Tensor, settings: LensSettings, starts: Tensor | None = None) -> MacroFit:
    """The best smooth lens of observed images [B, n, n] with noise level `sigma` [B], found without the truth.

    `starts` [B, S, 14] replaces the blind starts: for a turned sky, the turned fit of the upright one.

    Where photons are noise, the variance of a pixel is known only from its expected light. That of its noisy value
    gives weight to pixels that came out faint and biases the fit (at poisson_share 0.8 the radius of the source by 1.1
    standard deviations), so a second fit starts from the first with the variances of its model.
    """
    fit = fit_macro(image, noise_map(image, sigma, settings), settings.pixel_scale, settings.psf_fwhm, starts=starts)
    if not settings.poisson_share:
        return fit
    noise, again = noise_map(fit.model.nan_to_num(), sigma, settings), fit.parameters[:, None]
    second = fit_macro(image, noise, settings.pixel_scale, settings.psf_fwhm, starts=again)
    return dataclasses.replace(
        second, start=fit.start, start_names=fit.start_names, iterations=fit.iterations + second.iterations
    )


def rows(settings: LensSettings, label_name: str, indices: range, seed: int, split: str) -> dict[str, Tensor]:
    """Simulate the images number `indices` of one class: every column of a row but label and id, each [B, ...].

    This is all that a data set knows of the simulator: a column that is added here is written and read.
    """
    scene = draw_scenes(settings, settings.classes.index(label_name), indices, seed=seed, split=split)
    if settings.blind_fit and settings.pixels < 8:
        raise InputError(
            f"simulate: pixels={settings.pixels}; expected at least 8 for a blind fit. Take more, or "
            "set blind_fit: false."
        )
    image, residual, sigma = observe(scene, settings)
    if not bool((sigma > 0).all()):
        raise InputError(
            f"simulate: image {indices[int((~(sigma > 0)).nonzero()[0])]} of {label_name} is dark: {settings.pixels} "
            f"pixels of {settings.pixel_scale} arcsec show nothing of a lens with theta_e={settings.theta_e}; expected "
            "light. Take a larger field or a smaller lens."
        )
    mass = scene.log10_axion_mass
    more: dict[str, Tensor] = {}
    if settings.blind_fit:
        fit = blind_fit(image, sigma, settings)
        more = {
            "fit_residual": fit.residual, "fit_macro": fit.macro, "fit_chi2": fit.chi2_per_pixel,
            "fit_converged": fit.converged,
        }  # fmt: skip
    truth = {"macro": scene.macro, "log10_axion_mass": mass}
    return {"image": image, "residual": residual, "sigma": sigma, **truth, **more}


def _block(settings: LensSettings, label: int, indices: range, seed: int, split: str) -> Block:
    """Rows of one class, with id and label."""
    name = settings.classes[label]
    ids = [f"{split}/{name}/{index}" for index in indices]
    labels = torch.full((len(indices),), label, dtype=torch.int64)
    return {"id": ids, "label": labels, **rows(settings, name, indices, seed, split)}


def _blocks(split: str, start: int, stop: int, settings: LensSettings, seed: int) -> Iterator[Block]:
    """Rows `start` to `stop` of a split: row r is image r // K of class r % K, so every shard has all K classes."""
    k = len(settings.classes)
    for first in range(start // k, stop // k, _SCENES):
        indices = range(first, min(first + _SCENES, stop // k))
        parts = [_block(settings, label, indices, seed, split) for label in range(k)]
        mixed: Block = {"id": [part["id"][i] for i in range(len(indices)) for part in parts]}
        names = [name for name in parts[0] if name != "id"]
        yield mixed | {name: torch.stack([part[name] for part in parts], 1).flatten(0, 1) for name in names}


def _checked(n_per_class: dict[str, int], settings: LensSettings | None, classes: Sequence[str] | None) -> LensSettings:
    """Settings with their defaults, for these classes.

    Raises:
        InputError: an unknown split or class, a class twice, no images.
    """
    settings = LensSettings() if settings is None else settings
    unknown = sorted(set(n_per_class) - set(SPLITS))
    if unknown or not n_per_class:
        raise InputError(f"simulate: got splits {sorted(n_per_class)}; expected some of {', '.join(SPLITS)}.")
    if min(n_per_class.values()) < 1:
        raise InputError(f"simulate: images of each class are {n_per_class}; expected at least 1 in each split.")
    chosen = settings.classes if classes is None else tuple(classes)
    for name in chosen:
        if name not in KINDS:
            hint = did_you_mean(name, KINDS)
            raise InputError(f"simulate: there is no class '{name}'; expected some of {', '.join(KINDS)}.{hint}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise InputError(f"simulate: got classes {list(chosen)}; expected each of them once, at least one.")
    try:
        return dataclasses.replace(settings, classes=chosen)
    except ValueError as e:  # a kind that the published models lack
        raise InputError(f"simulate: {e}.") from None


def simulate(
    n_per_class: int,
    seed: int = 0,
    split: str = "train",
    settings: LensSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
    classes: Sequence[str] | None = None,
) -> LensData:
    """Simulate `n_per_class` images of every class, in memory.

    Image number i of a class depends on (seed, split, class, i) and the settings alone: a larger set begins with the
    images of a smaller one (to rounding), and splits share nothing. On one thread `load` gives the same bits from the
    files of `simulate_files`.

    Args:
        n_per_class: images of each class.
        seed: any integer.
        split: one of `SPLITS`.
        settings: defaults to `LensSettings()`.
        progress: called with (images done, images in all) after each chunk.
        classes: names in label order; defaults to those of the settings.

    Raises:
        InputError: what cannot be.
    """
    settings = _checked({split: n_per_class}, settings, classes)
    chosen = settings.classes
    blocks: list[Block] = []
    done, total = 0, n_per_class * len(chosen)
    for label in range(len(chosen)):
        for start in range(0, n_per_class, _SCENES):
            indices = range(start, min(start + _SCENES, n_per_class))
            blocks.append(_block(settings, label, indices, seed, split))
            done += len(indices)
            if progress is not None:
                progress(done, total)
    return _lens_data(join(blocks), settings, seed, split)


def _lens_data(block: Block, settings: LensSettings, seed: int, split: str) -> LensData:
    names = {f.name for f in dataclasses.fields(LensData)}
    tensors = {name: value for name, value in block.items() if name in names}
    return LensData(**tensors, settings=settings, seed=seed, split=split, ids=tuple(block["id"]))


def simulate_files(
    folder: str | Path,
    n_per_class: dict[str, int],
    seed: int = 0,
    settings: LensSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    classes: Sequence[str] | None = None,
    workers: int = 1,
    start: Callable[[int, int], None] | None = None,
) -> Written:
    """Simulate into the new folder `folder`, or continue where a run with the same values was interrupted.

    The folder holds train/, validation/ and test/ (those asked for) with shards of about 256 scenes, all classes mixed
    in each, and one manifest.json; see `steerable.data.shards.write_shards`. Killed at any moment and run again it ends
    with the same bytes.

    Args:
        folder: where the files go.
        n_per_class: images of each class by split, such as {"train": 200, "validation": 100, "test": 300}.
        seed: any integer.
        settings: defaults to `LensSettings()`.
        progress: called with (images done, images in all).
        classes: names in label order; defaults to those of the settings.
        workers: processes that simulate, one thread each; the bytes do not depend on it.
        start: called once with (shards that are there, shards in all).

    Raises:
        InputError: what cannot be, and what `write_shards` refuses.
    """
    settings = _checked(n_per_class, settings, classes)
    chosen = settings.classes
    with one_thread():  # one image says which columns there are
        probe = _block(settings, 0, range(1), seed, next(iter(n_per_class)))
    plan = Plan(
        parts={split: count * len(chosen) for split, count in n_per_class.items()},
        columns=columns_of(probe),
        seed=seed,
        parameters={
            "task": "lensing",
            "settings": settings.to_dict(),
            "scenes_at_a_time": _SCENES,
        },
        rows_per_shard=max(1, _SHARD // (_SCENES * len(chosen))) * _SCENES * len(chosen),
        description=f"Simulated strong gravitational lenses of the classes {', '.join(chosen)}. residual: {BANNER}",
        code=source_digest(Path(__file__).parent, _NOT_DATA),
    )
    make = functools.partial(_blocks, settings=settings, seed=seed)
    return write_shards(folder, plan, make, workers=workers, progress=progress, start=start)


def load(path: str | Path, verify: bool = True) -> LensData:
    """Read one split of a data set that `simulate_files` wrote: class after class, the bits of `simulate`.

    Args:
        path: the folder of the split, such as FOLDER/train.
        verify: compare the checksums.

    Raises:
        InputError: when the folder or a shard is absent, not ours, changed after it was written, incomplete, holds
            other columns than promised or a value that is not finite. The message is one line.
    """
    manifest, split = find_part(path)
    found: dict[str, Any] = manifest.parameters
    if found.get("task") != "lensing" or "settings" not in found:
        raise InputError(
            f"'{path}' was made by the task {found.get('task')!r}; expected 'lensing'. Make it with "
            "`steerable simulate lensing`."
        )
    try:
        settings = LensSettings.from_dict(found["settings"])
    except (TypeError, ValueError) as e:
        raise InputError(f"'{path}' has settings that this steerable does not know ({e}). Make it again.") from None
    block = read_shards(path, verify=verify)
    needed = [f.name for f in dataclasses.fields(LensData) if f.type == "Tensor"]
    if missing := [name for name in ("id", *needed) if name not in block]:
        raise InputError(f"'{path}' lacks the column '{missing[0]}'; expected {needed}. Make it again.")
    label, classes = block["label"], settings.classes
    if int(label.min()) < 0 or int(label.max()) >= len(classes):
        raise InputError(
            f"'{path}': labels are {int(label.min())} to {int(label.max())}; expected 0 to {len(classes) - 1}. Make it "
            "again."
        )
    order = torch.argsort(label, stable=True)
    ids: list[str] = block["id"]
    block = {name: value[order] for name, value in block.items() if isinstance(value, Tensor)}
    return _lens_data({"id": [ids[i] for i in order.tolist()], **block}, settings, manifest.seed, split)
