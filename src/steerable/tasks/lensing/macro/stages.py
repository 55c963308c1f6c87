"""The stages of a blind fit on one batch: screening, settling, refining, further looks, report."""

from __future__ import annotations

import dataclasses

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

__all__ = ["FitOptions", "Stages"]

_PIXELS_PER_PASS = 32768  # keeps the maps of a pass within the caches of a core
_COARSE_SIDE = 32  # the starts compete on images binned to no less than this


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """What `fit.fit_macro` was asked for; see there."""

    pixel_scale: float
    psf: float | Tensor
    dtype: torch.dtype
    lens_light: int
    slope: bool
    prior: dict[str, tuple[float, float]]
    looks: int
    iterations: int


class Stages:
    """One batch of `fit.fit_macro`: starts compete on binned images, the best are refined.

    Args:
        options: of the fit.
        raw: [B, n, n] images as they were given, for the residual.
        image: [B, n, n] with zeros where the mask hides them.
        sigma: [B, 1, 1] or [B, n, n] float64.
        mask: [B, n, n] bool.
        given: [B, S, P] starts, or None for blind ones.

    Raises:
        ValueError: for starts or priors that do not fit the parameters, and as `Optics.build`.
    """

    def __init__(
        self, options: FitOptions, raw: Tensor, image: Tensor, sigma: Tensor, mask: Tensor, given: Tensor | None
    ) -> None:
        self.options, self.raw, self.image, self.sigma, self.mask = options, raw, image, sigma, mask
        self.given, self.n = given, image.shape[-1]
        self.full = self._problem(1)
        self.names = self.full.model.names
        self.start_names: tuple[str, ...] = ()
        if given is not None:
            if given.shape[-1] != len(self.names):
                raise ValueError(
                    f"fit_macro: got starts of {given.shape[-1]} parameters; expected {len(self.names)}: "
                    f"{', '.join(self.names)}"
                )
            self.start_names = tuple(f"given {i}" for i in range(given.shape[1]))
        # Screening on images of no less than `_COARSE_SIDE` pixels; settling no coarser than about the width of the
        # point-spread function.
        self.width = Optics.width(options.psf, options.pixel_scale)
        most = max(1, self.n // _COARSE_SIDE)
        middle = min(most, max(2, int(2.4 * self.width / options.pixel_scale)))
        self.coarse = self._problem(most) if most > 1 else self.full
        self.middle = self._problem(middle) if middle not in (1, most) else self.coarse

    def _problem(self, factor: int) -> Problem:
        o = self.options
        optics = Optics.build(self.n, o.pixel_scale, o.psf, o.dtype, factor, self.image.device)
        model = SmoothModel(optics, o.lens_light, o.slope)
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
            data=(image * weight).to(o.dtype),
            weight=weight.to(o.dtype),
            bounds=Bounds.build(model.names, self.n * o.pixel_scale, o.pixel_scale),
            chunk=max(1, _PIXELS_PER_PASS // side**2),
            prior=_prior_rows(o.prior, model.names),
        )

    def _blind(self, starts: tuple[Start, ...], rows: Tensor) -> Tensor:
        """[N, S, P] starts for the images `rows`."""
        here = rows.to(self.image.device)
        image, mask, sigma = self.image[here].cpu(), self.mask[here].cpu(), self.sigma[here].cpu()
        x, y = self.full.model.optics.x.cpu(), self.full.model.optics.y.cpu()
        extra = torch.empty(len(rows), 0, dtype=torch.float64)
        if self.options.lens_light:
            extra, image = light_guess(image, x, y, mask, self.options.lens_light)
        guess = blind_starts(image, sigma, x, y, self.width, mask, starts)
        if self.options.slope:
            extra = torch.cat((torch.full((len(rows), 1), 2.0, dtype=torch.float64), extra), 1)
        return torch.cat((guess, extra[:, None].expand(-1, len(starts), -1)), 2)

    def run(self) -> MacroFit:
        """All stages: starts compete on binned images, the winner is refined; where much is left, further looks."""
        b = self.image.shape[0]
        final, start = None, torch.zeros(b, dtype=torch.int64)
        if self.given is not None:
            final, start = self._round(self.given, torch.arange(b), 3)
            return self._report(final, start)
        # (starts, from which multiple of the noise limit on, survivors of the screening)
        looks = [(STARTS, 0.0, 3), (MORE_STARTS, 1.0, 5), (SCAN_STARTS, 2.0, 5)]
        if self.options.lens_light:
            looks = [(SCAN_STARTS + STARTS, 0.0, 6), (MORE_STARTS, 1.0, 6)]
        counted = self.mask.flatten(1).sum(1).cpu()
        for starts, least, keep in looks[: self.options.looks]:
            done = len(self.start_names)
            self.start_names += tuple(s.name for s in starts)
            if final is None:
                final, start = self._round(self._blind(starts, torch.arange(b)), torch.arange(b), keep)
                continue
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
        final = minimise(self.full, state.parameters, rows, iterations=self.options.iterations, damping=1e-3)
        return final, which.gather(1, chosen)[:, 0]

    def _report(self, state: State, start: Tensor) -> MacroFit:
        model = self.full.model
        images = torch.cat([model.image(p, model.maps(p)) for p in state.parameters.split(self.full.chunk)])
        images = images.to(self.image.dtype)
        counted = self.mask.flatten(1).sum(1).cpu()
        empty = self.full.data.flatten(1).double().square().sum(1).cpu()
        chi2 = state.chi2 - self.full.penalty(state.parameters)
        signal = empty - chi2
        residual = torch.nan_to_num((self.raw - images) / self.sigma.to(images), 0.0, 0.0, 0.0)
        optics = model.optics
        words = reasons(
            state.parameters, chi2, signal, state.converged, state.iterations,
            self.full.bounds.touched(state.parameters), residual.cpu(), self.mask.cpu(), optics.x.cpu(),
            optics.y.cpu(), self.options.lens_light > 0,
        )  # fmt: skip
        return MacroFit(
            names=self.names,
            parameters=state.parameters,
            uncertainty=_uncertainty(self.full, state.parameters),
            chi2_per_pixel=chi2 / counted,
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
