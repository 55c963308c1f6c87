"""The galaxy networks: sizes of the paper, exact invariance of one, and its absence in the other."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains import PixelGrid
from steerable.models.dieleman import PartNetwork
from steerable.tasks.galaxies import GalaxyZooTree

SMALL = {"width": 1 / 16, "in_channels": 3, "num_classes": 37}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def largest_change(model, x, group):
    """Largest change of the labels under the lattice symmetries, in the norm of the answer's spread over images."""
    tree, grid = GalaxyZooTree(), PixelGrid.of(x)
    with torch.no_grad():
        y = tree(model(x))
        return max(float((tree(model(grid.move(x, group, g))) - y).abs().max()) for g in group.elements)


def lively(model):
    """Larger last weights, so that the answers differ from image to image."""
    with torch.no_grad():
        last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
        last.weight.mul_(30)
    return model.eval()


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-10)])
@pytest.mark.parametrize("group", ["D4", "C4"])
def test_the_invariant_network_is_invariant(group, dtype, limit):
    torch.manual_seed(0)
    model = st.create_model("dieleman_d4", group=group, **SMALL).to(dtype).eval()
    x = torch.rand(3, 3, 69, 69, dtype=dtype)
    own, grid = st.C(4) if group == "C4" else st.D(4), PixelGrid.of(x)
    with torch.no_grad():
        y = model(x)
        assert max(float((model(grid.move(x, own, g)) - y).abs().max()) for g in own.elements) < limit
    if dtype == torch.float64:
        assert largest_change(lively(model), x, own) < limit
        if group == "C4":  # turns only: a mirror image has other answers
            assert largest_change(model, x, st.D(4)) > 1e-3


@pytest.mark.parametrize("name", ["dieleman", "dieleman_plain", "dieleman_d4_plain"])
def test_the_published_network_is_not(name):
    """The planted fault of the law above: a concatenation in a fixed order."""
    torch.manual_seed(0)
    model = lively(st.create_model(name, **SMALL)).double()
    x = torch.rand(3, 3, 69, 69, dtype=torch.float64)
    assert largest_change(model, x, st.D(4)) > 1e-3


def test_features_of_the_invariant_network_are_regular_fields():
    torch.manual_seed(0)
    model = st.create_model("dieleman_d4", **SMALL).double().eval()
    x = torch.rand(2, 3, 69, 69, dtype=torch.float64)
    group, grid, type = st.D(4), PixelGrid.of(x), model.dense[0].in_type
    with torch.no_grad():
        y = model.features(x)
        for g in group.elements:
            expected = type.transform(y, g)
            assert (model.features(grid.move(x, group, g)) - expected).abs().max() < 1e-12


def test_sizes_of_the_paper():
    net = PartNetwork(3, 45, 1.0)
    x, sides = torch.zeros(1, 3, 45, 45), []
    for layer in net:
        x = layer(x)
        sides.append(x.shape[-1])
    assert [sides[k] for k in (0, 2, 3, 5, 6, 8, 10)] == [40, 20, 16, 8, 6, 4, 2] and net.features == 512
    model = st.create_model("dieleman")
    assert model.dense[1].linear.in_features == 8192 and model.dense[1].linear.out_features == 4096
    assert parameters(model) == pytest.approx(42e6, rel=0.01)
    assert net[0].untied.shape == (32, 40, 40)


@pytest.mark.parametrize("name", ["dieleman", "dieleman_d4"])
@pytest.mark.parametrize("width", [1 / 16, 1 / 8])
def test_twins_have_as_many_parameters(name, width):
    torch.manual_seed(0)
    ours = parameters(st.create_model(name, width=width))
    before = torch.random.get_rng_state()
    twin = st.create_model(f"{name}_plain", width=width)
    assert parameters(twin) == pytest.approx(ours, rel=0.05)
    assert not torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["dieleman", "dieleman_d4", "dieleman_plain", "dieleman_d4_plain"])
def test_regression_grey_images_and_other_sides(name):
    model = st.create_model(name, in_channels=1, num_classes=1, width=1 / 16, part=37).eval()
    assert model(torch.rand(2, 1, 57, 57)).shape == (2, 1)


def test_both_initialisations():
    for init, std in (("he", (2 / 108) ** 0.5), ("published", 0.01)):
        torch.manual_seed(0)
        model = st.create_model("dieleman", width=0.25, init=init)
        assert float(model.features.net[0].weight.detach().std()) == pytest.approx(std, rel=0.1)
        assert (model.dense[-1].bias == 0.1).all()
    with pytest.raises(ValueError, match="expected one of he, published"):
        st.create_model("dieleman", init="zeros")


@pytest.mark.parametrize(
    ("arguments", "text"), [({"part": 30}, "at least 37"), ({"width": 0}, "width=0"), ({"group": "C8"}, "D4 or C4")]
)
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        st.create_model("dieleman_d4", **arguments)


def test_baked_and_exported():
    torch.manual_seed(0)
    model = lively(st.create_model("dieleman_d4", **SMALL)).double()
    x = torch.rand(2, 3, 69, 69, dtype=torch.float64)
    with torch.no_grad():
        y = model(x)
        assert (st.bake(model)(x) - y).abs().max() < 1e-10
        program = torch.export.export(st.bake(model), (x,))
        assert (program.module()(x) - y).abs().max() < 1e-10
        assert (torch.export.export(model, (x,)).module()(x) - y).abs().max() < 1e-10


def test_an_exported_program_takes_any_number_of_images():
    model = st.create_model("dieleman_d4", **SMALL).eval()
    batch = {"x": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(model, (torch.rand(2, 3, 69, 69),), dynamic_shapes=batch).module()
    x = torch.rand(5, 3, 69, 69)
    assert (program(x) - model(x)).abs().max() < 1e-5


def test_check_calls_it_exact():
    torch.manual_seed(0)
    model = lively(st.create_model("dieleman_d4", **SMALL)).double()
    report = st.laws.check(model, torch.rand(2, 3, 69, 69, dtype=torch.float64))
    assert report.ok, str(report)
