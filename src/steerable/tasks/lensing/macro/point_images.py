"""Lens models from the positions of point images: a quasar quad."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.lens_equation import POINT_LENS, lens_jacobian, newton, source_position

__all__ = ["PointFit", "fit_point_images"]

_SMALL = 0.95, 0.5  # largest ellipticity and shear, as in `bounds.Bounds`


@dataclasses.dataclass(frozen=True)
class PointFit:
    """SIE + shear models of B quads (or any number of images K).

    Attributes:
        names: of the parameters, `POINT_LENS` and the source position.
        parameters: [B, 9] float64, arcsec.
        predicted: [B, K, 2] images of the model nearest to the observed ones.
        rms: [B] arcsec, root mean square over 2 K coordinates of observed minus predicted positions.
        chi2: [B] including the term of the lens centre, if it was free.
        degrees: degrees of freedom: constraints minus free parameters.
        magnification: [B, K], signed.
        converged: [B] bool: the lens equation is solved at every image and no step lowers chi2.
        reason: in words.
    """

    names: tuple[str, ...]
    parameters: Tensor
    predicted: Tensor
    rms: Tensor
    chi2: Tensor
    degrees: int
    magnification: Tensor
    converged: Tensor
    reason: tuple[str, ...]


def _lens_and_source(free: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """(lens [B, 7], source [B, 2]) from log theta_e, two maps of spin 2, source and shift of the centre [B, 9]."""
    pairs = []
    for column, largest in zip((1, 3), _SMALL, strict=True):
        pair = free[:, column : column + 2]
        pairs.append(largest * pair / (1.0 + pair.square().sum(1, keepdim=True)).sqrt())
    return torch.cat((free[:, :1].exp(), *pairs, centre + free[:, 7:9]), 1), free[:, 5:7]


@dataclasses.dataclass(frozen=True)
class _Quads:
    """What is fitted: positions [N, K, 2], centres [N, 2] and the weights of both; `columns` are free."""

    positions: Tensor
    centre: Tensor
    weight: float
    centre_weight: float
    columns: list[int]

    def __getitem__(self, rows: Tensor) -> _Quads:
        return dataclasses.replace(self, positions=self.positions[rows], centre=self.centre[rows])

    def images(self, free: Tensor, image_plane: bool) -> Tensor:
        """[N, K, 2] where residuals are taken: the observed images, or those of the model next to them."""
        if not image_plane:
            return self.positions
        lens, source = _lens_and_source(free, self.centre)
        k = self.positions.shape[1]
        many, target = lens[:, None].expand(-1, k, -1), source[:, None].expand(-1, k, -1)
        return newton(many, target, self.positions, 12, (0.2 * lens[:, :1]).expand(-1, k))

    def residual(self, free: Tensor, start: Tensor, image_plane: bool) -> Tensor:
        """[N, 2 K + 2] in units of the errors, with the right derivatives by `free`.

        In the source plane the distance to the source is carried to the image plane by the inverse Jacobian at the
        observed position, which is exact to first order and cannot fail; in the image plane `start` solves the lens
        equation and one differentiable Newton step from there gives the derivative of the implicit solution.
        """
        lens, source = _lens_and_source(free, self.centre)
        many = lens[:, None].expand(-1, self.positions.shape[1], -1)
        a = lens_jacobian(many, start)
        a = a.detach() if image_plane else a
        gap = source[:, None] - source_position(many, start)
        ridge = 0.0 if image_plane else 1e-6  # a source-plane fit may put a critical curve on an image
        inverse = torch.linalg.inv_ex(a.mT @ a + ridge * torch.eye(2, dtype=a.dtype))[0] @ a.mT
        images = start + (inverse @ gap[..., None])[..., 0]
        distance = self.weight * (self.positions - images).flatten(1)
        return torch.cat((distance, self.centre_weight * free[:, 7:9]), 1)


def fit_point_images(
    positions: Tensor,
    *,
    centre: Tensor | None = None,
    sigma: float = 0.003,
    centre_sigma: float | None = None,
    iterations: int = 200,
) -> PointFit:
    """Fit SIE + shear to the positions of the images of one point source.

    theta_e, (e1, e2), (g1, g2) and the source are free, the centre of the lens is held or drawn to its observed
    position: a quad gives 8 constraints for 7 numbers (10 for 9 with a free centre). The fit starts in the source plane
    from several guesses, then minimises the distances between observed and predicted images with the lens equation
    solved.

    Args:
        positions: [B, K, 2] or [K, 2], arcsec, x to the right and y up, K >= 4.
        centre: [B, 2] or [2] position of the lens galaxy; the origin by default.
        sigma: error of a coordinate of an image, arcsec; scales chi2 and, with a free centre, its weight.
        centre_sigma: error of the lens position, arcsec; None holds the centre.
        iterations: at most so many steps.

    Raises:
        ValueError: for fewer than four images, positions that are not finite or coincide, or errors not above 0.
    """
    positions = positions.detach().double()
    positions = positions[None] if positions.ndim == 2 else positions
    if positions.ndim != 3 or positions.shape[-1] != 2 or positions.shape[1] < 4:
        raise ValueError(f"fit_point_images: got positions {tuple(positions.shape)}; expected [B, K, 2] with K >= 4")
    b, k = positions.shape[:2]
    if not torch.isfinite(positions).all():
        raise ValueError(
            f"fit_point_images: got {int((~torch.isfinite(positions)).sum())} positions that are not finite"
        )
    if not (sigma > 0 and (centre_sigma is None or centre_sigma > 0)):
        raise ValueError(f"fit_point_images: got sigma={sigma}, centre_sigma={centre_sigma}; expected errors above 0")
    apart = torch.cdist(positions, positions) + torch.eye(k, dtype=torch.float64)
    if float(apart.min()) < 1e-6:
        raise ValueError(
            f"fit_point_images: two images lie within {float(apart.min()):.1e} arcsec; expected distinct ones"
        )
    middle = torch.zeros(b, 2, dtype=torch.float64) if centre is None else centre.detach().double().expand(b, 2)
    columns = list(range(7 if centre_sigma is None else 9))
    quads = _Quads(positions, middle, 1.0 / sigma, 0.0 if centre_sigma is None else 1.0 / centre_sigma, columns)
    guesses = _guesses(positions, middle)
    rows = torch.arange(b).repeat_interleave(guesses.shape[1])
    free, chi2, _ = _levenberg(guesses.flatten(0, 1), quads[rows], False, min(iterations, 40))
    keep = _best(chi2, b, 3)
    free, chi2, calm = _levenberg(free[keep], quads[rows[keep]], True, iterations)
    keep = _best(chi2, b, 1)
    free, chi2, calm = free[keep], chi2[keep], calm[keep]
    images = quads.images(free, True)
    lens, source = _lens_and_source(free, middle)
    many = lens[:, None].expand(-1, k, -1)
    gap = (source_position(many, images) - source[:, None]).norm(dim=-1).amax(1)
    solved = gap < 1e-6 * lens[:, 0]
    reasons = tuple(
        "converged"
        if c and s_
        else "not converged"
        if s_
        else "an image of the model does not exist near an observed one"
        for c, s_ in zip(calm.tolist(), solved.tolist(), strict=True)
    )
    return PointFit(
        names=(*POINT_LENS, "source_x", "source_y"),
        parameters=torch.cat((lens, source), 1),
        predicted=images,
        rms=(positions - images).square().mean((1, 2)).sqrt(),
        chi2=chi2,
        degrees=2 * k + (0 if centre_sigma is None else 2) - len(columns),
        magnification=1.0 / torch.linalg.det(lens_jacobian(many, images)),
        converged=calm & solved,
        reason=reasons,
    )


def _guesses(positions: Tensor, middle: Tensor) -> Tensor:
    """[B, S, 9] starts: the mean radius, the mean of the back-projected images, spin 2 in six directions."""
    offset = positions - middle[:, None]
    radius = offset.norm(dim=2).mean(1)
    rows = []
    for size, eighth in [(0.0, 0), *((0.15, i) for i in range(6))]:
        angle = torch.tensor(eighth * torch.pi / 3)
        for split in (0.0, 1.0) if size else (0.0,):
            row = torch.zeros(len(positions), 9, dtype=torch.float64)
            row[:, 0] = radius.log()
            row[:, 1], row[:, 2] = split * 2.0 * size * angle.cos(), split * 2.0 * size * angle.sin()
            row[:, 3], row[:, 4] = (1 - split) * 2.0 * size * angle.cos(), (1 - split) * 2.0 * size * angle.sin()
            lens, _ = _lens_and_source(row, middle)
            row[:, 5:7] = source_position(lens[:, None].expand(-1, positions.shape[1], -1), positions).mean(1)
            rows.append(row)
    return torch.stack(rows, 1)


def _best(chi2: Tensor, b: int, keep: int) -> Tensor:
    """Rows of the `keep` smallest of the values [b * S] of each of b problems."""
    table = torch.nan_to_num(chi2.view(b, -1), nan=float("inf"))
    order = table.sort(dim=1, stable=True).indices[:, :keep]
    return (order + table.shape[1] * torch.arange(b)[:, None]).flatten()


def _levenberg(free: Tensor, quads: _Quads, image_plane: bool, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """(free [N, 9], chi2 [N], whether no further step helps [N]) after damped Gauss-Newton steps.

    A fit is calm, and leaves the batch, when its undamped step promises to lower chi2 by less than 1e-9 of it, or when
    the damping has grown without bound.
    """
    columns = quads.columns
    n = len(columns)

    def along(shift: Tensor, base: Tensor, part: _Quads, start: Tensor) -> tuple[Tensor, Tensor]:
        full = base.clone()
        full[:, columns] = base[:, columns] + shift
        out = part.residual(full, start, image_plane)
        return out, out

    free = free.clone()
    lam = torch.full((len(free),), 1e-3, dtype=torch.float64)
    calm = torch.zeros(len(free), dtype=torch.bool)
    chi2 = _chi2(quads.residual(free, quads.images(free, image_plane), image_plane))
    for _ in range(steps):
        active = (~calm).nonzero()[:, 0]
        if active.numel() == 0:
            break
        part, base, old = quads[active], free[active], chi2[active]
        start = part.images(base, image_plane)
        derivative = torch.func.jacfwd(along, has_aux=True)
        jacobian, r = derivative(torch.zeros(n, dtype=torch.float64), base, part, start)
        jacobian, r = torch.nan_to_num(jacobian, 0.0, 0.0, 0.0), torch.nan_to_num(r, 0.0, 0.0, 0.0)
        a, g = jacobian.mT @ jacobian, -(jacobian.mT @ r[..., None])[..., 0]
        diagonal = a.diagonal(dim1=1, dim2=2)
        plain = torch.linalg.solve_ex(a + torch.diag_embed(1e-13 * diagonal + 1e-300), g)[0]
        promise = (torch.nan_to_num(plain) * g).sum(1).abs()
        step = torch.linalg.solve_ex(a + torch.diag_embed(lam[active, None] * diagonal + 1e-300), g)[0]
        step = torch.nan_to_num(step, 0.0, 0.0, 0.0)
        step = step * (0.5 / step.abs().amax(1, keepdim=True).clamp_min(0.5))
        trial = base.clone()
        trial[:, columns] += step
        new = _chi2(part.residual(trial, part.images(trial, image_plane), image_plane))
        good = new < old
        free[active[good]], chi2[active[good]] = trial[good], new[good]
        lam[active] = torch.where(good, (lam[active] * 0.1).clamp_min(1e-14), lam[active] * 10.0)
        calm[active] = (promise <= 1e-9 * old + 1e-16) | (lam[active] > 1e12)
    return free, chi2, calm


def _chi2(residual: Tensor) -> Tensor:
    return torch.nan_to_num(residual.square().sum(1), nan=float("inf"))
