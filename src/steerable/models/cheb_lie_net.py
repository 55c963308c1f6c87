"""Residual networks of Chebyshev convolutions on Lie groups, and their plain twin."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from steerable.domains.lie import LieGroupGraph
from steerable.models.plain_cnn import count_parameters, match_width
from steerable.nn.cheb_conv import ChebConv
from steerable.nn.graph_pool import GraphPool


class ChebLieNet(nn.Module):
    """Wide residual network on a graph of SE(2) (images), SO(3) or the sphere; every stage has half the sides.

    Pre-activation blocks of two Chebyshev convolutions. At the end the largest over the orientations and the mean over
    the places, so that logits do not change under the symmetries of the grid: quarter turns and flips of an image.

    Args:
        in_channels: plain channels.
        num_classes: number of logits.
        image_side: of square images, a multiple of 2 for each stage after the first.
        orientations: of the graph, even.
        eps: price of a step across the orientation; 1: isotropic, the ablation.
        xi: price of a turn, or the usual one.
        k: neighbours.
        weights: ``"density"`` or ``"paper"``, see :class:`steerable.domains.LieGroupGraph`.
        widths: channels of each stage.
        blocks: of each stage.
        order: of the polynomials.
        pool: ``"max"`` or ``"mean"`` between stages.
        graph: in place of all that describes one: of SO(3) or the sphere, for fields ``[B, C, vertices]``.

    Raises:
        ValueError: for a side that is not halved evenly, or what the graph refuses.

    Source: Aguettaz, Bekkers and Defferrard, arXiv 2111.12139; the layout follows their wide residual network in small.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_side: int = 32,
        orientations: int = 6,
        eps: float = 0.1,
        xi: float | None = None,
        k: int = 16,
        weights: str = "density",
        widths: Sequence[int] = (8, 16, 32),
        blocks: int = 1,
        order: int = 3,
        pool: str = "max",
        graph: LieGroupGraph | None = None,
    ) -> None:
        super().__init__()
        if graph is None:
            multiple = 2 ** (len(widths) - 1)
            if image_side % multiple or image_side < 2 * multiple:
                raise ValueError(
                    f"ChebLieNet: image_side is {image_side}; expected a multiple of {multiple} from {2 * multiple}, "
                    f"for {len(widths)} stages of half the side each"
                )
            graph = LieGroupGraph.se2(image_side, None, orientations, eps, xi, k, weights)
        self.graph = graph
        self.lift = ChebConv(graph, in_channels, widths[0], order, bias=False)
        layers: list[nn.Module] = []
        current = widths[0]
        for stage, width in enumerate(widths):
            if stage:
                step = GraphPool(graph, pool)
                graph = step.targets
                layers.append(step)
            for _ in range(blocks):
                layers.append(ChebBlock(graph, current, width, order))
                current = width
        self.stages = nn.Sequential(*layers)
        self.norm = VertexNorm(current)
        self.oriented = bool(graph.samples.orientations_at)
        self.head = nn.Linear(current, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[B, in_channels, H, W]`` (or fields of vertices) to logits ``[B, num_classes]``."""
        y = self.norm(self.stages(self.lift(self.graph.lift(x)))).relu()
        y = y.amax(-1) if self.oriented else y
        return self.head(y.flatten(2).mean(2))


class VertexNorm(nn.BatchNorm1d):
    """Batch norm of fields ``[B, C, ...]`` with any number of axes."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise every channel."""
        return super().forward(input.flatten(2)).reshape(input.shape)


class ChebBlock(nn.Module):
    """Norm, ReLU, convolution, twice; the shortcut is a matrix where channels change.

    Args:
        graph: where.
        in_channels: channels of the input.
        out_channels: channels of the output.
        order: of the polynomials.
    """

    def __init__(self, graph: LieGroupGraph, in_channels: int, out_channels: int, order: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = VertexNorm(in_channels), VertexNorm(out_channels)
        self.conv1 = ChebConv(graph, in_channels, out_channels, order, bias=False)
        self.conv2 = ChebConv(graph, out_channels, out_channels, order, bias=False)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else ChebConv(graph, in_channels, out_channels, 0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, *shape]`` to ``[B, out_channels, *shape]``."""
        active = self.norm1(x).relu()
        y = self.conv2(self.norm2(self.conv1(active)).relu())
        return y + (x if isinstance(self.shortcut, nn.Identity) else self.shortcut(active))


class ChebLieNetPlain(nn.Module):
    """The layout of :class:`ChebLieNet` in ordinary 3 x 3 convolutions of the image, with as many parameters.

    Args:
        in_channels: plain channels.
        num_classes: number of logits.
        widths, blocks, order: of the network that this one is to match.
        image_side, orientations, eps, xi, k, weights, pool: taken and not used: a twin has the options of its network.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_side: int = 32,
        orientations: int = 6,
        eps: float = 0.1,
        xi: float | None = None,
        k: int = 16,
        weights: str = "density",
        widths: Sequence[int] = (8, 16, 32),
        blocks: int = 1,
        order: int = 3,
        pool: str = "max",
    ) -> None:
        super().__init__()
        side = 2 ** len(widths)
        graph = LieGroupGraph.se2(side, None, 1, 1.0, k=1)  # parameters do not depend on it
        target = count_parameters(
            ChebLieNet(in_channels, num_classes, widths=widths, blocks=blocks, order=order, graph=graph)
        )

        def build(factor: float) -> nn.Module:
            layers: list[nn.Module] = []
            current, first = in_channels, max(1, round(widths[0] * factor))
            layers.append(nn.Conv2d(current, first, 3, padding=1, bias=False))
            current = first
            for stage, width in enumerate(widths):
                if stage:
                    layers.append(nn.MaxPool2d(2))
                wide = max(1, round(width * factor))
                for _ in range(blocks):
                    layers.append(PlainBlock(current, wide))
                    current = wide
            tail = [nn.BatchNorm2d(current), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            return nn.Sequential(*layers, *tail, nn.Linear(current, num_classes))

        self.net = build(match_width(build, target))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        return self.net(x)


class PlainBlock(nn.Module):
    """Norm, ReLU, 3 x 3 convolution, twice, with a shortcut.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(in_channels), nn.BatchNorm2d(out_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = None if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to ``[B, out_channels, H, W]``."""
        active = self.norm1(x).relu()
        y = self.conv2(self.norm2(self.conv1(active)).relu())
        return y + (x if self.shortcut is None else self.shortcut(active))
