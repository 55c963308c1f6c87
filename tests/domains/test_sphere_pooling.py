"""Pooling and refinement between samplings keep constants and the mean over the sphere."""

import math

import pytest
import torch

import steerable as st
from steerable.domains import Sphere

g = torch.Generator().manual_seed(0)
SCATTERED = Sphere.scattered(torch.randn(300, 3, generator=g), "area")
# fine, coarse (None: of its kind), and how many fine samples make up a coarse one at most
PAIRS = [
    (Sphere.gauss(8), None, 12),
    (Sphere.gauss(8, 15), None, 12),
    (Sphere.gauss(20), Sphere.gauss(7, 11), 25),
    (Sphere.equiangular(8, "dh"), None, 12),
    (Sphere.equiangular(8, "mw"), None, 12),
    (Sphere.equiangular(8, "mwss"), None, 12),
    (Sphere.equiangular(nlat=17, kind="cc"), None, 12),
    (Sphere.equiangular(nlat=16, kind="fejer", shift=0.5), None, 8),
    (Sphere.equiangular(nlat=16, kind="fejer"), Sphere.gauss(8), 12),
    (Sphere.healpix(4), None, 4),
    (Sphere.healpix(4, nested=True), None, 4),
    (Sphere.healpix(4, weighting="ring"), None, 4),
    (Sphere.icosahedral(1), None, 7),
    (Sphere.icosahedral(3), None, 7),
    (Sphere.fibonacci(200), None, 20),
    (SCATTERED, None, 16),
    (Sphere.gauss(24), Sphere.healpix(4), 80),
    (Sphere.healpix(8, nested=True), Sphere.icosahedral(2), 30),
]
IDS = [repr(p[0]) + (" to " + repr(p[1]) if p[1] else "") for p in PAIRS]


def mean(sphere, x):
    return (x.flatten(-len(sphere.shape)) * sphere.areas()).sum(-1) / (4 * math.pi)


@pytest.mark.parametrize(("fine", "coarse", "most"), PAIRS, ids=IDS)
def test_constants_and_the_mean_stay(fine, coarse, most):
    pooling = fine.pooling(coarse)
    coarse = fine.coarser() if coarse is None else coarse
    assert pooling.coarse == coarse and pooling.index.shape == pooling.weight.shape
    assert pooling.index.shape[0] == coarse.num_points and pooling.index.shape[1] <= most
    assert pooling.weight.min() >= 0 and (pooling.weight.sum(1) - 1).abs().max() < 1e-13
    x = fine.single_valued(torch.randn(2, 3, *fine.shape, dtype=torch.float64))
    y = pooling(x)
    assert y.shape == (2, 3, *coarse.shape) and (mean(coarse, y) - mean(fine, x)).abs().max() < 1e-12
    assert (pooling(torch.ones_like(x)) - 1).abs().max() < 1e-13
    z = pooling.refine(y)
    assert z.shape == x.shape and (mean(fine, z) - mean(coarse, y)).abs().max() < 1e-12
    assert (pooling.refine(torch.ones_like(y)) - 1).abs().max() < 1e-13
    assert (coarse.single_valued(y) - y).abs().max() < 1e-15 and (fine.single_valued(z) - z).abs().max() < 1e-15
    # shares are local: a smooth field stays what it is, and a planted shift of the table is seen
    smooth = (2 * fine.points()[..., 2] + fine.points()[..., 0]).to(x)
    truth = 2 * coarse.points()[..., 2] + coarse.points()[..., 0]
    error = (pooling(smooth) - truth).abs().max()
    assert error < 1.5 * coarse.spacing
    assert (pooling(smooth.flatten().roll(fine.num_points // 3).reshape(fine.shape)) - truth).abs().max() > 2 * error


@pytest.mark.parametrize(("fine", "coarse", "most"), PAIRS, ids=IDS)
def test_pairs_for_fields_with_spin(fine, coarse, most):
    pooling = fine.pooling(coarse)
    for near, to, of in ((pooling.down(), pooling.coarse, fine), (pooling.up(), fine, pooling.coarse)):
        assert near.num_targets == to.num_points and near.num_sources == of.num_points
        order = near.target * of.num_points + near.source
        assert bool((order[1:] > order[:-1]).all()) and near.weight.min() > 0
        total = torch.zeros(to.num_points, dtype=torch.float64).index_add_(0, near.target, near.weight)
        assert (total - 1).abs().max() < 1e-12
        assert near.distance.max() < 4 * max(to.spacing, of.spacing) and near.transport.isfinite().all()


def test_pooling_commutes_with_the_symmetries_of_both():
    for fine, group, elements in (
        (Sphere.icosahedral(2), st.icosahedral(), (7, 23, 48)),
        (Sphere.healpix(4, True), st.C(4), (1, 2)),
        (Sphere.gauss(8), st.C(8), (1, 3)),
        (Sphere.equiangular(nlat=9, kind="cc"), st.C(8), (1,)),
    ):
        pooling = fine.pooling()
        x = torch.randn(fine.num_points, dtype=torch.float64)
        for e in elements:
            element = torch.tensor(e)
            p, q = fine.permutation(group, element), pooling.coarse.permutation(group, element)
            moved = torch.empty_like(x).index_copy(0, p, x)
            a = pooling(moved.reshape(fine.shape)).flatten()[q]
            assert (a - pooling(x.reshape(fine.shape)).flatten()).abs().max() < 1e-12


def test_pooling_is_differentiable_and_takes_any_dtype():
    pooling = Sphere.gauss(4).pooling()
    x = torch.randn(1, 2, 4, 8, dtype=torch.float64, requires_grad=True)
    y = torch.randn(1, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pooling, (x,)) and torch.autograd.gradcheck(pooling.refine, (y,))
    assert pooling(torch.zeros(0, 4, 8)).shape == (0, 2, 4) and pooling.refine(torch.zeros(0, 2, 4)).shape == (0, 4, 8)
    assert pooling(torch.zeros(4, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda: Sphere.gauss(4).pooling()(torch.zeros(2, 4, 7)), "the map is [2, 4, 7]; expected [..., 4, 8]"),
        (lambda: Sphere.gauss(4).pooling().refine(torch.zeros(4, 8)), "expected [..., 2, 4]"),
        (lambda: Sphere.fibonacci(10).pooling(Sphere.fibonacci(20)), "expected a coarser one"),
        (
            lambda: Sphere.scattered(torch.rand(500, 3) + 0.1).pooling(Sphere.fibonacci(100)),
            "areas cannot be shared out among near samples",
        ),
    ],
)
def test_errors(what, text):
    with pytest.raises(ValueError) as error:
        what()
    assert text in str(error.value) and "\n" not in str(error.value)


def test_maps_of_integers_are_refused():
    """Their shares of areas would be rounded to zero."""
    pooling = Sphere.healpix(2).pooling()
    for call, size in ((pooling, 48), (pooling.refine, 12)):
        with pytest.raises(ValueError, match=r"the map is torch.int64; expected floating numbers"):
            call(torch.arange(size))
        assert call(torch.arange(size) + 0j).dtype == torch.complex64


def test_samples_without_area_are_refused():
    weights = torch.cat([torch.zeros(5), torch.ones(295)])
    sphere = Sphere.scattered(SCATTERED.points(), weights)
    with pytest.raises(ValueError, match=r"5 samples of SpherePoints\(300\) have no area"):
        sphere.pooling()
