"""The law of rotations asks layers of fields and of coefficients alike, and says what it cannot ask."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import steerable as st
import steerable.nn as snn
from steerable import laws
from steerable.domains import Sphere
from steerable.groups import SO2, C

GAUSS, T = Sphere.gauss(6), SO2().type("1x0")
EXACT = {
    "sht": lambda: snn.SHT(GAUSS, "1x0 + 1x2"),
    "inverse": lambda: snn.InverseSHT(GAUSS, "1x0 + 1x2"),
    "s2": lambda: snn.S2Conv(2, 3, 4, 3),
    "so3": lambda: snn.SO3Conv(2, 3, 4, 3),
    "norm": lambda: snn.SpectralBatchNorm(2, 4),
    "chain": lambda: nn.Sequential(snn.SHT(GAUSS, "2x0", 4), snn.S2Conv(2, 3, 4, 3)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EXACT)
def test_coefficients_are_turned_as_coefficients(name, dtype):
    torch.manual_seed(0)
    limit = 1e-5 if dtype == torch.float32 else 1e-10
    assert laws.sphere_errors(EXACT[name]().to(dtype)).max() < limit


def test_aliasing_is_seen_and_a_band_that_is_given_is_kept():
    act = snn.SpectralAct(2, 5).double()
    full, low = (float(laws.sphere_errors(act, band=b).max()) for b in (None, 2))
    assert 1e-3 < full < 0.1 and low < full / 3


def test_a_planted_fault_in_coefficients_is_caught():
    class Mixed(snn.SHT):
        def forward(self, x):
            return super().forward(x).roll(1, 1)

    assert laws.sphere_errors(Mixed(GAUSS, "1x0").double()).max() > 0.5


def strided():
    torch.manual_seed(0)
    g = Sphere.gauss(16)
    down = snn.SphereConv(T, T, g, 0.9, targets=g.coarser())
    return snn.Sequential(down, snn.SphereConv(T, T, g.coarser(), 0.9)).double()


def test_the_output_lies_on_the_samples_of_the_last_layer():
    net = strided()
    assert laws.sphere_errors(net).max() < 0.1
    x = torch.randn(1, 1, 16, 32, dtype=torch.float64)
    assert laws.exact_sphere_errors(net, x).max() < 1e-12
    report = laws.check(net, x)
    assert report.ok and len(report.exact) > 3 and not report.remarks
    with pytest.raises(ValueError, match=r"samples \[4, 8\], which is the shape of none of .*pass targets="):
        laws.sphere_errors(nn.Sequential(net, nn.AvgPool2d(2)), out_type=T)


def test_what_cannot_be_asked_is_said():
    ico = snn.IcoConv(C(6).regular * 1, C(6).regular * 1, "icosahedral(1)")
    with pytest.raises(ValueError, match="icosahedral_errors"):
        laws.sphere_errors(ico)
    with pytest.raises(ValueError, match=r"S2CNN has no in_type .*pass in_type="):
        laws.sphere_errors(st.create_model("s2cnn", sphere="gauss(4)", bands=(4, 3, 2)))


def random(shape):
    return torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_frame_that_holds_is_remarked_beside_the_exact_turns():
    torch.manual_seed(1)
    one = C(1).type("1 trivial")
    for layer, shape in (
        (snn.HealpixConv(1, 2, "healpix(4, nested)"), (1, 192)),
        (snn.SphereConv(one, one, Sphere.gauss(8), 0.9), (1, 8, 16)),
    ):
        report = laws.check(layer.double(), random(shape))
        assert report.exact[0].element == "90 deg to the east" and report.worst < 1e-12
        assert "not equivariant under generic rotations" in str(report)


def test_where_no_element_is_exact_the_verdict_says_so():
    torch.manual_seed(0)
    points = Sphere.fibonacci(150)
    text = str(laws.check(snn.SphereConv(T, T, points, 1.0).double(), random((1, 150))))
    assert "no exact element tested" in text and "at every exact element" not in text
    one = C(1).type("1 trivial")
    held = laws.check(snn.SphereConv(one, one, points, 1.0).double(), random((1, 150)))
    assert held.remarks and not held.ok


@pytest.mark.parametrize("options", [{"band": 0}, {"batch": 0}, {"rotations": []}])
def test_nothing_tested_is_no_pass(options):
    with pytest.raises(ValueError, match="nothing would be tested"):
        laws.sphere_errors(snn.S2Conv(1, 1, 4, 4), **options)


def test_a_layer_without_a_finite_answer_does_not_pass_and_zero_does():
    class Times(snn.SphereConv):
        def forward(self, x):
            return super().forward(x) * self.factor

    layer = Times(T, T, Sphere.fibonacci(150), 1.0).double()  # nothing but the generic rotation is asked
    for factor, fine in ((float("nan"), False), (0.0, True)):
        layer.factor = factor
        report = laws.check(layer, random((1, 150)))
        assert report.ok == fine and bool(report.remarks) != fine
    assert float(laws.sphere_errors(layer).max()) == 0


def test_icosahedral_layers_are_checked_at_their_own_rotations():
    torch.manual_seed(0)
    fields = 1 * C(6).regular
    report = laws.check(snn.IcoConv(fields, fields, "icosahedral(1)").double(), random((6, 42)))
    assert report.ok and len(report.exact) > 5 and not report.resampled
    net = st.create_model("ico_cnn", level=2, widths=(2, 2), pool_after=(1,)).double()
    report = laws.check(net, random((1, 162)))
    assert len(report.exact) > 5 and report.worst < 1e-12


def test_points_of_other_weights_are_no_symmetry():
    xyz, weights = Sphere.gauss(4).points().reshape(-1, 3), torch.ones(32).double()
    assert len(laws.sphere_symmetries(T, st.Sphere.scattered(xyz, weights)))
    weights[0] = 2
    assert not len(laws.sphere_symmetries(T, st.Sphere.scattered(xyz, weights)))


def test_grids_of_rotations_inside_a_network_hold_back_turns():
    """Quarter turns of 16 longitudes and of 20 are shared, sixteenths are not."""
    net = st.create_model("s2cnn", sphere="gauss(8)", bands=(8, 5, 3)).double()
    report = laws.check(net, random((1, 8, 16)))
    assert report.ok and {r.element for r in report.exact} >= {"90 deg to the east", "180 deg about x"}
