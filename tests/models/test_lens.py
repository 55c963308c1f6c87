from __future__ import annotations

import pytest
import torch

import steerable as st


def _moved(x: torch.Tensor, element: int) -> torch.Tensor:
    return torch.rot90(x.flip(-2) if element >= 4 else x, element % 4, (-2, -1))


@pytest.mark.parametrize("stem", ["pooled", "strided"])
@pytest.mark.parametrize(
    ("group", "elements"), [("D4", range(8)), ("C4", range(4)), ("D2", (0, 2, 4, 6)), ("C8", range(4))]
)
def test_answers_do_not_move_with_the_image(group: str, elements, stem: str) -> None:
    torch.manual_seed(0)
    model = st.create_model("lens_cnn", group=group, in_channels=2, num_classes=4, stem=stem).double()
    x = torch.randn(2, 2, 64, 64, dtype=torch.float64)
    model(x)  # running statistics that are not trivial
    model.eval()
    upright = model(x)
    assert upright.shape == (2, 4)
    for element in elements:
        assert (model(_moved(x, element)) - upright).abs().max() < 1e-12
    plain = st.create_model("lens_cnn_plain", in_channels=2, num_classes=4, stem=stem).double().eval()
    assert (plain(_moved(x, 1)) - plain(x)).abs().max() > 1e-6  # the test can fail


def test_scalar_maps_turn_with_the_image() -> None:
    model = st.create_model("lens_cnn").double().eval()
    x = torch.randn(1, 1, 64, 64, dtype=torch.float64)
    for element in range(8):
        assert (model.maps(_moved(x, element)) - _moved(model.maps(x), element)).abs().max() < 1e-12


@pytest.mark.parametrize("stem", ["pooled", "strided"])
def test_twins_have_equal_parameters(stem: str) -> None:
    ours, plain = (
        sum(p.numel() for p in st.create_model(name, stem=stem).parameters()) for name in ("lens_cnn", "lens_cnn_plain")
    )
    assert abs(ours - plain) < 0.03 * ours


def test_bake_and_state_dict() -> None:
    model = st.create_model("lens_cnn").double()
    x = torch.randn(3, 1, 64, 64, dtype=torch.float64)
    model(x)
    model.eval()
    assert (st.bake(model)(x) - model(x)).abs().max() < 1e-10
    other = st.create_model("lens_cnn").double().eval()
    other.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(other(x), model(x))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="stem='resnet'"):
        st.create_model("lens_cnn", stem="resnet")
    with pytest.raises(ValueError, match="stem='resnet'"):
        st.create_model("lens_cnn_plain", stem="resnet")
    with pytest.raises(ValueError, match="expected a finite group of the plane"):
        st.create_model("lens_cnn", group="SO2")
    with pytest.raises(ValueError, match="expected four numbers"):
        st.create_model("lens_cnn", widths=(8, 8))
    with pytest.raises(ValueError, match="expected four numbers"):
        st.create_model("lens_cnn_plain", widths=(8, 8))
