"""Networks of volumes and of points: exact for their groups, trainable, with plain twins."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable import laws
from steerable.domains.points import Points
from steerable.laws.equivariance import relative_error
from steerable.models.plain_cnn import count_parameters

GROUPS = ["SO3", "O3", "O2", "C4", "D3", "SO2", "O"]


def randomised(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.add_(0.1 * torch.randn_like(b))
    return model.double().eval()


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_logits_of_turned_volumes(group, side):
    torch.manual_seed(0)
    model = randomised(st.create_model("volume_cnn", group=group, widths=(2, 3), kernel_size=3, pool_after=(1,)))
    x = torch.randn(2, 1, side, side, side, dtype=torch.float64)
    laws.assert_equivariant(model, x, atol=1e-12)


@pytest.mark.parametrize("group", ["SO3", "C4", "O"], ids=str)
def test_segments_turn_with_the_volume(group):
    torch.manual_seed(0)
    model = randomised(st.create_model("volume_unet", group=group, widths=(2, 3), kernel_size=3, num_classes=3))
    x = torch.randn(1, 1, 7, 7, 7, dtype=torch.float64)
    assert model(x).shape == (1, 3, 7, 7, 7)
    t = (model.down[0].in_type.group.trivial) * 1
    laws.assert_equivariant(model, x, t, 3 * t, atol=1e-12)


class OnCloud(torch.nn.Module):
    """A model of points as a layer of a neighbourhood, for the law."""

    def __init__(self, model, points):
        super().__init__()
        self.model, self.batch = model, points.batch

    def forward(self, x, points):
        return self.model(x, points.positions, points.batch)


@pytest.mark.parametrize("group", ["SO3", "O3", "O2", "O", "C4"], ids=str)
def test_logits_of_turned_clouds(group):
    torch.manual_seed(0)
    options = {"widths": (3, 3), "cutoff": 1.2, "dimension": 3}
    model = randomised(st.create_model("point_cnn", group=group, in_channels=2, **options))
    points = Points(torch.rand(20, 3, dtype=torch.float64) * 2, torch.tensor([0] * 8 + [1] * 12))
    x = torch.randn(20, 2, dtype=torch.float64)
    scalars = model.blocks[0].conv.in_type
    laws.assert_equivariant_on_points(
        OnCloud(model, points), x, points, lambda p: p, scalars, 2 * scalars.group.trivial, atol=1e-10
    )


def test_handedness():
    """Rotations alone see which hand a cloud is; with reflections the two hands are one."""
    torch.manual_seed(0)
    hand = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1.2, 0], [0.3, 0.1, 1.4], [0.2, 1.0, 0.9]], dtype=torch.float64)
    x = torch.ones(5, 1, dtype=torch.float64)
    for group, sees in (("SO3", True), ("O3", False)):
        model = randomised(st.create_model("point_cnn", group=group, widths=(4, 4), cutoff=3.0))
        difference = relative_error(model(x, hand * torch.tensor([1.0, 1, -1])), model(x, hand))
        assert (difference > 1e-6) == sees


@pytest.mark.parametrize("match", ["params", "compute"])
@pytest.mark.parametrize("name", ["volume_cnn", "volume_unet", "point_cnn"])
def test_plain_twins(name, match):
    options = {"widths": (2, 3), "kernel_size": 3, "group": "SO3"}
    ours, plain = st.create_model(name, **options), st.create_model(f"{name}_plain", match=match, **options)
    ratio = count_parameters(plain) / count_parameters(ours)
    assert 0.7 < ratio < 1.4 if match == "params" else ratio > 1.05
    inputs = (torch.randn(2, 1, 7, 7, 7),)
    if name == "point_cnn":
        inputs = (torch.randn(9, 1), torch.randn(9, 3), torch.tensor([0] * 4 + [1] * 5))
    assert ours(*inputs).shape == plain(*inputs).shape
    ours(*inputs).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in ours.parameters() if p.grad is not None)


def test_baked():
    model = randomised(st.create_model("volume_cnn", group="SO3", widths=(2, 3), kernel_size=3))
    x = torch.randn(2, 1, 9, 9, 9, dtype=torch.float64)
    assert relative_error(st.bake(model)(x), model(x)) < 1e-10


def test_bad_arguments():
    with pytest.raises(ValueError, match="'mean' or 'sum'"):
        st.create_model("point_cnn", reduce="max")
    with pytest.raises(ValueError, match="'params' or 'compute'"):
        st.create_model("volume_cnn_plain", match="size")
