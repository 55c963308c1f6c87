"""Scenes in lenstronomy's words, and lenstronomy as the engine of an image."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from steerable.tasks.lensing.floats import as_floats
from steerable.tasks.lensing.profiles import LENSES, SOURCES, Profile

if TYPE_CHECKING:
    from steerable.tasks.lensing.scene import Part, Scene

__all__ = ["read", "their_image", "their_model", "write"]


def read(lens_models: Sequence[str], kwargs_lens: Sequence[Any], source_models: Sequence[str],
         kwargs_source: Sequence[Any], dtype: torch.dtype) -> Scene:  # fmt: skip
    """See `Scene.from_lenstronomy`."""
    from steerable.tasks.lensing.scene import Scene

    lens_models, source_models = ([] if m is None else m for m in (lens_models, source_models))
    kwargs_lens, kwargs_source = (_listed(what, k) for what, k in (("lens", kwargs_lens), ("source", kwargs_source)))
    nested = [kw for kw in (*kwargs_lens, *kwargs_source) if not isinstance(kw, Mapping)]
    if nested:
        wrong = [kw for kw in nested if isinstance(kw, str) or not isinstance(kw, Sequence)]
        if wrong:
            raise ValueError(
                f"Scene.from_lenstronomy: an entry of kwargs_lens or kwargs_source is {wrong[0]!r}; expected a "
                "dictionary for each profile, or a list of such lists"
            )
        rows = max(len(kwargs_lens), len(kwargs_source))
        lens = kwargs_lens if lens_models else [[]] * rows
        source = kwargs_source if source_models else [[]] * rows
        if len(lens) != len(source):
            raise ValueError(
                f"Scene.from_lenstronomy: {len(lens)} scenes in kwargs_lens and {len(source)} in kwargs_source; "
                "expected as many"
            )
        return Scene.cat([read(lens_models, a, source_models, b, dtype) for a, b in zip(lens, source, strict=True)])
    if not lens_models and not source_models:
        raise ValueError(
            f"Scene.from_lenstronomy: lens_model_list={list(lens_models)}, source_model_list={list(source_models)}; "
            "expected at least one lens or source"
        )
    lens = _parts("lens", lens_models, kwargs_lens, LENSES, dtype)
    source = _parts("source", source_models, kwargs_source, SOURCES, dtype)
    sizes = {len(value) for _, values in (*lens, *source) for value in values.values() if value.ndim}
    sizes = sizes - {1} or sizes  # an array of one is a number
    if len(sizes) > 1:
        raise ValueError(f"Scene.from_lenstronomy: values of {sorted(sizes)} scenes; expected numbers or one length")
    batch = sizes.pop() if sizes else 1
    parts = [
        [(kind, {n: v.expand(batch) for n, v in values.items()}) for kind, values in rows] for rows in (lens, source)
    ]
    return Scene(_gather(parts[0]), _gather(parts[1]))


def _listed(what: str, kwargs: Any) -> Sequence[Any]:
    """The keyword arguments as a list; None is an empty one."""
    if kwargs is None:
        return []
    if isinstance(kwargs, Mapping | str) or not isinstance(kwargs, Sequence):
        raise ValueError(
            f"Scene.from_lenstronomy: kwargs_{what} is of type {type(kwargs).__name__}; expected a list with one "
            f"dictionary for each name of {what}_model_list"
        )
    return kwargs


def _parts(what: str, models: Sequence[str], kwargs: Sequence[Mapping[str, Any]], table: dict[str, Profile],
           dtype: torch.dtype) -> list[tuple[str, dict[str, Tensor]]]:  # fmt: skip
    """Checked parameters of each entry, tensors [] or [B]."""
    if isinstance(models, str) or len(models) != len(kwargs):
        raise ValueError(
            f"Scene.from_lenstronomy: {what}_model_list={models!r} and {len(kwargs)} dictionaries in kwargs_{what}; "
            "expected a list with as many names"
        )
    found = []
    for i, (kind, given) in enumerate(zip(models, kwargs, strict=True)):
        where = f"Scene.from_lenstronomy: {what} {i} ({kind})"
        if kind not in table:
            raise ValueError(
                f"Scene.from_lenstronomy: {what} {i} is {kind!r}; expected one of {', '.join(table)}: use lenstronomy "
                "itself for any other"
            )
        profile = table[kind]
        unknown = sorted(set(given) - set(profile.parameters))
        missing = [name for name in profile.parameters if name not in given and name not in profile.defaults]
        if unknown or missing:
            raise ValueError(
                f"{where}: {'unknown' if unknown else 'missing'} parameter {(unknown or missing)[0]!r}; expected "
                f"{', '.join(profile.parameters)}"
            )
        values = {name: as_floats(given.get(name, 0.0), dtype, f"{where}: {name}") for name in profile.parameters}
        _check(where, profile, values)
        found.append((kind, values))
    return found


def _check(where: str, profile: Profile, values: dict[str, Tensor]) -> None:
    """Refuse values that are not finite or make no sense."""
    for name, value in values.items():
        if value.ndim > 1:
            raise ValueError(f"{where}: {name} has shape {list(value.shape)}; expected a number or [B]")
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{where}: {name}={value.tolist()}; expected finite numbers")
        if name == "theta_E" and bool((value < 0).any()):
            raise ValueError(f"{where}: theta_E={value.tolist()}; expected an Einstein radius of at least 0")
        low, high = (0.0, float("inf")) if name in profile.positive else profile.bounds.get(name, (None, None))
        if low is not None and not bool(((value > low) & (value < high)).all()):
            raise ValueError(f"{where}: {name}={value.tolist()}; expected values above {low} and below {high}")
    if profile.spin_2 and profile.spin_2[0] == "e1" and not bool((values["e1"] ** 2 + values["e2"] ** 2 < 1).all()):
        e1, e2 = values["e1"].tolist(), values["e2"].tolist()
        raise ValueError(f"{where}: e1={e1}, e2={e2}; expected an ellipticity (1 - q) / (1 + q) below 1")
    if "Ra" in values and bool((values["Ra"] == values["Rs"]).any()):
        raise ValueError(f"{where}: Ra={values['Ra'].tolist()} is Rs; expected a core smaller than the cut")


def _gather(rows: list[tuple[str, dict[str, Tensor]]]) -> tuple[Part, ...]:
    """Parts, with neighbours of one round kind as one part of many: [B, K]."""
    from steerable.tasks.lensing.scene import Part

    parts: list[Part] = []
    start = 0
    while start < len(rows):
        kind, stop = rows[start][0], start + 1
        if kind in LENSES and LENSES[kind].ratio is not None:
            while stop < len(rows) and rows[stop][0] == kind:
                stop += 1
        group = [values for _, values in rows[start:stop]]
        many = len(group) > 1
        parts.append(Part(kind, {n: torch.stack([g[n] for g in group], 1) if many else group[0][n] for n in group[0]}))
        start = stop
    return tuple(parts)


def write(scene: Scene) -> tuple[list[str], list[dict[str, Any]], list[str], list[dict[str, Any]]]:
    """See `Scene.to_lenstronomy`."""
    lists: list[tuple[list[str], list[dict[str, Any]]]] = []
    for parts in (scene.lens, scene.source):
        names: list[str] = []
        kwargs: list[dict[str, Any]] = []
        for part in parts:
            values = {name: value.detach().cpu().double() for name, value in part.values.items()}
            if part.kind in LENSES and next(iter(values.values())).ndim == 2:
                keep = (values[LENSES[part.kind].strength] != 0).any(0).nonzero()[:, 0].tolist()
                columns = [{name: value[:, k] for name, value in values.items()} for k in keep]
            else:
                columns = [values]
            names += [part.kind] * len(columns)
            kwargs += [{n: float(v[0]) if len(v) == 1 else v.numpy().copy() for n, v in c.items()} for c in columns]
        lists.append((names, kwargs))
    (lens, kwargs_lens), (source, kwargs_source) = lists
    return lens, kwargs_lens, source, kwargs_source


def their_model(
    scene: Scene, pixels: int, pixel_scale: float, fwhm: float | None, supersampling: int = 1
) -> tuple[Any, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Lenstronomy's ImageModel of one scene, and the keyword arguments that its method `image` takes.

    Raises:
        ModuleNotFoundError: lenstronomy is not installed.
    """
    if importlib.util.find_spec("lenstronomy") is None:
        extra = "lenstronomy"
        raise ModuleNotFoundError(
            f"engine='lenstronomy': the package {extra} is not installed; expected the extra [{extra}]: "
            f"pip install 'steerable[{extra}]'",
            name=extra,
        )
    from lenstronomy.Data.imaging_data import Samples  # pyright: ignore[reportMissingImports]
    from lenstronomy.Data.psf import PSF  # pyright: ignore[reportMissingImports]
    from lenstronomy.ImSim.image_model import ImageModel  # pyright: ignore[reportMissingImports]
    from lenstronomy.LensModel.lens_model import LensModel  # pyright: ignore[reportMissingImports]
    from lenstronomy.LightModel.light_model import LightModel  # pyright: ignore[reportMissingImports]

    corner = -(pixels - 1) / 2 * pixel_scale
    data = Samples(
        image_data=np.zeros((pixels, pixels)), ra_at_xy_0=corner, dec_at_xy_0=corner,
        transform_pix2angle=np.eye(2) * pixel_scale, background_rms=1.0, exposure_time=1.0,
    )  # fmt: skip
    psf = PSF(psf_type="GAUSSIAN", fwhm=fwhm, pixel_size=pixel_scale) if fwhm else PSF(psf_type="NONE")
    lens, kwargs_lens, source, kwargs_source = scene.to_lenstronomy()
    model = ImageModel(
        data, psf, lens_model_class=LensModel(lens), source_model_class=LightModel(source),
        kwargs_numerics={"supersampling_factor": supersampling},
    )  # fmt: skip
    return model, (kwargs_lens, kwargs_source)


def their_image(scene: Scene, pixels: int, pixel_scale: float, fwhm: float | None, supersampling: int = 1) -> Tensor:
    """Images [B, pixels, pixels] by lenstronomy, flux per pixel, row 0 the lowest y, float64.

    Raises:
        ModuleNotFoundError: lenstronomy is not installed.
    """
    images = []
    for one in scene:
        model, kwargs = their_model(one, pixels, pixel_scale, fwhm, supersampling)
        images.append(torch.from_numpy(np.asarray(model.image(*kwargs))))
    return torch.stack(images)
