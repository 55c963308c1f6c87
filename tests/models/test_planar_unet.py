"""The U-Net of images: exact for its group on every side, with fields in and out, with a twin."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable import laws
from steerable.models.grid_unet import PLAIN, STEERABLE, Interpolate
from steerable.models.plain_cnn import count_parameters

GROUPS = ["C4", "D4", "C8", "D8", "SO2", "O2"]


def randomised(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.add_(0.1 * torch.randn_like(b))
    return model.double().eval()


@pytest.mark.parametrize("side", [16, 17, 21])
@pytest.mark.parametrize("group", GROUPS)
def test_segments_turn_with_the_image(group, side):
    torch.manual_seed(0)
    net = randomised(st.create_model("unet", group=group, widths=(2, 3, 3), kernel_size=3, num_classes=3))
    x = torch.randn(2, 1, side, side, dtype=torch.float64)
    assert net(x).shape == (2, 3, side, side)
    laws.assert_equivariant(net, x, atol=1e-10)


@pytest.mark.parametrize(("group", "fields"), [("SO2", "1x0 + 1x1"), ("D4", "1 trivial + 1 regular")])
def test_fields_in_and_out(group, fields):
    torch.manual_seed(0)
    G = st.groups.parse_group(group)
    given = G.type(fields)
    net = randomised(st.create_model("unet", group=group, widths=(2, 3), in_type=given, out_type=fields))
    assert (net.in_type, net.out_type) == (given, given)
    laws.assert_equivariant(net, torch.randn(1, given.size, 11, 11, dtype=torch.float64), atol=1e-10)
    with pytest.raises(ValueError, match=r"expected a type of C8"):
        st.create_model("unet", group="C8", in_type=given)


def test_a_window_that_moves_the_centre_is_seen(monkeypatch):
    """The planted fault: halving without the fitted blur."""

    class Corner(torch.nn.Module):
        def __init__(self, fields):
            super().__init__()

        def forward(self, x):
            return x[..., ::2, ::2]

    monkeypatch.setitem(STEERABLE, 2, (STEERABLE[2][0], Corner, STEERABLE[2][2]))
    torch.manual_seed(0)
    net = randomised(st.create_model("unet", group="C4", widths=(1, 2), kernel_size=3))
    with pytest.raises(AssertionError):
        laws.assert_equivariant(net, torch.randn(1, 1, 16, 16, dtype=torch.float64), atol=1e-3)


@pytest.mark.parametrize("group", ["C4", "D4", "SO2"])
def test_the_twin_has_as_many_parameters_or_channels(group):
    net = st.create_model("unet", group=group, in_channels=3, num_classes=4)
    x = torch.randn(1, 3, 33, 33)
    for match, most in (("params", 0.08), ("compute", None)):
        twin = st.create_model("unet_plain", group=group, in_channels=3, num_classes=4, match=match)
        assert twin(x).shape == net(x).shape == (1, 4, 33, 33)
        if most is None:
            assert twin.net.down[0][0].out_channels == net.down[0].out_type.size
        else:
            assert count_parameters(twin) == pytest.approx(count_parameters(net), rel=most)
    assert PLAIN[2][0] is torch.nn.Conv2d and Interpolate("bilinear").mode == "bilinear"


@pytest.mark.parametrize("group", ["D4", "SO2"])
def test_baked_and_exported(group):
    torch.manual_seed(0)
    net = randomised(st.create_model("unet", group=group, widths=(2, 2), kernel_size=3))
    x = torch.randn(2, 1, 13, 13, dtype=torch.float64)
    laws.assert_baked_equals(net, x, atol=1e-10)
    laws.assert_export_equals_eager(st.bake(net), x, dynamic_batch=True)


def test_volumes_have_the_same_layout():
    flat, deep = (st.create_model(n, group="C4", widths=(1, 2), kernel_size=3) for n in ("unet", "volume_unet"))
    assert {k.split(".")[0] for k in flat.state_dict()} == {k.split(".")[0] for k in deep.state_dict()}
    G = st.SO3()
    net = randomised(st.create_model("volume_unet", group="SO3", widths=(2,), in_type="1x1", out_type="1x1"))
    assert net.out_type == G.type("1x1")
    laws.assert_equivariant(net, torch.randn(1, 3, 5, 5, 5, dtype=torch.float64), atol=1e-10)
