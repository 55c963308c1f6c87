"""Small trained-looking networks and images that the tests of quantisation share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import steerable as st
from steerable.domains import PixelGrid

#: name of a network, its group, arguments, side and channels of its images
NETS = {
    "mobilenet D4": ("mobilenet_v2_small", "D4", {"group": "D4"}, 33, 3),
    "mobilenet D8": ("mobilenet_v2_small", "D8", {"group": "D8"}, 33, 3),
    "mobilenet C8": ("mobilenet_v2_small", "C8", {"group": "C8"}, 33, 3),
    "mobilenet D8 field": ("mobilenet_v2_small", "D8", {"group": "D8", "depthwise": "field"}, 17, 3),
    "lens D4": ("lens_cnn", "D4", {"group": "D4", "widths": (2, 3, 4, 4)}, 32, 1),
    "lens D8": ("lens_cnn", "D8", {"group": "D8", "widths": (1, 2, 2, 2)}, 32, 1),
    "steerable D4": (
        "steerable_cnn",
        "D4",
        {"group": "D4", "fields": (2, 2, 3), "kernels": (5, 3, 3), "pool_after": (1, 2)},
        29,
        1,
    ),
    "wide resnet D4": ("wrn10_1", "D4", {"groups": ("D4", "D4", "D4")}, 33, 3),
}


def images(count: int, channels: int, side: int, seed: int = 0) -> Tensor:
    """Natural-looking images [count, channels, side, side] in 0 ... 1: noise whose power falls as the square."""
    generator = torch.Generator().manual_seed(seed)
    radius = (torch.fft.fftfreq(side)[:, None] ** 2 + torch.fft.rfftfreq(side) ** 2).sqrt().clamp(min=1 / side)
    spectrum = torch.fft.rfft2(torch.randn(count, channels, side, side, generator=generator)) / radius
    x = torch.fft.irfft2(spectrum, s=(side, side))
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return (x - low) / (high - low)


def photographs(count: int, side: int) -> Tensor | None:
    """Photographs [count, 3, side, side] in 0 ... 1 from the CIFAR-10 subset, if it is there."""
    path = Path(os.environ.get("STEERABLE_DATA", "")) / "cifar10" / "cifar10_subset.npz"
    if not os.environ.get("STEERABLE_DATA") or not path.exists():
        return None
    x = torch.from_numpy(np.load(path)["x_test"][:count].astype(np.float32) / 255).permute(0, 3, 1, 2)
    return torch.nn.functional.pad(x, (0, side - 32, 0, side - 32), mode="replicate")


def build(name: str, classes: int = 6, spread: bool = False) -> nn.Module:
    """A network of ``NETS`` whose statistics are those of data; with `spread` its classes depend on the image."""
    model, _, arguments, side, channels = NETS[name]
    torch.manual_seed(0)
    net = st.create_model(model, in_channels=channels, num_classes=classes, **arguments)
    for layer in net.modules():
        if isinstance(layer, st.nn.BatchNorm):
            layer.momentum = None
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(images(12, channels, side, seed=3))
        for p in net.parameters():  # biases and factors of norms leave their start
            if p.dim() == 1 and len(p) < 400:
                p.add_(0.1 * torch.randn(p.shape))
        if not spread:
            return net.eval()
        net.eval()
        head = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
        logits = net(images(32, channels, side, seed=3))  # classes differ by what the images are, not by their bias
        head.bias.sub_(logits.mean(0))
        head.weight.div_(logits.std(0)[:, None])
        head.bias.div_(logits.std(0))
    return net.eval()


def lattice(group_name: str) -> tuple[st.groups.Group, Tensor]:
    """The group, and those of its elements that move pixels to pixels."""
    group = {"C": st.C, "D": st.D}[group_name[0]](int(group_name[1:]))
    inner = group.subgroup(({"C": st.C, "D": st.D}[group_name[0]])(4))
    return group, inner.map(inner.small.elements)


def turn(x: Tensor, group: st.groups.Group, g: Tensor) -> Tensor:
    """Scalar images moved by an element, in any dtype."""
    return PixelGrid.of(x.double()).move(x.double(), group, g).to(x.dtype)


def turn_field(q: Tensor, group: st.groups.Group, g: Tensor) -> Tensor:
    """Integer maps of regular fields moved by an element."""
    wide = q.double()
    fields = q.shape[1] // group.order * group.regular
    return PixelGrid.of(wide).transform(wide, fields, g).round().to(q.dtype)
