"""The icosahedral CNN: exact logits, twin, pictures."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.aggregate.hexagon import chart_frames
from steerable.domains.sphere import IcosahedralSphere
from steerable.groups import full_icosahedral, icosahedral
from steerable.models.plain_cnn import count_parameters

SMALL = {"level": 2, "widths": (3, 4), "pool_after": (1,), "num_classes": 5, "in_channels": 2}


def randomised(model):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, b in [*model.named_parameters(), *model.named_buffers()]:
            if name.rsplit(".")[-1] in ("weight", "bias", "running_mean"):
                b.add_(0.1 * torch.randn(b.shape, generator=generator))
    return model.double().eval()


@pytest.mark.parametrize("corners", ["zero", "invariant"])
@pytest.mark.parametrize("group", ["C6", "D6"])
def test_logits_under_the_symmetries_of_the_icosahedron(group, corners):
    torch.manual_seed(0)
    net = randomised(st.create_model("ico_cnn", group=group, corners=corners, **SMALL))
    x, scalars = torch.randn(2, 2, 162, dtype=torch.float64), st.C(6).type("2 trivial")
    assert net(x).shape == (2, 5)
    if group == "D6":
        scalars = st.D(6).type("2 trivial")
    acting = full_icosahedral() if group == "D6" else icosahedral()
    errors = laws.icosahedral_errors(net, x, scalars, None, chart_frames(2), group=acting)
    assert errors.max() < 1e-12
    if group == "C6":  # rotations alone see which hand it is
        mirrored = full_icosahedral().elements
        dets = torch.linalg.det(full_icosahedral().action(mirrored, 3))
        with torch.no_grad():
            to = IcosahedralSphere(2).permutation(full_icosahedral(), mirrored[dets < 0][3])
            moved = torch.empty_like(x)
            moved[:, :, to] = x
            assert (net(moved) - net(x)).norm() / net(x).norm() > 1e-4


def test_the_twin_has_as_many_parameters_and_no_symmetry():
    torch.manual_seed(0)
    net, twin = (st.create_model(name, **SMALL) for name in ("ico_cnn", "ico_cnn_plain"))
    assert count_parameters(twin) == pytest.approx(count_parameters(net), rel=0.05)
    default = [count_parameters(st.create_model(n)) for n in ("ico_cnn", "ico_cnn_plain")]
    assert default[1] == pytest.approx(default[0], rel=0.03)
    twin = randomised(twin)
    x, scalars = torch.randn(2, 2, 162, dtype=torch.float64), st.C(6).type("2 trivial")
    some = torch.arange(1, 60, 12)
    assert laws.icosahedral_errors(twin, x, scalars, None, chart_frames(2), elements=some).max() > 1e-3
    with pytest.raises(ValueError, match="unknown match 'size'"):
        st.create_model("ico_cnn_plain", match="size")


def test_tools():
    torch.manual_seed(0)
    net = st.create_model("ico_cnn", image=(16, 32), **SMALL).eval()
    x = torch.randn(3, 2, 16, 32)
    laws.assert_export_equals_eager(net, x, dynamic_batch=True)
    laws.assert_baked_equals(net, x)
    laws.assert_compiled_equals(net, x)
    net.train()(x).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert laws.lint(net) == []


def test_pictures_onto_vertices():
    sphere = IcosahedralSphere(3)
    theta, phi = (torch.arange(64).double() + 0.5) * math.pi / 64, (torch.arange(128).double() + 0.5) * math.pi / 64
    xyz = torch.stack(
        [theta.sin()[:, None] * phi.cos(), theta.sin()[:, None] * phi.sin(), theta.cos()[:, None].expand(-1, 128)]
    )[None]
    found = snn.ico_project(xyz, sphere)
    assert (found[0].T - sphere.points()).abs().max() < 1e-3  # the poles too
    shifted = snn.ico_project(xyz.roll(64, 3), sphere, shift=0.5 - 64)
    assert (shifted - found).abs().max() < 1e-12
    assert (snn.ico_project(xyz.roll(1, 3), sphere)[0].T - sphere.points()).abs().max() > 0.03
    with pytest.raises(ValueError, match=r"64 rows and 127 columns; expected .* an even number"):
        snn.ico_project(xyz[..., :127], sphere)
    with pytest.raises(ValueError, match=r"expected \[B, C, 8, 16\]"):
        snn.IcoProject(sphere, 8, 16)(xyz)
    with pytest.raises(ValueError, match=r"expected \[B, C, H, W\]"):
        snn.ico_project(xyz[0], sphere)


def test_too_many_levels_down():
    with pytest.raises(ValueError, match="3 steps down from level 3; expected to end at level 1"):
        st.create_model("ico_cnn", pool_after=(1, 2, 3))
