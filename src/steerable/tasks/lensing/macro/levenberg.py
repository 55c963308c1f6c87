"""Batched Levenberg-Marquardt with linear amplitudes solved exactly (variable projection)."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from steerable.tasks.lensing.macro.bounds import Bounds
from steerable.tasks.lensing.macro.model import SmoothModel

__all__ = ["Problem", "State", "minimise"]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Images to be explained: chi2 and normal equations of a model at given parameters.

    Attributes:
        model: the smooth lens.
        data: [B, n, n] images times their weights (1 / sigma, 0 outside the mask), in the dtype of the model.
        weight: [B, n, n] or [B, 1, 1] weights.
        bounds: coordinates in which steps are made.
        chunk: parameter rows per pass; bounds the memory.
        prior: [2, P] float64, mean and one over the variance of Gaussian priors (0 for none).
    """

    model: SmoothModel
    data: Tensor
    weight: Tensor
    bounds: Bounds
    chunk: int = 8
    prior: Tensor | None = None

    def penalty(self, parameters: Tensor) -> Tensor:
        """[N] what the priors add to chi2 at `parameters` [N, P]."""
        if self.prior is None:
            return torch.zeros(parameters.shape[0], dtype=torch.float64)
        return (self.prior[1] * (parameters - self.prior[0]).square()).sum(1)

    def evaluate(self, parameters: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Normal equations at `parameters` [N, P] for the images `rows` [N], amplitudes replaced by the best ones.

        Returns:
            (parameters [N, P] float64 with the best amplitudes, chi2 [N], matrix [N, P, P], right side [N, P]) in
            float64 on the CPU. The model is evaluated in its own dtype and on its own device, the residual before the
            products, so that nothing cancels.
        """
        parameters = parameters.clone()
        chi2, matrix, right = [], [], []
        for start in range(0, parameters.shape[0], self.chunk):
            part = slice(start, start + self.chunk)
            maps = self.model.maps(parameters[part])
            here = rows[part].to(self.data.device)
            weight, data = self.weight[here], self.data[here].flatten(1)
            if weight.shape[-1] > 1:
                maps.mul_(weight[:, None])
            flat = maps.flatten(2)
            linear = list(self.model.amplitudes)
            old = parameters[part][:, linear].clone()
            best = _amplitudes(flat[:, linear], data, weight if weight.shape[-1] == 1 else None)
            # The maps of the other parameters of a component are proportional to its amplitude.
            scale = torch.ones_like(parameters[part])
            for i, columns in enumerate(self.model.components):
                scale[:, columns] = (best[:, i] / old[:, i])[:, None]
            parameters[part, linear] = best
            if weight.shape[-1] == 1:
                uniform = weight[:, 0].double().cpu()
                scale, best = scale * uniform, best * uniform
            residual = torch.baddbmm(data[:, None], best[:, None].to(flat), flat[:, linear], alpha=-1.0)
            right.append((flat @ residual.mT)[..., 0].double().cpu() * scale)
            matrix.append((flat @ flat.mT).double().cpu() * scale[:, :, None] * scale[:, None, :])
            chi2.append((residual[:, 0] * residual[:, 0]).sum(1).double().cpu())
        if self.prior is not None:
            matrix = [torch.cat(matrix) + torch.diag(self.prior[1])]
            right = [torch.cat(right) + self.prior[1] * (self.prior[0] - parameters)]
            chi2 = [torch.cat(chi2) + self.penalty(parameters)]
        return parameters, torch.cat(chi2), torch.cat(matrix), torch.cat(right)


def _amplitudes(maps: Tensor, data: Tensor, weight: Tensor | None) -> Tensor:
    """[N, k] non-negative least squares of `data` [N, m] on k <= 3 `maps` [N, k, m], float64.

    Components that come out negative are set to (almost) nothing one by one and the others solved again.
    """
    factor = 1.0 if weight is None else weight[:, 0].double()
    gram = ((maps @ maps.mT).double() * (factor[:, None] ** 2 if weight is not None else 1.0)).cpu()
    right = ((maps @ data[..., None])[..., 0].double() * factor).cpu()
    k = gram.shape[-1]
    diagonal = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-300)
    tiny = 1e-8 * data.double().norm(dim=1, keepdim=True).cpu() / diagonal.sqrt()
    if k == 1:
        return torch.maximum(right / diagonal, tiny)
    ridge = 1e-10 * torch.diag_embed(diagonal)
    on = torch.ones_like(right)
    for _ in range(k):
        mask = on[:, :, None] * on[:, None, :]
        solution = torch.linalg.solve_ex((gram + ridge) * mask + torch.diag_embed(1.0 - on), right * on)[0]
        worst = solution.argmin(1, keepdim=True)
        off = solution.gather(1, worst) < 0
        on = on.scatter(1, worst, torch.where(off, torch.zeros_like(off, dtype=on.dtype), on.gather(1, worst)))
    return torch.maximum(solution * on, tiny)


@dataclasses.dataclass
class State:
    """Where N fits stand.

    Attributes:
        parameters: [N, P] float64.
        chi2: [N] float64.
        decrease: [N] chi2 that a Gauss-Newton step still promises: small at a minimum.
        converged: [N] bool.
        iterations: [N] int64, evaluations of the model.
        damping: [N] float64.
    """

    parameters: Tensor
    chi2: Tensor
    decrease: Tensor
    converged: Tensor
    iterations: Tensor
    damping: Tensor


_IDLE = 6  # evaluations without progress after which a fit is given up
_KINK = 2.0
_LARGEST_STEP = 1.0  # in unbounded coordinates
_GROW, _MOST_DAMPING, _LEAST_DAMPING = 2.0, 1e10, 1e-7


def minimise(
    problem: Problem,
    start: Tensor,
    rows: Tensor,
    *,
    iterations: int = 40,
    tolerance: float = 0.05,
    damping: float | Tensor = 1e-2,
) -> State:
    """Levenberg-Marquardt from `start` [N, P] on the images `rows` [N]; the fits do not influence one another.

    Steps solve (A + lambda diag A) d = g, A with the amplitudes eliminated; lambda follows the gain ratio (H. B.
    Nielsen, report IMM-REP-1999-05). A fit has converged, and leaves the batch, when the undamped step promises to
    lower chi2 by less than `tolerance`. It is given up when six evaluations in a row have lowered chi2 by less than
    0.01; that counts as converged if the promise is below 2: the cusp of a steep source, sampled at pixel centres,
    makes chi2 kinked on this scale, and a minimum in a kink has no vanishing slope.

    Args:
        problem: data and model.
        start: parameters, float64.
        rows: which image each start belongs to.
        iterations: at most so many evaluations of each fit.
        tolerance: in units of chi2, whose minimum is uncertain by sqrt(2 n^2).
        damping: first lambda, a number or [N].
    """
    bounds = problem.bounds
    n = start.shape[0]
    free = bounds.inward(start)
    parameters = bounds.outward(free)
    parameters, chi2, matrix, right = problem.evaluate(parameters, rows)
    lam = torch.as_tensor(damping, dtype=torch.float64).expand(n).clone()
    grow = torch.full((n,), _GROW, dtype=torch.float64)
    count = torch.ones(n, dtype=torch.int64)
    idle = torch.zeros(n, dtype=torch.int64)
    promised = torch.full((n,), float("inf"), dtype=torch.float64)
    converged = torch.zeros(n, dtype=torch.bool)
    active = torch.arange(n)
    reduced = _Reduced(problem)
    a, g = reduced(matrix, right, parameters)
    while True:
        promised[active] = _promise(a[active], g[active])
        stuck = (idle[active] >= _IDLE) | (lam[active] > _MOST_DAMPING)
        done = (promised[active] < tolerance) | (stuck & (promised[active] < _KINK))
        converged[active] = done
        active = active[~done & ~stuck & (count[active] < iterations)]
        if active.numel() == 0:
            break
        step, expected = _step(a[active], g[active], lam[active])
        size = step.abs().amax(1, keepdim=True)
        step = step * (_LARGEST_STEP / size.clamp_min(_LARGEST_STEP))
        trial = free[active].clone()
        trial[:, reduced.columns] += step
        moved = bounds.outward(trial)
        moved[:, list(problem.model.amplitudes)] = parameters[active][:, list(problem.model.amplitudes)]
        moved, new_chi2, matrix, right = problem.evaluate(moved, rows[active])
        gain = (chi2[active] - new_chi2) / expected.clamp_min(1e-300)
        good = (new_chi2 < chi2[active]) & torch.isfinite(new_chi2)
        count[active] += 1
        idle[active] = torch.where(chi2[active] - new_chi2 > 0.01, 0, idle[active] + 1)
        better, worse = active[good], active[~good]
        free[better], parameters[better], chi2[better] = trial[good], moved[good], new_chi2[good]
        a[better], g[better] = reduced(matrix[good], right[good], moved[good])
        factor = (1.0 - (2.0 * gain[good].clamp(max=1.0) - 1.0) ** 3).clamp_min(0.2)
        lam[better] = (lam[better] * factor).clamp_min(_LEAST_DAMPING)
        grow[better] = _GROW
        lam[worse] = lam[worse] * grow[worse]
        grow[worse] = 2.0 * grow[worse]
    return State(parameters, chi2, promised, converged, count, lam)


class _Reduced:
    """Normal equations in unbounded coordinates with the linear amplitudes eliminated (Schur complement)."""

    def __init__(self, problem: Problem) -> None:
        self.bounds = problem.bounds
        self.linear = list(problem.model.amplitudes)
        self.columns = [i for i in range(len(problem.model.names)) if i not in self.linear]

    def __call__(self, matrix: Tensor, right: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        turn = self.bounds.jacobian(parameters)
        matrix, right = turn.mT @ matrix @ turn, (turn.mT @ right[..., None])[..., 0]
        keep, linear = self.columns, self.linear
        cross = matrix[:, keep][:, :, linear]
        corner = matrix[:, linear][:, :, linear]
        corner = corner + 1e-12 * torch.diag_embed(corner.diagonal(dim1=1, dim2=2) + 1e-300)
        ratio = torch.linalg.solve_ex(corner, cross.mT)[0].mT
        a = matrix[:, keep][:, :, keep] - ratio @ cross.mT
        return a, right[:, keep] - (ratio @ right[:, linear, None])[..., 0]


def _damped(a: Tensor, lam: Tensor) -> Tensor:
    diagonal = a.diagonal(dim1=1, dim2=2)
    floor = 1e-9 * diagonal.amax(1, keepdim=True).clamp_min(1e-300)
    return a + torch.diag_embed(lam[:, None] * diagonal.clamp_min(0.0) + floor)


def _step(a: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
    """Damped step [N, P] and the decrease of chi2 that the quadratic model promises for it [N]."""
    step = torch.linalg.solve_ex(_damped(a, lam), g)[0]
    step = torch.nan_to_num(step, 0.0, 0.0, 0.0)
    expected = 2.0 * (step * g).sum(1) - (step * (a @ step[..., None])[..., 0]).sum(1)
    return step, expected


def _promise(a: Tensor, g: Tensor) -> Tensor:
    """[N] decrease of chi2 that an undamped step promises; infinite where the equations are not finite."""
    known = torch.isfinite(a).flatten(1).all(1) & torch.isfinite(g).all(1)
    return torch.where(known, _step(a, g, torch.full_like(g[:, 0], 1e-6))[1].abs(), float("inf"))
