"""Positions of point-like peaks of an image: a Gaussian on a sloping background, fitted to a small window."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

__all__ = ["Peaks", "measure_peaks", "peak_positions"]


@dataclasses.dataclass(frozen=True)
class Peaks:
    """Peaks of one image, brightest first.

    Attributes:
        column, row: [K] float64 centroids in pixels, row counted from the top of the array.
        height: [K] height above the background.
        width: [K] standard deviation in pixels.
        background: [K] under the peak.
    """

    column: Tensor
    row: Tensor
    height: Tensor
    width: Tensor
    background: Tensor

    def __len__(self) -> int:
        return int(self.column.shape[0])


def peak_positions(image: Tensor, count: int, separation: int = 4) -> Tensor:
    """[K, 2] (row, column) of the `count` brightest local maxima of [h, w] that lie `separation` pixels apart."""
    window = 2 * separation + 1
    highest = torch.nn.functional.max_pool2d(image[None, None], window, 1, separation)[0, 0]
    edge = torch.zeros_like(image, dtype=torch.bool)
    edge[separation:-separation, separation:-separation] = True
    places = ((image == highest) & edge).nonzero()
    order = image[places[:, 0], places[:, 1]].argsort(descending=True)
    return places[order[:count]]


def _model(p: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """(values [K, m], Jacobian [K, m, 7]) of height, row, column, log width, background, its slopes along both axes."""
    height, row, column, log_width, background, down, right = (v[:, None] for v in p.unbind(1))
    dr, dc = rows - row, columns - column
    inverse = torch.exp(-2.0 * log_width)
    shape = torch.exp(-0.5 * inverse * (dr * dr + dc * dc))
    value = height * shape + background + down * dr + right * dc
    by = (
        shape, height * shape * inverse * dr - down, height * shape * inverse * dc - right,
        height * shape * inverse * (dr * dr + dc * dc), torch.ones_like(shape), dr, dc,
    )  # fmt: skip
    return value, torch.stack(by, -1)


def measure_peaks(
    image: Tensor, count: int, *, window: int = 4, separation: int = 4, start: Tensor | None = None
) -> Peaks:
    """Centroids of the `count` brightest peaks of an image [h, w].

    The background is a plane over the window, so the wing of a brighter neighbour shifts a peak only by its curvature.

    Args:
        image: [h, w], finite.
        count: peaks wanted.
        window: half side of the fitted square: (2 window + 1)^2 pixels.
        separation: least distance of two peaks in pixels.
        start: [K, 2] (row, column) to measure instead of the brightest maxima, such as a faint galaxy.

    Raises:
        ValueError: for an image that is not [h, w] and finite, or that has fewer peaks.
    """
    if image.ndim != 2 or not torch.isfinite(image).all():
        raise ValueError(f"measure_peaks: got an image {tuple(image.shape)}; expected [h, w] without NaN")
    image = image.detach().double()
    places = peak_positions(image, count, separation) if start is None else start.round().long()
    if len(places) < count:
        raise ValueError(f"measure_peaks: found {len(places)} peaks; expected {count}: lower `separation`")
    offsets = torch.arange(-window, window + 1)
    rows = (places[:, 0, None, None] + offsets[None, :, None]).expand(-1, -1, len(offsets)).clamp(0, image.shape[0] - 1)
    columns = (places[:, 1, None, None] + offsets).expand(-1, len(offsets), -1).clamp(0, image.shape[1] - 1)
    data = image[rows, columns].flatten(1)
    rows, columns = rows.flatten(1).double(), columns.flatten(1).double()
    p = torch.zeros(len(places), 7, dtype=torch.float64)
    p[:, 4] = data.min(1).values
    p[:, 0] = data.max(1).values - p[:, 4]
    p[:, 1:3] = places.double()
    lam = torch.full((len(places),), 1e-2, dtype=torch.float64)
    value, jacobian = _model(p, rows, columns)
    chi2 = (data - value).square().sum(1)
    for _ in range(100):
        a = jacobian.mT @ jacobian
        g = (jacobian.mT @ (data - value)[..., None])[..., 0]
        damped = a + torch.diag_embed(lam[:, None] * a.diagonal(dim1=1, dim2=2) + 1e-12)
        trial = p + torch.linalg.solve_ex(damped, g)[0]
        trial[:, 3] = trial[:, 3].clamp(-1.0, 2.5)
        new_value, new_jacobian = _model(trial, rows, columns)
        new = (data - new_value).square().sum(1)
        good = new < chi2
        p = torch.where(good[:, None], trial, p)
        value, jacobian = (
            torch.where(good[:, None], new_value, value),
            torch.where(good[:, None, None], new_jacobian, jacobian),
        )
        done = (good & (chi2 - new <= 1e-13 * chi2)) | (lam > 1e12)
        chi2 = torch.where(good, new, chi2)
        lam = torch.where(good, lam * 0.2, lam * 5.0)
        if bool(done.all()):
            break
    return Peaks(column=p[:, 2], row=p[:, 1], height=p[:, 0], width=p[:, 3].exp(), background=p[:, 4])
