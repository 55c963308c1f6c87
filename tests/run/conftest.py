"""A folder of tiny images and two tiny networks, so that the commands can be tested in seconds."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn


def plain(in_channels, num_classes, width=6):
    """A CNN that learns the images below in a few steps."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


class Invariant(nn.Module):
    """The plain network averaged over quarter turns: its answers never change."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return sum(self.net(torch.rot90(x, k, (-2, -1))) for k in range(4)) / 4


def invariant(in_channels, num_classes, group, width=6):
    """As `plain`, but invariant."""
    return Invariant(plain(in_channels, num_classes, width))


NETWORKS = {"tiny_plain": plain, "tiny_invariant": invariant}


@pytest.fixture
def networks(monkeypatch):
    """Register the two networks in place of the library's."""
    stub = types.ModuleType("steerable.models")
    stub.list_models = lambda: list(NETWORKS)
    stub.describe_model = lambda name: NETWORKS[name].__doc__
    stub.example_side = lambda name: 33
    stub.example_domain = lambda name: getattr(NETWORKS[name], "domain", "images")
    stub.model_arguments = lambda name: {}
    stub.create_model = lambda name, **kw: NETWORKS[name](**kw)
    monkeypatch.setitem(sys.modules, "steerable.models", stub)
    return NETWORKS


def bars(n, seed, side=9):
    """Images of a horizontal bar, a vertical bar, or a blob, with noise: [n, side, side] and labels."""
    rng = np.random.default_rng(seed)
    x = 0.1 * rng.standard_normal((n, side, side)).astype(np.float32)
    y = np.arange(n) % 3
    c = side // 2
    for i, k in enumerate(y):
        if k == 0:
            x[i, c, 1:-1] += 1
        elif k == 1:
            x[i, 1:-1, c] += 1
        else:
            x[i, c - 1 : c + 2, c - 1 : c + 2] += 1
    return x, y


@pytest.fixture
def images(tmp_path):
    """A folder with train.npz, val.npz and test.npz."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, (part, n) in enumerate({"train": 48, "val": 24, "test": 30}.items()):
        x, y = bars(n, seed)
        np.savez(folder / f"{part}.npz", x=x, y=y, classes=np.array(["flat", "upright", "blob"]))
    return folder


@pytest.fixture
def arguments(images, tmp_path):
    """Arguments of a fit that takes a second."""
    return [
        "--model.name=tiny_plain",
        "--data.name=folder",
        f"--data.root={images}",
        "--train.epochs=3",
        "--train.batch_size=16",
        "--train.lr=0.03",
        "--train.device=cpu",
        f"--out={tmp_path / 'out'}",
    ]
