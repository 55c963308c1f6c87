"""The blind macro fit: the best smooth lens for an image, without the truth."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.bounds import Bounds
from steerable.tasks.lensing.macro.levenberg import Problem, State, minimise
from steerable.tasks.lensing.macro.light import light_guess
from steerable.tasks.lensing.macro.model import SmoothModel
from steerable.tasks.lensing.macro.optics import Optics, binned
from steerable.tasks.lensing.macro.result import MacroFit
from steerable.tasks.lensing.macro.start import MORE_STARTS, SCAN_STARTS, STARTS, Start, blind_starts
from steerable.tasks.lensing.macro.words import LEAST_SIGNAL, noise_limit, reasons

__all__ = ["fit_macro"]

_PIXELS_PER_PASS = 32768  # keeps the maps of a pass within the caches of a core
_COARSE_SIDE = 32  # the starts compete on images binned to no less than this


def fit_macro(
    image: Tensor,
    sigma: float | Tensor,
    pixel_scale: float,
    psf: float | Tensor,
    *,
    mask: Tensor | None = None,
    lens_light: int = 0,
    slope: bool = False,
    prior: dict[str, tuple[float, float]] | None = None,
    starts: Tensor | None = None,
    iterations: int = 60,
    dtype: torch.dtype = torch.float32,
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> MacroFit:
    """Fit SIE + shear + elliptical Sersic source to images, each from a blind start.

    Nothing is used but the image, its noise and the point-spread function: the starts read radius, shift, quadrupole
    and width of the bright ring (`start.STARTS`); they compete on binned images for a few steps, the best go on, and
    the winner is refined at full resolution by Levenberg-Marquardt with the analytic Jacobian, its amplitude solved
    linearly. Parameters stay within `bounds.Bounds`, which follow from the pixels and the field alone. The same input
    gives the same result.

    A fit has *converged* when an undamped step promises to lower chi2 (the sum over pixels) by less than 0.05, and when
    the lens lowers chi2 by more than 60 against an empty image. A fit that fails is returned with `converged` False and
    its reason in words; a converged fit may still be a poor one: look at `chi2_per_pixel` and `reason`.

    Args:
        image: [B, n, n], row 0 has the highest y; a lens near the centre of the cut-out.
        sigma: noise, standard deviation: a number, [B], or a map [B, n, n] (infinite where a pixel says nothing).
        pixel_scale: arcsec per pixel.
        psf: full width at half maximum in arcsec of a Gaussian point-spread function, or its image [h, w], odd sides.
        mask: [B, n, n] or [n, n] bool, True where a pixel counts; masked pixels may hold anything, NaN included.
        lens_light: Sersic components of light of the lens galaxy to fit as well, 0 to 2.
        slope: fit the logarithmic slope of the mass as well (2 is isothermal).
        prior: Gaussian priors by parameter, name: (mean, standard deviation). None by default; a single arc, or a
            centre hidden by a mask, leaves combinations of centre, ellipticity and shear open, which priors close.
        starts: [B, S, P] parameters to start from instead of the blind ones.
        iterations: at most so many evaluations at full resolution per image.
        dtype: of the images of the model; the equations are solved in float64.
        batch: images that are fitted side by side; bounds the memory.
        progress: called with (images done, images in all) after each batch.

    Raises:
        ValueError: in one line, for shapes that do not fit, values that are not finite where the mask counts them, a
            noise that is not above 0, fewer counted pixels than parameters or a point-spread function larger than the
            image.
    """
    raw = image
    image, sigma, mask = _checked(image, sigma, mask, starts)
    parts = []
    for first in range(0, image.shape[0], batch):
        rows = slice(first, first + batch)
        part = _Fit(
            raw[rows], image[rows], sigma[rows], mask[rows], pixel_scale, psf, dtype, lens_light, slope, iterations,
            None if starts is None else starts[rows].double(), prior or {},
        )  # fmt: skip
        parts.append(part.run())
        if progress is not None:
            progress(min(first + batch, image.shape[0]), image.shape[0])
    return MacroFit.join(parts)


def _checked(
    image: Tensor, sigma: float | Tensor, mask: Tensor | None, starts: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """(image, sigma [B, 1, 1] or [B, n, n], mask [B, n, n]), with what the mask hides replaced by zeros."""
    if image.ndim != 3 or image.shape[1] != image.shape[2] or image.shape[0] == 0:
        raise ValueError(f"fit_macro: got images of shape {tuple(image.shape)}; expected [B, n, n], square, B > 0")
    b, n = image.shape[0], image.shape[-1]
    if n < 8:
        raise ValueError(f"fit_macro: got images of {n} x {n} pixels; expected at least 8 x 8: use a larger cut-out")
    if not image.is_floating_point():
        raise ValueError(f"fit_macro: got images of {image.dtype}; expected a floating dtype: use image.float()")
    noise = torch.as_tensor(sigma, dtype=torch.float64)
    if noise.shape not in ((), (b,), (b, n, n)):
        raise ValueError(
            f"fit_macro: got sigma of shape {tuple(noise.shape)}; expected a number, [{b}] or [{b}, {n}, {n}]"
        )
    noise = noise.expand(b)[:, None, None] if noise.ndim < 2 else noise
    if mask is None:
        counted = torch.ones(b, n, n, dtype=torch.bool)
    elif mask.dtype != torch.bool or mask.shape not in ((n, n), (b, n, n)):
        raise ValueError(
            f"fit_macro: got a mask {tuple(mask.shape)} of {mask.dtype}; expected bool, [{n}, {n}] or [{b}, {n}, {n}]"
        )
    else:
        counted = mask.expand(b, n, n)
    if noise.shape[-1] > 1:
        counted = counted & ~torch.isinf(noise)
        noise = torch.where(counted, noise, torch.ones_like(noise))
    if not (torch.isfinite(noise).all() and (noise > 0).all()):
        raise ValueError(f"fit_macro: sigma runs from {float(noise.min())} to {float(noise.max())}; expected above 0")
    bad = ~torch.isfinite(image) & counted
    if bad.any():
        first = int(bad.flatten(1).any(1).nonzero()[0])
        raise ValueError(
            f"fit_macro: image {first} has {int(bad[first].sum())} pixels that are NaN or infinite; expected finite "
            "ones: mask them"
        )
    fewest = int(counted.flatten(1).sum(1).min())
    if fewest < 40:
        raise ValueError(f"fit_macro: an image has {fewest} pixels that count; expected at least 40: check the mask")
    if starts is not None and (starts.ndim != 3 or starts.shape[0] != b):
        raise ValueError(f"fit_macro: got starts of shape {tuple(starts.shape)}; expected [{b}, S, P]")
    return torch.where(counted, image, torch.zeros_like(image)), noise, counted


class _Fit:
    """One batch: the stages of `fit_macro`."""

    def __init__(
        self,
        raw: Tensor,
        image: Tensor,
        sigma: Tensor,
        mask: Tensor,
        pixel_scale: float,
        psf: float | Tensor,
        dtype: torch.dtype,
        lens_light: int,
        slope: bool,
        iterations: int,
        starts: Tensor | None,
        prior: dict[str, tuple[float, float]],
    ) -> None:
        self.raw, self.prior = raw, prior
        self.image, self.sigma, self.mask = image, sigma, mask
        self.pixel_scale, self.psf, self.dtype = pixel_scale, psf, dtype
        self.lens_light, self.slope, self.iterations = lens_light, slope, iterations
        self.n = image.shape[-1]
        self.full = self._problem(1)
        self.names = self.full.model.names
        self.start_names: tuple[str, ...] = ()
        # No coarser than about the width of the point-spread function, and no smaller than `_COARSE_SIDE` pixels.
        fine = 2.4 * Optics.width(psf, pixel_scale) / pixel_scale
        most = max(1, self.n // _COARSE_SIDE)
        self.coarse = self._problem(most)
        self.middle = self._problem(min(most, max(2, int(fine))))
        if starts is not None:
            if starts.shape[-1] != len(self.names):
                raise ValueError(
                    f"fit_macro: got starts of {starts.shape[-1]} parameters; expected {len(self.names)}: "
                    f"{', '.join(self.names)}"
                )
            self.start_names = tuple(f"given {i}" for i in range(starts.shape[1]))
        self.given = starts

    def _problem(self, factor: int) -> Problem:
        if factor == 1 and hasattr(self, "full"):
            return self.full
        optics = Optics.build(self.n, self.pixel_scale, self.psf, self.dtype, factor)
        model = SmoothModel(optics, self.lens_light, self.slope)
        image = self.image.double()
        counted = self.mask.double()
        plain = self.sigma.shape[-1] == 1 and bool(self.mask.all())
        if factor == 1:
            weight = 1.0 / self.sigma if plain else counted / self.sigma
        else:
            # The mean of the counted pixels of a block, and its noise.
            share = binned(counted, factor)
            image = binned(image * counted, factor) / share.clamp_min(1e-9)
            variance = binned((counted * self.sigma).square(), factor) / share.clamp_min(1e-9).square() / factor**2
            weight = factor / self.sigma if plain else (share > 0.5) / variance.clamp_min(1e-300).sqrt()
        side = optics.x.shape[-1]
        return Problem(
            model=model,
            data=(image * weight).to(self.dtype),
            weight=weight.to(self.dtype),
            bounds=Bounds.build(model.names, self.n * self.pixel_scale, self.pixel_scale),
            chunk=max(1, _PIXELS_PER_PASS // side**2),
            prior=_prior_rows(self.prior, model.names),
        )

    def _blind(self, starts: tuple[Start, ...], rows: Tensor) -> Tensor:
        """[N, S, P] starts for the images `rows`."""
        optics = self.full.model.optics
        image, mask, width = self.image[rows], self.mask[rows], Optics.width(self.psf, self.pixel_scale)
        extra = torch.empty(len(rows), 0, dtype=torch.float64)
        if self.lens_light:
            extra, image = light_guess(image, optics.x, optics.y, mask, self.lens_light)
        guess = blind_starts(image, self.sigma[rows], optics.x, optics.y, width, mask, starts)
        if self.slope:
            extra = torch.cat((torch.full((len(rows), 1), 2.0, dtype=torch.float64), extra), 1)
        return torch.cat((guess, extra[:, None].expand(-1, len(starts), -1)), 2)

    def run(self) -> MacroFit:
        """All stages: starts compete on binned images, the winner is refined; where much is left, further looks."""
        b = self.image.shape[0]
        final, start = None, torch.zeros(b, dtype=torch.int64)
        if self.given is not None:
            final, start = self._round(self.given, torch.arange(b), 3)
            return self._report(final, start)
        looks = [(SCAN_STARTS + STARTS, 0.0, 6), (MORE_STARTS, 1.0, 6)] if self.lens_light else [
            (STARTS, 0.0, 3), (MORE_STARTS, 1.0, 5), (SCAN_STARTS, 2.0, 5)]  # fmt: skip
        for starts, least, keep in looks:
            done = len(self.start_names)
            self.start_names += tuple(s.name for s in starts)
            if final is None:
                final, start = self._round(self._blind(starts, torch.arange(b)), torch.arange(b), keep)
                continue
            counted = self.mask.flatten(1).sum(1)
            again = ((final.chi2 / counted > least * noise_limit(counted)) | ~final.converged).nonzero()[:, 0]
            if again.numel() == 0:
                continue
            other, which = self._round(self._blind(starts, again), again, keep)
            better = other.chi2 < final.chi2[again] - 0.5
            for name in ("parameters", "chi2", "decrease", "converged", "iterations", "damping"):
                getattr(final, name)[again[better]] = getattr(other, name)[better]
            start[again[better]] = which[better] + done
        return self._report(final, start)

    def _round(self, starts: Tensor, rows: Tensor, keep: int) -> tuple[State, Tensor]:
        """The best fit from `starts` [N, S, P] to the images `rows` [N], and the start it came from."""
        n, s = starts.shape[:2]
        state = minimise(self.coarse, starts.flatten(0, 1), rows.repeat_interleave(s), iterations=5, tolerance=0.5)
        which = _best(state.chi2.view(n, s), keep)
        state = _take(state, (which + s * torch.arange(n)[:, None]).flatten())
        repeated = rows.repeat_interleave(which.shape[1])
        state = minimise(self.middle, state.parameters, repeated, iterations=30, tolerance=0.5, damping=state.damping)
        chosen = _best(state.chi2.view(n, -1), 1)
        state = _take(state, chosen[:, 0] + which.shape[1] * torch.arange(n))
        final = minimise(self.full, state.parameters, rows, iterations=self.iterations, damping=1e-3)
        return final, which.gather(1, chosen)[:, 0]

    def _report(self, state: State, start: Tensor) -> MacroFit:
        model = self.full.model
        images = torch.cat([model.image(p, model.maps(p)) for p in state.parameters.split(self.full.chunk)])
        images = images.to(self.image.dtype)
        counted = self.mask.flatten(1).sum(1)
        empty = self.full.data.flatten(1).double().square().sum(1)
        chi2 = state.chi2 - self.full.penalty(state.parameters)
        signal = empty - chi2
        per_pixel = chi2 / counted
        residual = torch.nan_to_num((self.raw - images) / self.sigma.to(images), 0.0, 0.0, 0.0)
        optics = model.optics
        words = reasons(
            state.parameters, chi2, signal, state.converged, state.iterations,
            self.full.bounds.touched(state.parameters), residual, self.mask, optics.x, optics.y, self.lens_light > 0,
        )  # fmt: skip
        return MacroFit(
            names=self.names,
            parameters=state.parameters,
            uncertainty=_uncertainty(self.full, state.parameters),
            chi2_per_pixel=per_pixel,
            signal=signal,
            converged=state.converged & (signal > LEAST_SIGNAL),
            iterations=state.iterations,
            residual=residual,
            model=images,
            start=start,
            start_names=self.start_names,
            reason=words,
        )


def _prior_rows(prior: dict[str, tuple[float, float]], names: tuple[str, ...]) -> Tensor | None:
    """[2, P] means and inverse variances."""
    if not prior:
        return None
    rows = torch.zeros(2, len(names), dtype=torch.float64)
    for name, (mean, deviation) in prior.items():
        if name not in names or "amplitude" in name or not deviation > 0:
            raise ValueError(
                f"fit_macro: got the prior {name}={mean, deviation}; expected (mean, standard deviation > 0) of one of "
                f"{', '.join(n for n in names if 'amplitude' not in n)}"
            )
        i = names.index(name)
        rows[0, i], rows[1, i] = mean, deviation**-2
    return rows


def _best(chi2: Tensor, keep: int) -> Tensor:
    """[B, keep] columns of the smallest values of [B, S], the first one first; NaN counts as the largest."""
    order = torch.nan_to_num(chi2, nan=float("inf")).sort(dim=1, stable=True).indices
    return order[:, :keep]


def _take(state: State, rows: Tensor) -> State:
    return State(
        state.parameters[rows], state.chi2[rows], state.decrease[rows], state.converged[rows], state.iterations[rows],
        state.damping[rows],
    )  # fmt: skip


def _uncertainty(problem: Problem, parameters: Tensor) -> Tensor:
    """[B, P] standard deviations from the inverse of the normal equations; infinite where they are singular."""
    matrix = problem.evaluate(parameters, torch.arange(parameters.shape[0]))[2]
    size = matrix.diagonal(dim1=1, dim2=2).sqrt()
    scaled = matrix / (size[:, :, None] * size[:, None, :]).clamp_min(1e-300)
    inverse, info = torch.linalg.inv_ex(scaled)
    variance = inverse.diagonal(dim1=1, dim2=2)
    good = (info == 0)[:, None] & (variance > 0) & (size > 0)
    return torch.where(
        good, variance.clamp_min(0.0).sqrt() / size.clamp_min(1e-300), torch.full_like(size, float("inf"))
    )
