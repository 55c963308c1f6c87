"""The table of `check`: exact where it must be, beside the floor elsewhere, with sizes and findings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st
from steerable import laws
from steerable.groups import SO2, C, D

C8 = C(8)


def net(group=C8, stride=1):
    torch.manual_seed(0)
    rgb, deep = 3 * group.trivial, 2 * group.regular
    return st.nn.Sequential(
        st.nn.Conv2d(rgb, deep, 5, padding=2),
        st.nn.Conv2d(deep, deep, 3, stride=stride, padding=1),
        st.nn.Conv2d(deep, 4 * group.trivial, 3, padding=1),
    ).double()


def image(side):
    return torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_clean_network():
    report = laws.check(net(), image(33))
    assert report.ok and report.worst < 1e-12
    assert [r.element for r in report.exact] == ["0 deg", "90 deg", "180 deg", "270 deg"]
    assert [r.element for r in report.resampled] == ["45 deg", "135 deg", "225 deg", "315 deg"]
    for row in report.resampled:  # below the floor: the net loses no more than interpolation does
        assert 1e-3 < row.error < row.floor < 0.1
    text = str(report)
    assert "exact" in text and "resampled" in text and "NOT" not in text and "0 finding(s)" in text


def test_wrong_sizes_are_found_by_hooks():
    report = laws.check(net(stride=2), image(32))
    assert not report.ok and report.worst > 0.01 and "NOT EXACT" in str(report)
    assert [(v.layer, v.size) for v in report.sizes] == [("1", (32, 32))] and "side 31 or 33" in str(report)
    good = laws.check(net(stride=2), image(33))
    assert good.ok and not good.sizes


@pytest.mark.parametrize(
    ("layer", "good", "bad"),
    [
        (nn.MaxPool2d(2), 8, 9),
        (nn.MaxPool2d(3, 2, 1), 9, 8),
        (nn.Conv2d(3, 3, 3, stride=2, padding=1), 9, 8),
        (nn.AvgPool2d(2, 2), 6, 7),
        (nn.Conv2d(3, 3, 3, stride=2, dilation=2), 9, 8),
    ],
)
def test_the_rule_for_plain_layers(layer, good, bad):
    assert not laws.size_violations(layer, image(good).float())
    (found,) = laws.size_violations(layer, image(bad).float())
    assert found.size == (bad, bad)
    low, high = [int(w) for w in found.mend.split() if w.isdigit()]
    assert good in (low, high) or good % 2 == low % 2


def test_transposed_convolutions_are_exact_at_every_size():
    assert not laws.size_violations(nn.ConvTranspose2d(3, 3, 3, stride=2), image(8).float())


def test_reading_and_measuring_agree_on_a_broken_network():
    c8 = C(8)
    broken = nn.Sequential(
        st.nn.Conv2d(3 * c8.trivial, 3 * c8.irrep(1), 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 2),
    ).double()
    report = laws.check(broken, image(9))
    assert not report.ok and report.worst > 1e-3
    assert any("pointwise" in str(f) for f in report.findings) and "symmetry: 1: pointwise" in str(report)


def test_scalars_of_lattice_groups_are_turned_by_45_degrees_too():
    report = laws.check(net(D(4)), image(33))
    assert report.ok and [r.element for r in report.resampled] == ["45 deg"] and len(report.exact) == 8


def test_vectors_scores_and_continuous_groups():
    so2 = SO2()
    torch.manual_seed(0)
    conv = st.nn.Conv2d(3 * so2.trivial, so2.type("2x0 + 2x1 + 1x2"), 5, padding=2).double()
    report = laws.check(conv, image(33))
    assert report.ok and len(report.resampled) == 3 and all(r.error < 2 * r.floor for r in report.resampled)
    scores = nn.Sequential(net(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).double()
    report = laws.check(scores, image(17))
    assert report.ok and "-> 3 trivial" in report.title
    vectors = laws.check(
        st.nn.Linear(2 * so2.irrep(1), 1 * so2.irrep(1)).double(), torch.randn(4, 4, dtype=torch.float64)
    )
    assert vectors.ok and not vectors.resampled


def test_a_plain_network_is_measured_under_the_group_that_is_asked_for():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 2, 5, padding=2)).double()
    report = laws.check(plain, image(17), group=D(4))
    assert len(report.exact) == 8 and not report.ok and report.worst > 0.1


def test_strict_layers_do_not_warn_during_a_check(recwarn):
    laws.check(net(stride=2), image(32))
    assert not [w for w in recwarn if issubclass(w.category, st.nn.ExactnessWarning)]


def test_the_curve_against_the_angle(tmp_path):
    curve = laws.error_against_angle(net(), image(33))
    assert curve.degrees == tuple(5.0 * k for k in range(19)) and curve.errors[0] < 1e-12 and curve.errors[-1] < 1e-12
    assert 0.0 < curve.worst[1] < 0.1 and len(curve.floor) == 19
    fields = laws.error_against_angle(
        net()[0], image(33)
    )  # regular fields: only the group's own rotations have a meaning
    assert fields.degrees == tuple(45.0 * k for k in range(8))
    with pytest.raises(ValueError, match="no element"):
        laws.error_against_angle(net()[0], image(33), degrees=[10.0])
    with pytest.raises(ValueError, match="images"):
        laws.error_against_angle(nn.Identity(), torch.zeros(2, 3))
    pytest.importorskip("matplotlib")
    curve.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("name", "side", "elements"), [("steerable_cnn", 29, 4), ("wrn10_4", 33, 2), ("lens_cnn", 32, 8)]
)
def test_the_models_are_clean_and_as_symmetric_as_they_say(name, side, elements):
    """The wide ResNet restricts from D4 to D1 stage by stage: what is left is the reflection."""
    torch.manual_seed(0)
    model = st.create_model(name, in_channels=1, num_classes=3).double()
    report = laws.check(model, image(side)[:, :1])
    assert report.ok and len(report.exact) == elements, str(report)


def test_elements_of_space_have_short_names():
    report = laws.check(st.nn.NormAct(st.SO3().type("2x0 + 1x1")), torch.randn(2, 5))
    assert len(report.exact) > 3 and all(len(row.element) < 45 for row in report.exact), str(report)


def test_a_law_of_a_type_that_is_none_is_refused():
    """A text names no group: the law of another type than the one that was meant was measured."""
    net, x = nn.Conv2d(1, 1, 3, padding=1), torch.randn(1, 1, 8, 16)
    for ask in (
        lambda: laws.check(net, x, in_type="1x0"),
        lambda: laws.check(net, x, out_type="1x0"),
        lambda: laws.sphere_errors(net, "gauss(8)", in_type="1x0"),
        lambda: laws.check(st.nn.SphereConv(SO2().type("1x0"), SO2().type("1x0"), "gauss(8)", 1.0), x, in_type="1x0"),
    ):
        with pytest.raises(TypeError, match=r"must be a FieldType .*, got '1x0'"):
            ask()
    errors = laws.sphere_errors(nn.Identity(), "gauss(8)", in_type=SO2().type("1x0"))
    assert torch.equal(errors, laws.sphere_errors(nn.Identity(), st.Sphere.gauss(8), in_type=SO2().type("1x0")))


def test_samples_of_a_continuous_group_are_remarked():
    circle, finite = SO2(), C(8)
    for act, said in (
        (st.nn.FourierAct(2 * circle.spectral_regular(2)), True),
        (st.nn.SpectralAct(2, 3), True),
        (st.nn.FourierAct(2 * finite.spectral_regular(2)), False),
        (st.nn.FourierAct(2 * circle.spectral_regular(2), grid="adaptive"), False),
    ):
        report = laws.check(act, torch.randn(2, act.in_type.size))
        assert report.ok is not said and bool(report.remarks) is said
        assert ("samples of a continuous" in str(report)) is said
