from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.tasks.lensing import LensSettings, simulate
from steerable.tasks.lensing.demo import ENTRANTS
from steerable.tasks.lensing.evaluate import angle_curve, difference, evaluate
from steerable.tasks.lensing.train import fit, turn_d4


def test_turns_of_the_square_form_its_group() -> None:
    x = torch.randn(2, 1, 6, 6)
    moved = [turn_d4(x, element) for element in range(8)]
    assert all(not torch.equal(moved[i], moved[j]) for i in range(8) for j in range(i))
    d4 = st.D(4)
    for a in range(8):
        for b in range(8):
            product = int(d4.compose(torch.tensor(a), torch.tensor(b)))
            assert torch.equal(turn_d4(turn_d4(x, b), a), moved[product])


def _blobs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(60) % 3
    x = 0.1 * torch.randn(60, 1, 16, 16, generator=generator)
    x[label == 1, :, 4:8, 4:8] += 1
    x[label == 2] += torch.linspace(-1, 1, 16)
    return x, label


@pytest.mark.parametrize("augment", [False, True])
def test_fit_learns_and_is_reproducible(augment: bool) -> None:
    results = []
    done: list[tuple[int, int]] = []
    for _ in range(2):
        torch.manual_seed(0)
        model = st.create_model("lens_cnn_plain", widths=(4, 4, 4, 4))
        results.append(
            fit(
                model,
                _blobs(),
                _blobs(),
                epochs=20,
                lr=1e-2,
                batch=10,
                augment=augment,
                progress=lambda *args: done.append(args),
            )
        )
    assert results[0].losses == results[1].losses
    assert results[0].losses[-1] < results[0].losses[0]
    assert results[0].validation_accuracy > 0.6
    assert done[-1] == (20, 20)
    assert not model.training


def test_fit_stops_at_a_loss_that_is_not_finite() -> None:
    x, label = _blobs()
    x[0] = float("nan")
    with pytest.raises(FloatingPointError, match="the loss of epoch 1 is nan"):
        fit(st.create_model("lens_cnn_plain", widths=(4, 4, 4, 4)), (x, label), (x, label), epochs=2, lr=1e-2)


def test_evaluation_of_an_invariant_and_of_a_plain_network() -> None:
    data = simulate(6, split="test")
    scores = {}
    for entrant in ENTRANTS[:2]:
        torch.manual_seed(1)
        model = st.create_model(entrant.model).eval()
        scores[entrant.model] = evaluate(model, data.inputs(), data.label)
    ours, plain = scores["lens_cnn"], scores["lens_cnn_plain"]
    assert ours.changed == 0 and ours.error < 1e-5 and ours.accuracy == ours.accuracy_turned
    assert plain.error > 1e-2
    assert int(ours.confusion.sum()) == 18
    gain, error = difference(ours, plain)
    assert gain == pytest.approx(ours.accuracy - plain.accuracy) and error >= 0
    assert difference(ours, ours) == (0.0, 0.0)


def test_angle_curve_is_exact_at_the_ends_for_the_invariant_network() -> None:
    torch.manual_seed(0)
    model = st.create_model("lens_cnn").eval()
    curve = angle_curve({"ours": model}, LensSettings(), per_class=(1, 1), steps=(2, 1))
    assert curve.degrees == (0.0, 45.0, 90.0) and curve.accuracy_degrees == (0.0, 90.0)
    start, middle, end = curve.error["ours"]
    assert start == 0.0 and end < 1e-3 < middle  # at 90 degrees what remains is the rounding of the simulation
    assert curve.accuracy["ours"][0] == curve.accuracy["ours"][1]
