"""The baked inverted residual: ordinary convolutions, or in the basis of irreps where that is faster."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steerable.aggregate.paths import runs_eagerly
from steerable.groups import Group
from steerable.nn.plain_fourier import CoefficientMap, coefficient_basis, spin, split_map

#: bytes of the values inside a block that are worked on at a time: what a core keeps near
CHUNK = 2**20


class PlainResidual(nn.Module):
    """``x + body(x)``, or ``body(x)``.

    Args:
        body: baked layers; those of an orientation-diagonal block, five in a row, are computed a few channels at a time
            where the map inside is large.
        skips: whether the input is added.
    """

    def __init__(self, body: nn.Module, skips: bool) -> None:
        super().__init__()
        self.body, self.skips = body, skips
        layers = list(body.children())
        maps = layers[::2]
        self.splits = [type(m) for m in layers] == [nn.Conv2d, nn.ReLU6, nn.Conv2d, nn.ReLU6, nn.Conv2d] and (
            all(m.bias is not None for m in maps) and maps[1].groups == len(maps[1].weight)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C', H', W']``."""
        if self.splits and _is_lean(x) and len(x) == 1 and _bytes(x, len(self.body[2].weight)) > CHUNK:
            return self._by_chunks(x)
        return self.body(x) + x if self.skips else self.body(x)

    def _by_chunks(self, x: Tensor) -> Tensor:
        expand, _, middle, _, project = self.body  # type: ignore[misc]
        height, width = x.shape[-2:]
        source, hidden = x.reshape(x.shape[1], -1), len(middle.weight)
        step = max(16, CHUNK // (height * width * x.element_size()) // 16 * 16)
        first, result = x.new_empty(min(step, hidden), height * width), None
        rows, back = expand.weight.flatten(1), project.weight.flatten(1)
        for start in range(0, hidden, step):
            part = slice(start, min(start + step, hidden))
            h = first[: part.stop - part.start]
            torch.addmm(expand.bias[part, None], rows[part], source, out=h)
            y = F.hardtanh_(h.view(1, -1, height, width), 0.0, 6.0)
            window = (middle.stride, middle.padding, middle.dilation, len(h))
            y = F.hardtanh_(F.conv2d(y, middle.weight[part], middle.bias[part], *window), 0.0, 6.0)
            if result is None:
                side = y.shape[-2:]
                bias = project.bias[:, None]
                result = source + bias if self.skips else bias.expand(-1, side[0] * side[1]).contiguous()
            result.addmm_(back[:, part], y.view(len(h), -1))
        return cast(Tensor, result).view(1, -1, *side)  # pyright: ignore[reportPossiblyUnboundVariable]


class FourierResidual(nn.Module):
    """The inverted residual on coefficients: 1x1 maps block by block, values of the group in between.

    Args:
        expand, project: baked 1x1 convolutions between regular fields, batch norms folded; ``expand`` may be absent.
        middle: the baked depthwise convolution.
        group: whose fields they are.
        skips: whether the input is added.
    """

    def __init__(
        self, expand: nn.Conv2d | None, middle: nn.Conv2d, project: nn.Conv2d, group: Group, skips: bool
    ) -> None:
        super().__init__()
        basis, _ = coefficient_basis(group)
        self.order = order = len(basis)
        basis = basis.to(middle.weight)
        self.expand = None if expand is None else split_map(expand, group)
        self.project, self.skips = split_map(project, group), skips
        # values of the group element by element, as the coefficients are
        weight = middle.weight.detach().unflatten(0, (-1, order)).transpose(0, 1).flatten(0, 1)
        self.weight = nn.Parameter(weight.clone())
        bias = middle.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().view(-1, order).T.reshape(-1).clone())
        self.window = (middle.stride, middle.padding, middle.dilation)
        self.register_buffer("values", basis.clone())
        self.register_buffer("coefficients", basis.T.clone(memory_format=torch.contiguous_format))

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients ``[B, C, H, W]`` to coefficients ``[B, C', H', W']``."""
        if _is_lean(x) and self.expand is not None:
            size = _bytes(x, len(self.weight))
            if len(x) == 1 and size <= CHUNK and len(self.project.runs) == 1:
                return self._at_once(x)
            if len(x) == 1 or size > CHUNK:
                found = [self._by_chunks(image) for image in x]
                return torch.stack(found) if len(found) > 1 else found[0][None]
        y = x if self.expand is None else self.expand(x)
        y = spin(y, self.values)
        if self.expand is not None:
            y = F.relu6(y)
        y = F.relu6(F.conv2d(y, self.weight, self.bias, *self.window, len(self.weight)))
        y = self.project(spin(y, self.coefficients))
        return y + x if self.skips else y

    def _at_once(self, x: Tensor) -> Tensor:
        """The same for one small image ``[1, C, H, W]``, where the number of calls is what costs."""
        expand, project, order = cast(CoefficientMap, self.expand), self.project, self.order
        blocks = project.runs[0][1]
        source = x.view(blocks, x.shape[1] // blocks, -1)
        h = expand.blocks(source)
        y = torch.mm(self.values, h.view(order, -1)).view(1, -1, *x.shape[2:])
        y = F.conv2d(F.hardtanh_(y, 0.0, 6.0), self.weight, self.bias, *self.window, len(self.weight))
        z = torch.mm(self.coefficients, F.hardtanh_(y, 0.0, 6.0).view(order, -1))
        made = project.blocks(z.view(blocks, -1, y.shape[2] * y.shape[3]))
        made = made.add_(source) if self.skips else made
        return made.view(1, -1, *y.shape[2:])

    def _by_chunks(self, x: Tensor) -> Tensor:
        """The same for one image ``[C, H, W]``, a few fields at a time: what is in between stays in the cache."""
        expand, project, order = cast(CoefficientMap, self.expand), self.project, self.order
        fields, made = expand.fields[0], project.fields[0]
        height, width = x.shape[-2:]
        pixels = height * width
        step = max(1, min(fields, CHUNK // (order * pixels * x.element_size())))
        source = x.reshape(-1, pixels)
        # one piece of memory: an allocator that returns large pieces to the system would fetch each anew
        first, second = x.new_empty(2, order * step, pixels)
        result = None
        weight, bias = self.weight, self.bias
        for start in range(0, fields, step):
            part = None if step == fields else slice(start, min(start + step, fields))
            count = fields if part is None else part.stop - part.start
            if part is not None:
                weight = self.weight.unflatten(0, (order, fields))[:, part].flatten(0, 1)
                bias = None if self.bias is None else self.bias.view(order, fields)[:, part].reshape(-1)
            h, v = first[: order * count], second[: order * count]
            expand.multiply(source, part, h)
            y = torch.mm(self.values, h.view(order, -1), out=v.view(order, -1))
            y = F.hardtanh_(y.view(1, order * count, height, width), 0.0, 6.0)
            y = F.hardtanh_(F.conv2d(y, weight, bias, *self.window, order * count), 0.0, 6.0)
            if result is None:
                result = self._start(source, made, y.shape[-2] * y.shape[-1])
                side = y.shape[-2:]
            z = torch.mm(self.coefficients, y.view(order, -1), out=first.view(-1)[: y.numel()].view(order, -1))
            project.accumulate(z.view(order * count, -1), part, result)
        return cast(Tensor, result).view(-1, *side)  # pyright: ignore[reportPossiblyUnboundVariable]

    def _start(self, source: Tensor, made: int, pixels: int) -> Tensor:
        """What the results of the chunks are added to: the input or zero, and the bias of the last map."""
        result = source.clone() if self.skips else source.new_zeros(self.order * made, pixels)
        if self.project.bias is not None:
            result[:made] += self.project.bias[0, :made]
        return result

    def ordinary(self) -> PlainResidual:
        """The ordinary block that this stands for, between fields."""
        order = self.order
        channels = len(self.weight)
        stride, padding, dilation = self.window
        kernel = self.weight.shape[-1]
        middle = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, self.bias is not None)
        middle.to(self.weight.dtype)
        with torch.no_grad():
            middle.weight.copy_(self.weight.unflatten(0, (order, -1)).transpose(0, 1).flatten(0, 1))
            if middle.bias is not None and self.bias is not None:
                middle.bias.copy_(self.bias.view(order, -1).T.reshape(-1))
        middle.fields = ((channels // order, order),)  # type: ignore[assignment]
        first = [] if self.expand is None else [self.expand.ordinary(), nn.ReLU6(inplace=True)]
        return PlainResidual(nn.Sequential(*first, middle, nn.ReLU6(inplace=True), self.project.ordinary()), self.skips)


def _bytes(x: Tensor, channels: int) -> int:
    """Size of ``channels`` maps of every image of ``x``."""
    return channels * x.shape[0] * x.shape[2] * x.shape[3] * x.element_size()


def _is_lean(x: Tensor) -> bool:
    """Whether buffers may be written to: inference on ordinary tensors."""
    return not torch.is_grad_enabled() and not torch.compiler.is_compiling() and runs_eagerly(x)
