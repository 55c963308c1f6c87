"""A batch of lens scenes: what bends the light and what shines, none of the pixels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.tasks.lensing.floats import as_floats
from steerable.tasks.lensing.light_path import add_deflection, surface_brightness
from steerable.tasks.lensing.profiles import LENSES, SOURCES
from steerable.tasks.lensing.psf import blur, gaussian_matrix

__all__ = ["MACRO", "Part", "Scene", "smooth_scene", "turn_macro"]

MACRO = (
    "theta_e", "e1", "e2", "g1", "g2", "lens_x", "lens_y", "source_x", "source_y",
    "source_radius", "sersic_index", "source_e1", "source_e2", "amplitude",
)  # fmt: skip
"""Columns of a macro model: the fourteen parameters of a smooth lens (SIE and shear) and its Sersic source."""

_CACHED = 32_768  # points of all scenes worked on at a time: what stays in the cache
_VECTORS = ((5, 6), (7, 8))  # columns of MACRO that turn with the sky
_SPIN_2 = ((1, 2), (3, 4), (11, 12))  # columns that turn twice as fast


@dataclasses.dataclass(frozen=True)
class Part:
    """One lens or source of B scenes, or K of one kind in each.

    Attributes:
        kind: a key of `profiles.LENSES` or `profiles.SOURCES`, such as "SIE".
        values: by parameter, [B], or [B, K] for many round lenses; the strength of those that are not there is 0.
    """

    kind: str
    values: dict[str, Tensor]

    def map(self, function: Any) -> Part:
        """The part with `function` applied to every tensor."""
        return Part(self.kind, {name: function(value) for name, value in self.values.items()})

    def turned(self, angle: float) -> Part:
        """The part after a turn of the sky by `angle` radians, counter-clockwise about the origin."""
        profile = LENSES[self.kind] if self.kind in LENSES else SOURCES[self.kind]
        values = dict(self.values)
        for names, factor in ((profile.centre, 1), (profile.spin_2, 2)):
            if names:
                (a, b), cos, sin = (self.values[n] for n in names), math.cos(factor * angle), math.sin(factor * angle)
                values[names[0]], values[names[1]] = cos * a - sin * b, sin * a + cos * b
        return Part(self.kind, values)


@dataclasses.dataclass(frozen=True)
class Scene:
    """B scenes of one composition. Turning a scene turns its parameters: a turned sky is computed, not resampled.

    Lengths are arcsec, x to the right and y **up**, the origin in the middle of an image.

    Attributes:
        lens: what bends the light, in one plane; deflections add.
        source: what shines, behind the lens; brightnesses add.
        turn: degrees, counter-clockwise, by which the scenes were turned since they were made.
    """

    lens: tuple[Part, ...]
    source: tuple[Part, ...]
    turn: float = 0.0

    def __len__(self) -> int:
        return int(next(iter((*self.lens, *self.source)[0].values.values())).shape[0])

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Scene:
        """Scenes chosen along the batch by an integer, a slice, a list of integers or a tensor (integer or mask)."""
        if isinstance(index, int | np.integer) or (isinstance(index, Tensor) and index.ndim == 0):
            index = int(index)
            if not -len(self) <= index < len(self):
                raise IndexError(f"Scene: index {index} of a batch of {len(self)}; expected {-len(self)} or more, below"
                                 f" {len(self)}")  # fmt: skip
            index = [index]
        return self._map(lambda value: value[index])

    def __iter__(self) -> Iterator[Scene]:
        return (self[i] for i in range(len(self)))

    def _map(self, function: Any) -> Scene:
        lens, source = (tuple(part.map(function) for part in parts) for parts in (self.lens, self.source))
        return Scene(lens, source, self.turn)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return next(iter((*self.lens, *self.source)[0].values.values())).dtype

    def to(self, *args: Any, **kwargs: Any) -> Scene:
        """The scenes on another device or in another dtype, as `torch.Tensor.to` takes them."""
        return self._map(lambda value: value.to(*args, **kwargs))

    def turned(self, degrees: float) -> Scene:
        """The same scenes after the sky is turned counter-clockwise by `degrees` about the origin."""
        angle = math.radians(degrees)
        lens, source = (tuple(part.turned(angle) for part in parts) for parts in (self.lens, self.source))
        return Scene(lens, source, (self.turn + degrees) % 360.0)

    def deflection(self, x: Any, y: Any) -> tuple[Tensor, Tensor]:
        """Deflection angle in arcsec at points that all scenes share.

        Args:
            x: horizontal coordinates in arcsec, tensor, array or number of any shape S.
            y: vertical coordinates, the same shape.

        Returns:
            Two tensors `[B, *S]`, in the dtype of `x` where that is a tensor of floats, else in that of the scene.

        Raises:
            ValueError: coordinates of different shapes, or that are no numbers.
        """
        x, y = self._points(x, y)
        flat = add_deflection(self.lens, x.reshape(1, -1), y.reshape(1, -1), len(self))
        return flat[0].reshape(len(self), *x.shape), flat[1].reshape(len(self), *x.shape)

    def brightness(self, x: Any, y: Any) -> Tensor:
        """Surface brightness `[B, *S]` at points of shape S (see `deflection`), before any point-spread function."""
        x, y = self._points(x, y)
        return surface_brightness(self.lens, self.source, x.reshape(1, -1), y.reshape(1, -1), len(self)).reshape(
            len(self), *x.shape
        )

    def image(
        self,
        pixels: int,
        pixel_scale: float,
        fwhm: float | None = None,
        *,
        supersampling: int = 1,
        dtype: torch.dtype | None = None,
        engine: str = "torch",
    ) -> Tensor:
        """Images [B, pixels, pixels], flux per pixel, **row 0 the lowest y**, as lenstronomy has them.

        Args:
            pixels: side of the image; its middle is the origin.
            pixel_scale: arcsec per pixel.
            fwhm: full width at half maximum of a Gaussian point-spread function, arcsec; None for none.
            supersampling: points along each side of a pixel; their mean is what the pixel sees.
            dtype: of the computation; defaults to that of the scene.
            engine: "torch", or "lenstronomy" (an extra; not differentiable, float64, on the CPU).

        Raises:
            ValueError: sizes that are not positive or whole, a point-spread function wider than the image, another
                dtype than float32 and float64, an unknown engine.
            ModuleNotFoundError: the engine lenstronomy without the extra of that name.
        """
        if engine not in ("torch", "lenstronomy"):
            raise ValueError(f"Scene.image: engine={engine!r}; expected 'torch' or 'lenstronomy'")
        for name, value in (("pixels", pixels), ("supersampling", supersampling)):
            if not isinstance(value, int | np.integer):
                raise ValueError(f"Scene.image: {name}={value!r}; expected a whole number")
        if dtype not in (None, torch.float32, torch.float64):
            raise ValueError(f"Scene.image: dtype={dtype}; expected torch.float32 or torch.float64")
        if pixels < 1 or not 0 < pixel_scale < math.inf or supersampling < 1:
            raise ValueError(
                f"Scene.image: pixels={pixels}, pixel_scale={pixel_scale}, supersampling={supersampling}; expected all "
                "above 0"
            )
        dtype = self.dtype if dtype is None else dtype
        psf = None if not fwhm else gaussian_matrix(pixels, fwhm / pixel_scale)
        if engine == "lenstronomy":
            from steerable.tasks.lensing.lenstronomy import their_image

            return their_image(self, pixels, pixel_scale, fwhm, supersampling).to(dtype)
        scene, n = self.to(dtype), pixels * supersampling
        device = next(iter((*self.lens, *self.source)[0].values.values())).device
        ticks = (torch.arange(n, dtype=torch.float64, device=device) - (n - 1) / 2) * (pixel_scale / supersampling)
        ticks = ticks.to(dtype)
        some, images = max(1, _CACHED // (n * n)), []
        for start in range(0, max(1, len(self)), some):
            part = scene[start : start + some]
            image = surface_brightness(part.lens, part.source, ticks[None, :], ticks[:, None], len(part))
            if supersampling > 1:
                image = image.unflatten(-1, (pixels, supersampling)).unflatten(-3, (pixels, supersampling))
                image = image.mean((-3, -1))
            images.append(image if psf is None else blur(image, psf.to(image)))
        return torch.cat(images) * pixel_scale**2

    def _points(self, x: Any, y: Any) -> tuple[Tensor, Tensor]:
        tensor = isinstance(x, Tensor) and x.is_floating_point()
        x = x if tensor else as_floats(x, self.dtype, "Scene: x")
        y = as_floats(y, x.dtype, "Scene: y").to(x.device)
        try:
            x, y = torch.broadcast_tensors(x, y)
        except RuntimeError:
            raise ValueError(
                f"Scene: points x {list(x.shape)} and y {list(y.shape)}; expected one shape for both, or shapes that "
                "broadcast"
            ) from None
        return x, y

    @staticmethod
    def cat(scenes: Sequence[Scene]) -> Scene:
        """One batch of several; many clumps are padded with clumps of strength 0.

        Raises:
            ValueError: no scenes, or scenes of different compositions or turns.
        """
        made = {(tuple(p.kind for p in s.lens), tuple(p.kind for p in s.source), s.turn) for s in scenes}
        if len(made) != 1:
            raise ValueError(
                f"Scene.cat: {len(scenes)} scenes of {len(made)} compositions {sorted(made)}; expected one"
            )
        first = scenes[0]
        lens = tuple(_cat_parts([s.lens[i] for s in scenes]) for i in range(len(first.lens)))
        source = tuple(_cat_parts([s.source[i] for s in scenes]) for i in range(len(first.source)))
        return Scene(lens, source, first.turn)

    @classmethod
    def from_lenstronomy(
        cls,
        lens_model_list: Sequence[str],
        kwargs_lens: Sequence[Any],
        source_model_list: Sequence[str] = (),
        kwargs_source: Sequence[Any] = (),
        *,
        dtype: torch.dtype = torch.float64,
    ) -> Scene:
        """Scenes from lenstronomy's lists and keyword arguments: SIE, EPL, SHEAR, CONVERGENCE, POINT_MASS, NFW, PJAFFE
        lenses and SERSIC, SERSIC_ELLIPSE sources.

        A value is a number, or an array or tensor [B] for B scenes; tensors keep their gradients. A list of lists of
        keyword arguments is a batch too, scene by scene.

        Raises:
            ValueError: another profile, lists of different lengths, a parameter that is missing, unknown, not finite
                or without physical sense.
        """
        from steerable.tasks.lensing.lenstronomy import read

        return read(lens_model_list, kwargs_lens, source_model_list, kwargs_source, dtype)

    def to_lenstronomy(self) -> tuple[list[str], list[dict[str, Any]], list[str], list[dict[str, Any]]]:
        """(lens_model_list, kwargs_lens, source_model_list, kwargs_source), as `from_lenstronomy` reads them.

        Values are floats for one scene, float64 arrays [B] for more; `scene[i].to_lenstronomy()` gives one of many.
        Clumps of strength 0 are left out where all scenes have none.
        """
        from steerable.tasks.lensing.lenstronomy import write

        return write(self)


def _cat_parts(parts: Sequence[Part]) -> Part:
    """Parts one after the other along the batch, padded to one number of clumps."""
    values: dict[str, Tensor] = {}
    for name in parts[0].values:
        rows = [part.values[name] for part in parts]
        if rows[0].ndim == 2:
            width = max(row.shape[1] for row in rows)
            # a pad copies a legal value (radii above 0); its strength is made 0 below
            fill = 0.0 if name == LENSES[parts[0].kind].strength else 1.0
            fill = 0.0 if name in LENSES[parts[0].kind].centre else fill
            rows = [torch.cat((row, row.new_full((row.shape[0], width - row.shape[1]), fill)), 1) for row in rows]
        values[name] = torch.cat(rows)
    if "Ra" in values and values["Ra"].ndim == 2:  # a pseudo-Jaffe pad with core = cut would divide by 0
        values["Rs"] = torch.where(values["sigma0"] == 0, 2.0 * values["Ra"], values["Rs"])
    return Part(parts[0].kind, values)


def smooth_scene(macro: Tensor) -> Scene:
    """The smooth lenses and sources of parameters [B, 14] in the order of `MACRO`; the shear acts about the lens."""
    v = dict(zip(MACRO, macro.unbind(-1), strict=True))
    lens_centre = {"center_x": v["lens_x"], "center_y": v["lens_y"]}
    return Scene(
        (
            Part("SIE", {"theta_E": v["theta_e"], "e1": v["e1"], "e2": v["e2"], **lens_centre}),
            Part("SHEAR", {"gamma1": v["g1"], "gamma2": v["g2"], "ra_0": v["lens_x"], "dec_0": v["lens_y"]}),
        ),
        (
            Part(
                "SERSIC_ELLIPSE",
                {"amp": v["amplitude"], "R_sersic": v["source_radius"], "n_sersic": v["sersic_index"],
                 "e1": v["source_e1"], "e2": v["source_e2"], "center_x": v["source_x"], "center_y": v["source_y"]},
            ),
        ),
    )  # fmt: skip


def turn_macro(macro: Tensor, degrees: float) -> Tensor:
    """Parameters [B, 14] after the sky is turned counter-clockwise by `degrees` about the origin."""
    angle, turned = math.radians(degrees), macro.clone()
    for columns, factor in [(v, 1) for v in _VECTORS] + [(v, 2) for v in _SPIN_2]:
        (a, b), cos, sin = (macro[:, c] for c in columns), math.cos(factor * angle), math.sin(factor * angle)
        turned[:, columns[0]], turned[:, columns[1]] = cos * a - sin * b, sin * a + cos * b
    return turned
