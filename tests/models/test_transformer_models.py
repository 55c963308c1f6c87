"""Equivariant transformers and warped convolutions as models."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest
import torch
from tests.snippets import run_page
from tests.warps import image, pixels, scene

import steerable as st
from steerable import laws
from steerable.domains import Warp
from steerable.models import transformer, warped_cnn, warped_plain

NAMES = (
    "etn", "etn_direct", "etn_plain", "etn_projective", "etn_projective_direct", "etn_projective_plain", "warped_cnn",
    "warped_cnn_plain",
)  # fmt: skip


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def trained_statistics(name, **options):
    """A model in float64 with running statistics that are not trivial."""
    torch.manual_seed(0)
    model = st.create_model(name, **options).double()
    channels = options.get("in_channels", 1)
    model(torch.randn(4, channels, 40, 40, dtype=torch.float64))
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [28, 29, 64, 96])
def test_every_side_and_any_number_of_outputs(name, side):
    model = st.create_model(name, in_channels=2, num_classes=1).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(torch.randn(2, 2, side, side)).shape == (2, 1)


@pytest.mark.parametrize("name", ["etn", "warped_cnn"])
@pytest.mark.parametrize("side", [29, 64])
def test_classes_do_not_change_with_quarter_turns(name, side):
    model = trained_statistics(name, num_classes=3)
    x = torch.randn(2, 1, side, side, dtype=torch.float64)
    for k in range(4):
        assert (model(torch.rot90(x, k, (-2, -1))) - model(x)).abs().max() < 1e-10
    report = laws.check(model, x, group=st.C(4))
    assert report.ok
    for twin in ("etn_direct", "etn_plain"):
        plain = trained_statistics(twin, num_classes=3)
        with torch.no_grad():
            for p in plain.parameters():
                p.add_(0.05 * torch.randn_like(p))
        assert (plain(torch.rot90(x, 1, (-2, -1))) - plain(x)).abs().max() > 1e-4


@torch.no_grad()
def test_other_angles_cost_what_resampling_costs():
    model = trained_statistics("etn", num_classes=5)
    turn = Warp.rotation()
    x, y = (image(turn, torch.tensor([a], dtype=torch.float64), 64, sigma=0.1) for a in (0.0, 0.9))
    assert (model(x) - model(y)).norm() / model(x).norm() < 0.02


def test_parallel_and_other_sequences():
    x = torch.randn(2, 1, 40, 40, dtype=torch.float64)
    for sequence in ((), ("translation", "rotation_scale"), ("scale_x", "shear_y")):
        model = trained_statistics("etn", sequence=sequence, parallel=True)
        found = model.normalise(x)
        assert model(x).shape == (2, 10) and len(found.params) == len(sequence)
        assert model.upright(x).shape == x.shape
    assert len(trained_statistics("etn_projective").transformer.predictors) == 4


def test_twins_have_equal_parameters():
    for name in ("etn", "etn_projective", "warped_cnn"):
        for twin in ("plain", "direct"):
            if f"{name}_{twin}" in st.list_models():
                ours, theirs = (parameters(st.create_model(n, num_classes=3)) for n in (name, f"{name}_{twin}"))
                assert theirs == pytest.approx(ours, rel=0.03), (name, twin, ours, theirs)


@pytest.mark.parametrize("name", ["etn", "etn_projective", "etn_direct", "warped_cnn"])
def test_deployment(name):
    model = trained_statistics(name, in_channels=2, num_classes=3)
    x = torch.randn(2, 2, 40, 40, dtype=torch.float64)
    laws.assert_baked_equals(model, x)
    laws.assert_export_equals_eager(model, x, dynamic_batch=True)
    other = st.create_model(name, in_channels=2, num_classes=3).double().eval()
    other.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(other(x), model(x))


def test_onnx():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    laws.assert_onnx_equals(trained_statistics("etn", num_classes=3).float(), torch.randn(1, 1, 32, 32))


@torch.no_grad()
def test_pose_head_turns_with_the_image():
    model = trained_statistics("warped_cnn", head="pose", num_classes=2)
    x = scene(pixels(64))[None, None]
    start = model(x)[0]
    turned = model(torch.rot90(x, 1, (-2, -1)))[0]
    miss = torch.remainder(turned[1] - start[1] - math.pi / 2 + math.pi, 2 * math.pi) - math.pi
    assert abs(float(miss)) < 1e-10 and abs(float(turned[0] - start[0])) < 1e-10
    assert trained_statistics("warped_cnn", head="pose", num_classes=1, axis=0)(x).shape == (1, 1)


@pytest.mark.parametrize("page", ["etn", "warped_conv"])
def test_pages_print_what_they_show(page):
    assert run_page(Path(__file__).parents[2] / "docs" / "models" / f"{page}.md") >= 1


def test_bad_arguments_are_named():
    for build, text in (
        (lambda: st.create_model("etn", sequence=["rotate"]), "expected a list of names out of translation"),
        (lambda: st.create_model("etn", sequence="rotation"), "expected a list of names"),
        (lambda: st.create_model("warped_cnn", head="angle"), "head='angle'"),
        (lambda: st.create_model("warped_cnn", head="pose", num_classes=3), "one or two outputs"),
        (lambda: warped_plain.PlainTwin(of="lens_cnn"), "of='lens_cnn'"),
        (lambda: warped_cnn.RingHead(4, 3, 2)(torch.zeros(1, 4, 8, 8)), "multiple of its 3 rings"),
        (lambda: transformer.TransformerNet(predictor="none"), "'equivariant' or 'direct'"),
        (lambda: warped_cnn.WarpedFeatures(Warp.scale(), 1, (4, 4), (3,)), "as many"),
    ):
        with pytest.raises(ValueError, match=text):
            build()
