"""The sides of images that the pages on models name: exact on those, and nowhere near it on the others."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.models.gcnn_resnet import GroupResNet

pytestmark = pytest.mark.filterwarnings("ignore::steerable.nn.ExactnessWarning")

WRN = {"group": "D4", "in_channels": 3}
#: model, arguments, exact sides, others
CLAIMS = [
    ("hnet", {}, (28, 32, 36), (27, 29, 30, 33)),
    ("hnet", {"fit": "resample"}, (29, 33), ()),
    ("hnet_lens", {}, (64, 72), (60, 65, 66)),
    ("wrn10_1", WRN, (33, 37), (28, 31, 32, 34)),
    ("wrn10_1", {**WRN, "down": "blur"}, (28, 31, 32, 33), ()),
    ("wrn10_1", {**WRN, "fit": "resample"}, (28, 31, 32, 33), ()),
    ("wrn10_1", {**WRN, "fit": "pad"}, (33,), (28, 32)),
    ("wrn10_1", {**WRN, "initial_stride": 2}, (97,), (96, 93)),
    ("p4cnn", {}, (28, 30, 32), (27, 29)),
    ("p4mcnn", {}, (28,), (29,)),
    ("p4cnn", {"fit": "resample"}, (28, 29), ()),
    ("allcnn_p4", {"in_channels": 3}, (29, 33), (28, 32)),
    ("allcnn_p4", {"in_channels": 3, "fit": "resample"}, (28, 32), ()),
    ("resnet", {}, (29, 33), (28, 32)),
    ("resnet", {"fit": "resample"}, (28, 32), ()),
    ("steerable_cnn", {"group": "D4"}, (28, 29, 32, 33), ()),
    ("unet", {"group": "D4", "in_channels": 3, "widths": (1, 2, 2)}, (28, 29, 32, 33), ()),
    ("cheb_lie_net", {"in_channels": 1}, (32,), ()),
    ("cheb_lie_net", {"in_channels": 1, "image_side": 28}, (28,), ()),
    ("lens_cnn", {"group": "D4"}, (64, 80), (60, 65, 72)),
    ("mobilenet_v2_small", {"group": "D4", "in_channels": 3}, (33, 41), (32, 37)),
]


@pytest.mark.parametrize(
    ("name", "arguments", "exact", "others"), CLAIMS, ids=lambda v: v if isinstance(v, str) else None
)
def test_sides_are_those_that_the_pages_name(name, arguments, exact, others):
    torch.manual_seed(0)
    make = {"num_classes": 5, **arguments}
    net = GroupResNet(blocks=1, fields=(2, 2, 2), **make) if name == "resnet" else st.create_model(name, **make)
    net = net.double().eval()
    channels = 3 if name == "resnet" else arguments.get("in_channels", 1)
    for side in (*exact, *others):
        x = torch.randn(1, channels, side, side, dtype=torch.float64)
        with torch.no_grad():
            before, after = net(x), net(torch.rot90(x, 1, (-2, -1)))
        if before.ndim == 4:  # an answer at every pixel moves with it
            after = torch.rot90(after, -1, (-2, -1))
        error = float((after - before).abs().max() / before.std())
        assert error < 1e-10 if side in exact else error > 1e-3, f"{name} {arguments} on {side}: {error:.1e}"
