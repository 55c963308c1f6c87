"""The contraction of points in the frame of each pair, where rotations about it leave one block for each order m.

With ``R e3 = x / |x|`` a kernel is ``kappa(x) = rho_out(R) kappa(|x| e3) rho_in(R)^-1``, and ``kappa(|x| e3)`` commutes
with rotations about e3: it joins orders of one ``|m|`` only. Passaro and Zitnick, "Reducing SO(3) Convolutions to
SO(2)", ICML 2023, arXiv 2302.03655. Any choice of R gives the same, so R may jump; gradients go through it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from steerable.groups.wigner import wigner_d
from steerable.kernels.bank import FilterBank, Part


@dataclass(frozen=True, eq=False)
class Side:
    """Input or output of a layer, irrep by irrep.

    Attributes:
        degrees: of each irrep.
        counts: how often each occurs.
        channels: ``[C]``, the channel at each place once equal irreps are gathered, field by field.
    """

    degrees: tuple[int, ...]
    counts: tuple[int, ...]
    channels: Tensor

    def of_order(self, m: int) -> Tensor:
        """Places of order m, then of order -m, of all irreps that have them."""
        found, start = [], 0
        starts = []
        for l, n in zip(self.degrees, self.counts, strict=True):
            starts.append(start)
            start += n * (2 * l + 1)
        for sign in (m,) if m == 0 else (m, -m):
            for l, n, at in zip(self.degrees, self.counts, starts, strict=True):
                if l >= m:
                    found.append(at + torch.arange(n) * (2 * l + 1) + l + sign)
        return torch.cat(found)

    def split(self, x: Tensor) -> list[Tensor]:
        """``[E, C]`` in gathered order to one ``[E, n, 2 l + 1]`` for each irrep."""
        sizes = [n * (2 * l + 1) for l, n in zip(self.degrees, self.counts, strict=True)]
        return [p.unflatten(1, (-1, 2 * l + 1)) for p, l in zip(x.split(sizes, 1), self.degrees, strict=True)]


@dataclass(frozen=True, eq=False)
class FramePlan:
    """Which channels of a layer have which degree and order, and which scalar functions are left on the axis.

    Attributes:
        inputs: the irreps of the input.
        outputs: those of the output.
        columns: of the scalar functions that do not vanish on e3.
        shell: the shell of each.
        value: its angular part there, float64.
        shells: number of shells.
        orders: places ``(outputs, inputs)`` for each order m that both sides have.
        places: those of the outputs, one order after the other.
        back: where each channel of the output stands in gathered order.
    """

    inputs: Side
    outputs: Side
    columns: Tensor
    shell: Tensor
    value: Tensor
    shells: int
    orders: tuple[tuple[Tensor, Tensor], ...]
    places: Tensor
    back: Tensor

    @property
    def products(self) -> int:
        """Multiplications for one pair: the blocks of all orders on all shells, and both changes of frame."""
        turns = sum(n * (2 * l + 1) ** 2 for s in (self.inputs, self.outputs) for l, n in zip(s.degrees, s.counts))
        return turns + self.shells * sum(len(a) * len(b) for a, b in self.orders)


def frame_plan(bank: FilterBank, tops: tuple[int, ...]) -> FramePlan | None:
    """The plan of a layer between irreps of SO3 or O3, or ``None`` where a field is not given in them.

    Args:
        bank: of the layer.
        tops: largest degree on each shell.
    """

    def read(parts: tuple[Part, ...]) -> Side | None:
        if not parts or not all(p.rep.is_irrep and p.rep.group.name in ("SO3", "O3") for p in parts):
            return None
        channels = torch.cat([torch.from_numpy(p.channels.reshape(-1).copy()) for p in parts])
        return Side(tuple((p.rep.size - 1) // 2 for p in parts), tuple(len(p.channels) for p in parts), channels)

    inputs, outputs = read(bank.in_parts), read(bank.out_parts)
    if inputs is None or outputs is None:
        return None
    axis, start = [], 0
    for shell, top in enumerate(tops):
        # of the harmonics of degree l, in the order m = -l..l, only m = 0 is not zero on the polar axis
        axis += [(start + l * l + l, shell, math.sqrt((2 * l + 1) / (4 * math.pi))) for l in range(top + 1)]
        start += (top + 1) ** 2
    both = range(min(max(inputs.degrees), max(outputs.degrees)) + 1)
    orders = tuple((outputs.of_order(m), inputs.of_order(m)) for m in both)
    columns, shell, value = zip(*axis, strict=True)
    return FramePlan(
        inputs,
        outputs,
        torch.tensor(columns),
        torch.tensor(shell),
        torch.tensor(value, dtype=torch.float64),
        len(tops),
        orders,
        torch.cat([rows for rows, _ in orders]),
        torch.argsort(outputs.channels),
    )


def frame_conv(
    offsets: Tensor,
    radial: Tensor,
    x: Tensor,
    filter: Tensor,
    target: Tensor,
    source: Tensor,
    count: int,
    plan: FramePlan,
) -> Tensor:
    """``out_i = sum_(j -> i) rho(R) sum_s phi_s(|x_ij|) T_s rho(R)^-1 x_j`` with one block of ``T_s`` for each ``|m|``.

    Args:
        offsets: ``x_j - x_i``, ``[E, 3]``, none of them zero.
        radial: values of the shells ``[E, S]``, weights included.
        x: features ``[M, C_in]``.
        filter: ``[C_out, C_in, F]``.
        target: point i of each pair, ``[E]``.
        source: point j of each pair, ``[E]``.
        count: number N of points i.
        plan: of the layer.

    Returns:
        ``[N, C_out]``.
    """
    top = max(*plan.inputs.degrees, *plan.outputs.degrees)
    turns = {l: d.to(x) for l, d in enumerate(wigner_d(frames(offsets), range(1, top + 1)), 1)}
    device = x.device
    gathered_in, gathered_out = plan.inputs.channels.to(device), plan.outputs.channels.to(device)
    there = filter.index_select(2, plan.columns.to(device)) * plan.value.to(filter)
    on_axis = filter.new_zeros(*filter.shape[:2], plan.shells).index_add(2, plan.shell.to(device), there)
    on_axis = on_axis.index_select(0, gathered_out).index_select(1, gathered_in)  # [C_out, C_in, S]

    fields = plan.inputs.split(x.index_select(1, gathered_in).index_select(0, source))
    local = torch.cat([_turned(f, turns.get((f.shape[2] - 1) // 2)).flatten(1) for f in fields], 1)
    parts = []
    for rows, columns in plan.orders:
        block = on_axis.index_select(0, rows.to(device)).index_select(1, columns.to(device))  # [n_out, n_in, S]
        weighted = local.index_select(1, columns.to(device))[:, :, None] * radial[:, None, :]
        parts.append(weighted.flatten(1) @ block.flatten(1).T)
    out = local.new_zeros(len(local), filter.shape[0]).index_copy(1, plan.places.to(device), torch.cat(parts, 1))
    back = [_turned(f, _transposed(turns.get((f.shape[2] - 1) // 2))) for f in plan.outputs.split(out)]
    summed = out.new_zeros(count, filter.shape[0]).index_add(0, target, torch.cat([b.flatten(1) for b in back], 1))
    return summed.index_select(1, plan.back.to(device))


def frames(offsets: Tensor) -> Tensor:
    """Unit quaternions ``[E, 4]`` of rotations that take e3 to the directions of ``offsets [E, 3]``; differentiable."""
    u = offsets / offsets.norm(dim=1, keepdim=True)
    x, y, z = u.unbind(1)
    zero = torch.zeros_like(z)
    upper = torch.stack([1 + z, -y, x, zero], 1)
    # the lower half: first a half turn about e1, then the shortest way from -e3
    lower = torch.stack([-y, 1 - z, zero, x], 1)
    q = torch.where((z >= 0)[:, None], upper, lower)
    return q / q.norm(dim=1, keepdim=True)


def _turned(fields: Tensor, matrix: Tensor | None) -> Tensor:
    """Rows of ``fields [E, n, d]`` by ``matrix [E, d, d]`` from the right: the inverse rotation where it is D."""
    return fields if matrix is None else torch.bmm(fields, matrix)


def _transposed(matrix: Tensor | None) -> Tensor | None:
    return None if matrix is None else matrix.mT
