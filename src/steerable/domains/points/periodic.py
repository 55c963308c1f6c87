"""Periodic cells: wrapping, and as many images of the points as a cut-off can reach."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

# a cut-off may reach over this many cells on each side
REACH = 10


class Images(NamedTuple):
    """Points and their images near the cell.

    Attributes:
        xyz: places ``[M, n]``.
        index: which point each is an image of, int64 ``[M]``.
        shift: in units of the lattice vectors, int64 ``[M, n]``: ``xyz = x[index] + shift @ cell``.
    """

    xyz: Tensor
    index: Tensor
    shift: Tensor


def dual(cell: Tensor) -> Tensor:
    """Return the dual vectors ``[..., n, n]`` as columns: ``x @ dual`` are coordinates in units of the lattice vectors.

    Rows of zeros, along which nothing repeats, have zero columns: the coordinate is always 0.

    Args:
        cell: lattice vectors as rows ``[..., n, n]``.

    Raises:
        ValueError: lattice vectors that are linearly dependent.
    """
    open = cell.abs().amax(-1) == 0
    gram = cell @ cell.mT + torch.diag_embed(open.to(cell.dtype))
    length = gram.diagonal(dim1=-2, dim2=-1).sqrt()
    volume = torch.linalg.det(gram / (length[..., None] * length[..., None, :]))
    if bool((volume < 1e-10).any()):
        raise ValueError(
            f"Points: the lattice vectors of the cell {cell.tolist()} are linearly dependent; expected independent "
            "rows, or rows of zeros for directions in which nothing repeats."
        )
    return cell.mT @ torch.linalg.inv(gram)


def floors(x: Tensor, graph: Tensor, cell: Tensor) -> Tensor:
    """Return the number of lattice vectors to subtract so that each point lies in the cell, ``[N, n]`` whole numbers.

    Args:
        x: ``[N, n]`` float64.
        graph: of each point, int64 ``[N]``.
        cell: ``[G, n, n]`` float64.
    """
    return (x[:, None] @ dual(cell)[graph])[:, 0].floor()


def images(x: Tensor, graph: Tensor, cell: Tensor, cutoff: float) -> Images:
    """Return all images of points that a point in the cell can be near to.

    Args:
        x: ``[N, n]`` float64, anywhere.
        graph: of each point, int64 ``[N]``.
        cell: ``[G, n, n]`` float64.
        cutoff: the largest distance.

    Raises:
        ValueError: a cut-off that reaches over more than :data:`REACH` cells.
    """
    columns = dual(cell)
    thickness = 1 / columns.norm(dim=-2)  # infinite where nothing repeats
    used = torch.bincount(graph, minlength=len(cell)) > 0  # a graph without points has no images
    reach = torch.where(thickness.isinf() | ~used[:, None], 0.0, cutoff / thickness)
    if not bool((reach <= REACH).all()):
        thin = float(thickness[used].min())
        raise ValueError(
            f"Points: the cut-off {cutoff:g} is {cutoff / thin:.3g} times the thickness {thin:.4g} of the cell; "
            f"expected at most {REACH} times. Lower the cut-off, or repeat the cell."
        )
    down = floors(x, graph, cell)
    place = (x[:, None] @ columns[graph])[:, 0] - down
    index = torch.arange(len(x), device=x.device)
    shift = torch.zeros_like(down)
    for k in range(x.shape[1]):
        most = int(reach[:, k].max()) + 1 if len(reach) and bool((columns[..., k] != 0).any()) else 0
        steps = torch.arange(-most, most + 1, device=x.device, dtype=x.dtype)
        far = reach[graph[index], k, None] * (1 + 1e-9) + 1e-9
        moved = place[index, k, None] + steps
        # a direction that does not repeat has reach 0 and place 0; only the point itself stays
        open = (columns[graph[index], :, k] == 0).all(1)[:, None]
        keep = torch.where(open, steps == 0, (moved >= -far) & (moved <= 1 + far))
        row, step = keep.nonzero(as_tuple=True)
        index, shift = index[row], shift[row]
        shift[:, k] = steps[step]
    shift = shift - down[index]
    return Images(x[index] + lattice(shift, graph[index], cell), index, shift.long())


def lattice(shift: Tensor, graph: Tensor, cell: Tensor) -> Tensor:
    """Return ``shift @ cell`` ``[M, n]`` for whole numbers ``[M, n]``; the one place where this sum is made."""
    return (shift.to(cell)[:, :, None] * cell[graph]).sum(1)


def check_cell(cell: Tensor, dimension: int, num_graphs: int) -> Tensor:
    """Return a cell as ``[num_graphs, n, n]``.

    Raises:
        ValueError: another shape, values that are not finite, or dependent lattice vectors.
    """
    if cell.shape not in ((dimension, dimension), (num_graphs, dimension, dimension)):
        raise ValueError(
            f"Points: the cell is {list(cell.shape)}; expected [{dimension}, {dimension}], or one for each of the "
            f"{num_graphs} graphs. Lattice vectors are rows."
        )
    if not cell.is_floating_point() or not bool(torch.isfinite(cell).all()):
        raise ValueError(
            f"Points: the cell is {cell.dtype} with largest entry {float(cell.abs().max())}; expected finite real "
            "numbers."
        )
    dual(cell.detach().double())
    return cell.expand(num_graphs, dimension, dimension)


def check_cutoff(cutoff: float) -> float:
    """Return a cut-off.

    Raises:
        ValueError: one that is not positive.
    """
    if not (isinstance(cutoff, (int, float)) and not math.isnan(cutoff) and cutoff > 0):
        raise ValueError(f"Points: the cut-off is {cutoff!r}; expected a positive length.")
    return float(cutoff)
