"""Image to icosahedron: permutations, correlation, poses, and what a camera sees."""

from __future__ import annotations

import math

import pytest
import torch

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains.sphere import IcosahedralSphere
from steerable.groups import parse_group, random_rotation
from steerable.nn.icosahedral.correlation import vertex_permutations
from steerable.tasks.poses import SHAPES, draw_views, render_depth

GROUPS = ["I", "O", "T"]


@pytest.mark.parametrize("name", GROUPS)
def test_permutations_multiply_as_the_group_does(name):
    layer = snn.GroupCorrelation(2, group=name)
    group, p = layer.group, vertex_permutations(layer.group, layer.sphere)
    g = group.elements
    product = group.compose(g[:, None], g[None])
    assert torch.equal(p[product], p[:, None].expand(-1, len(g), -1).gather(2, p[None].expand(len(g), -1, -1)))


def moved_filter(w, p):
    out = torch.empty_like(w)
    out[:, :, p] = w
    return out


def moved_output(y, group, h):
    out = torch.empty_like(y)
    out[..., group.compose(h.expand(group.order), group.elements)] = y
    return out


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("name", GROUPS)
def test_a_filter_on_the_whole_sphere_permutes_exactly(name, dtype, limit):
    torch.manual_seed(0)
    layer = snn.GroupCorrelation(4, 3, name, signals=2).to(dtype).requires_grad_(False)
    group, p = layer.group, vertex_permutations(layer.group, layer.sphere)
    w = torch.randn(2, 12, layer.seen, dtype=dtype)
    y = layer(w)
    assert y.shape == (2, 2, 3, group.order)
    for h in group.elements:
        found, wanted = layer(moved_filter(w, p[h])), moved_output(y, group, h)
        assert (found - wanted).norm() / wanted.norm() < limit


def test_a_permutation_the_wrong_way_is_seen(monkeypatch):
    from steerable.nn.icosahedral import correlation as ico_correlation

    monkeypatch.setattr(ico_correlation, "vertex_permutations", lambda g, s: inverse(vertex_permutations(g, s)))
    layer = snn.GroupCorrelation(4, 1, "I").double().requires_grad_(False)
    p = vertex_permutations(layer.group, layer.sphere)
    w = torch.randn(1, 4, layer.seen, dtype=torch.float64)
    y = layer(w)
    errors = [(layer(moved_filter(w, p[h])) - moved_output(y, layer.group, h)).norm() for h in layer.group.elements]
    assert max(errors) > 0.1 * y.norm()


def inverse(p):
    return torch.empty_like(p).scatter_(1, p, torch.arange(p.shape[1]).expand_as(p))


@pytest.mark.parametrize("seed", range(4))
def test_half_a_filter_permutes_nearly(seed):
    """A blob of which the camera sees the most: what half of the filter says is what all of it says."""
    sphere = IcosahedralSphere(1)
    front = snn.SphereProjection(sphere, 8).front
    whole = snn.GroupCorrelation(1, 1, "I", sphere).double().requires_grad_(False)
    half = snn.GroupCorrelation(1, 1, "I", sphere, front).double().requires_grad_(False)
    centre = random_rotation(1, torch.Generator().manual_seed(seed))[0, 2]
    blob = torch.exp(4 * (sphere.points() @ centre) - 4)
    blob = blob - blob.mean()
    for layer in (whole, half):
        layer.signal.copy_(blob)
    views = moved_views(blob, vertex_permutations(whole.group, sphere))
    agree = torch.tensor(
        [float(torch.corrcoef(torch.stack([whole(v).flatten(), half(v[:, :, front]).flatten()]))[0, 1]) for v in views]
    )
    seen = torch.stack([v[:, :, front].square().sum() / v.square().sum() for v in views])
    assert agree[seen > 0.5].median() > 0.94
    assert 0.5 < agree[seen < 0.3].median() < 0.94  # a blob that is hidden leaves a rim alone
    assert agree[seen > 0.5].median() > agree[seen < 0.3].median()


def moved_views(blob, permutations):
    return [moved_filter(blob[None, None], p) for p in permutations]


def test_a_sample_sees_its_pixel():
    sphere = IcosahedralSphere(2)
    layer = snn.SphereProjection(sphere, 65, coverage=0.9, sigma=0.6).double()
    middle = (2 * torch.arange(65, dtype=torch.float64) + 1) / 65 - 1
    image = torch.stack([middle.expand(65, 65), -middle[:, None].expand(65, 65)])[None]  # x1 right, x2 up
    points = sphere.points()[layer.front]
    assert (points[:, 2] > 0).all() and len(layer.front) == int((sphere.points()[:, 2] > 1e-9).sum())
    assert (layer(image)[0].T - 0.9 * points[:, :2]).abs().max() < 0.5 / 65
    assert (layer(torch.ones(1, 1, 65, 65).double()) - 1).abs().max() < 1e-12


# ---- poses


def test_snapping_to_the_nearest_of_60_has_a_median_error_of_31_degrees():
    rotation = random_rotation(20000, torch.Generator().manual_seed(0))
    head = snn.PoseHead("I").double()
    error = torch.rad2deg(snn.pose_error(rotation, head.elements[head.labels(rotation).argmax(-1)]))
    assert float(error.median()) == pytest.approx(31.1, abs=0.5) and error.max() < 44.6


@pytest.mark.parametrize("name", GROUPS)
def test_poses_turn_with_the_output(name):
    torch.manual_seed(0)
    head = snn.PoseHead(name).double()
    y = torch.randn(5, 7, head.group.order, dtype=torch.float64)
    for h in head.group.elements:
        turned = head(moved_output(y, head.group, h)).best
        assert snn.pose_error(head.group.action(h, 3) @ head(y).best, turned).max() < 1e-7


def test_the_other_order_of_element_and_offset_would_not(monkeypatch):
    from steerable.nn.icosahedral import pose as ico_pose

    def swapped(self, x):
        poses = honest(self, x)
        g = self.elements
        return poses._replace(rotations=(g.mT @ poses.rotations) @ g)

    honest = ico_pose.PoseHead.forward
    monkeypatch.setattr(ico_pose.PoseHead, "forward", swapped)
    with pytest.raises(AssertionError):
        test_poses_turn_with_the_output("I")


def test_the_loss_is_least_at_the_truth():
    head = snn.PoseHead("I").double()
    rotation = random_rotation(6, torch.Generator().manual_seed(0))
    offset = st.groups.convert_rotation(head.elements.mT @ rotation[:, None], "matrix", "6d")
    none = st.groups.convert_rotation(torch.eye(3).double(), "matrix", "6d")
    logits = 50 * head.labels(rotation)
    right = torch.cat([logits[:, None], (offset - none).transpose(1, 2)], 1)
    assert head.loss(head(right), rotation) < 1e-12
    assert snn.pose_error(rotation, head(right).best).max() < 1e-7
    assert head.loss(head(torch.zeros_like(right)), rotation) > 1


def test_soft_labels_share_at_borders():
    head = snn.PoseHead("I").double()
    near = head.elements[0].T @ head.elements
    angle = snn.pose_error(torch.eye(3).double().expand_as(near), near)
    g = int(angle.argsort()[1])
    between = st.groups.slerp(head.elements[0], head.elements[g], 0.5)
    share = head.labels(between, math.radians(20))
    assert share.sum() == pytest.approx(1) and share[0] == pytest.approx(float(share[g]))
    assert head.labels(between).max() == 1


def test_symmetric_objects():
    r = random_rotation(10, torch.Generator().manual_seed(0))
    for name in ("C4", "O", "D3r"):
        group = parse_group(name)
        turned = r @ group.action(group.elements[-1], 3)
        assert snn.pose_error(r, turned, group).max() < 1e-6 < snn.pose_error(r, turned).min()
    about = st.SO2().action(torch.tensor(1.234, dtype=torch.float64), 3)
    assert snn.pose_error(r, r @ about, "SO2").max() < 1e-6
    assert snn.pose_error(r, about @ r, "SO2").min() > 1e-3
    with pytest.raises(ValueError, match="the symmetry is O3; expected a finite group of space, or SO2"):
        snn.pose_error(r, r, "O3")
    for name in ("D4", "Oh"):  # a mirror would make the angle to another rotation meaningless
        with pytest.raises(ValueError, match=f"the symmetry {name} holds reflections"):
            snn.pose_error(r, r, name)


# ---- what the camera sees


@pytest.mark.parametrize("shape", SHAPES)
def test_the_image_turns_with_the_shape_about_the_line_of_sight(shape):
    r = random_rotation(3, torch.Generator().manual_seed(1))
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    image = render_depth(shape, r, 32)
    assert (render_depth(shape, quarter @ r, 32) - torch.rot90(image, 1, (2, 3))).abs().max() < 1e-9
    assert image.max() <= 1 and set((image > 0).unique().tolist()) == {False, True}
    other = random_rotation(20, torch.Generator().manual_seed(2))  # no symmetry: no other pose looks the same
    assert (render_depth(shape, other, 32) - image[:1]).square().mean((1, 2, 3)).min() > 1e-3


def test_depth_of_a_ball_is_that_of_a_ball(monkeypatch):
    from steerable.tasks.poses import shapes

    monkeypatch.setitem(shapes.SHAPES, "ball", ((0.0, 0.0, 0.0, 0.5, 0.5, 0.5),))
    image = render_depth("ball", random_rotation(1), 65)[0, 0]
    assert float(image[32, 32]) == pytest.approx((0.5 + 3) / 4, abs=1e-6)
    assert float((image > 0).double().mean()) == pytest.approx(math.pi * (0.45 * 0.5) ** 2, rel=0.03)


def test_views_are_the_same_for_a_seed():
    x, r, kind = draw_views(7, 3, 16)
    again = draw_views(7, 3, 16)
    assert x.shape == (7, 1, 16, 16) and kind.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert torch.equal(x, again[0]) and torch.equal(r, again[1])
    with pytest.raises(ValueError, match="unknown shape 'sofa'; expected one of plane, chair, hook"):
        render_depth("sofa", r)


# ---- the model


def test_model():
    torch.manual_seed(0)
    net, twin = (
        st.create_model(f"image_to_icosahedral{end}", num_classes=3, side=32, widths=(8, 16)) for end in ("", "_plain")
    )
    count = [sum(p.numel() for p in m.parameters()) for m in (net, twin)]
    assert count[1] == pytest.approx(count[0], rel=0.05)
    x, rotation, kind = draw_views(6, 0, 32)
    for m in (net.eval(), twin.eval()):
        assert m(x).shape == (6, 3) and m.pose(x).shape == (6, 3, 3) and m.pose(x, kind).shape == (6, 3, 3)
        m.loss(x, rotation, kind, width=0.3).backward()
        assert all(p.grad is not None for p in m.encoder.parameters())
        laws.assert_export_equals_eager(m, x)
    laws.assert_compiled_equals(net, x)
    with pytest.raises(ValueError, match="images of side 30; expected a multiple of 8"):
        st.create_model("image_to_icosahedral", side=30)


def test_it_learns():
    """A few steps on one shape, other views: well below the 126 degrees of a constant."""
    torch.manual_seed(0)
    x, rotation, kind = draw_views(512, 0, 32, ("plane",), 0.0)
    net = st.create_model("image_to_icosahedral", side=32, widths=(16, 32), channels=8)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=100)
    for _ in range(100):
        rows = torch.randint(0, 512, (32,))
        optimiser.zero_grad()
        net.loss(x[rows], rotation[rows], kind[rows], width=0.35).backward()
        optimiser.step()
        schedule.step()
    x, rotation, kind = draw_views(200, 1, 32, ("plane",), 0.0)
    with torch.no_grad():
        error = torch.rad2deg(snn.pose_error(rotation, net.eval().pose(x, kind)))
    assert error.median() < 90


def test_bad_input():
    with pytest.raises(ValueError, match="SO3 is no finite group of rotations"):
        snn.GroupCorrelation(2, group="SO3")
    with pytest.raises(ValueError, match="Oh holds reflections"):
        snn.PoseHead("Oh")
    with pytest.raises(ValueError, match="moves samples between samples"):
        snn.GroupCorrelation(2, group="O", sphere=IcosahedralSphere(1))
    with pytest.raises(ValueError, match=r"expected \[B, 14, 42\]: 7 outputs of 2 channels"):
        snn.GroupCorrelation(2)(torch.zeros(1, 14, 40))
    with pytest.raises(ValueError, match=r"expected \[..., 7, 60\]"):
        snn.PoseHead()(torch.zeros(1, 60, 7))
    with pytest.raises(ValueError, match=r"features are \[1, 2, 8, 9\]; expected \[B, C, 8, 8\]"):
        snn.SphereProjection(IcosahedralSphere(1), 8)(torch.zeros(1, 2, 8, 9))
    with pytest.raises(ValueError, match=r"coverage 1\.2, sigma 0\.2; expected"):
        snn.SphereProjection(IcosahedralSphere(1), 8, 1.2)
