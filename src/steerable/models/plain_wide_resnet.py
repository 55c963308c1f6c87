"""Plain wide residual networks: the twins of the equivariant ones."""

from __future__ import annotations

from torch import Tensor, nn


class PlainWideResNet(nn.Module):
    """Wide ResNet of Zagoruyko and Komodakis, arXiv 1605.07146, with a 5x5 first convolution as its equivariant twin.

    Args:
        in_channels: channels of the image.
        num_classes: number of logits.
        depth: 10, 16, 22, 28, ...
        widen: width factor.
        dropout: probability within blocks.
        kernel_size: of the blocks.
        initial_stride: stride of the first stage; 2 for STL-10.

    Raises:
        ValueError: for a depth that is no wide ResNet.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        depth: int = 16,
        widen: int = 4,
        dropout: float = 0.0,
        kernel_size: int = 3,
        initial_stride: int = 1,
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"PlainWideResNet: depth must be 6 n + 4 (10, 16, 22, 28, ...), got {depth}")
        blocks = (depth - 4) // 6
        self.lift = nn.Conv2d(in_channels, 16, 5, padding=2, bias=False)
        layers: list[nn.Module] = []
        current = 16
        for width, stride in ((16 * widen, initial_stride), (32 * widen, 2), (64 * widen, 2)):
            for b in range(blocks):
                layers.append(PlainResidualBlock(current, width, kernel_size, stride if b == 0 else 1, dropout))
                current = width
        self.blocks = nn.Sequential(*layers)
        self.norm, self.act = nn.BatchNorm2d(current), nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(current, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in_channels, H, W]`` to logits ``[B, num_classes]``."""
        x = self.act(self.norm(self.blocks(self.lift(x))))
        return self.head(self.pool(x).flatten(1))


class PlainResidualBlock(nn.Module):
    """Norm, ReLU, conv, norm, ReLU, dropout, conv; the shortcut is a strided 1x1 of the activated input."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int, dropout: float) -> None:
        super().__init__()
        pad = kernel_size // 2
        self.norm1, self.act1 = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, outputs, kernel_size, stride, pad, bias=False)
        self.norm2, self.act2 = nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, kernel_size, 1, pad, bias=False)
        self.shortcut = None if stride == 1 and inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Residual sum."""
        activated = self.act1(self.norm1(x))
        y = self.conv2(self.dropout(self.act2(self.norm2(self.conv1(activated)))))
        return y + (x if self.shortcut is None else self.shortcut(activated))
