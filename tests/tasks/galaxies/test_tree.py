"""The tree: sums, hard zeros, gradients, its inverse, and labels that violate it."""

from __future__ import annotations

import math

import pytest
import torch

from steerable.data import InputError
from steerable.tasks.galaxies import GalaxyZooTree

TREES = [GalaxyZooTree(True), GalaxyZooTree(False)]
COLUMN = {name: i for i, name in enumerate(GalaxyZooTree.columns)}


def scores(n=500, dtype=torch.float64, seed=0):
    """Raw scores, among them questions whose scores are all negative, zero or tiny."""
    z = torch.randn(n, 37, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    z[0], z[1], z[2], z[3] = -1, 0, 1e-9, 1e6
    return z


def test_the_tree_has_11_questions_and_37_answers():
    tree = GalaxyZooTree()
    assert [len(q.answers) for q in tree.questions] == [3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6]
    assert len(tree.columns) == 37 and tree.columns[0] == "Class1.1" and tree.columns[-1] == "Class11.6"
    assert [tree.columns[q.first] for q in tree.questions] == [f"Class{k}.1" for k in range(1, 12)]


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_each_question_sums_to_its_weight(tree, dtype, limit):
    labels = tree(scores(dtype=dtype))
    assert tree.violations(labels).max() <= limit
    assert (labels >= 0).all() and (labels <= 1 + limit).all()
    # the sums of the published labels, written out
    sums = {k: labels[:, q.slice].sum(1) for k, q in enumerate(tree.questions, 1)}
    at = {name: labels[:, i] for name, i in COLUMN.items()}
    odd = torch.ones_like(sums[1]) if tree.published else 1 - at["Class1.3"]
    expected = {1: torch.ones_like(sums[1]), 2: at["Class1.2"], 3: at["Class2.2"], 4: at["Class2.2"],
                5: at["Class2.2"], 6: odd, 7: at["Class1.1"], 8: at["Class6.1"], 9: at["Class2.1"],
                10: at["Class4.1"], 11: at["Class4.1"]}  # fmt: skip
    for k, value in expected.items():
        assert (sums[k] - value).abs().max() <= limit, k


def test_the_weight_of_question_6_is_5_plus_7_plus_9():
    tree = GalaxyZooTree(published=False)
    share = tree.reach(tree.normalise(scores()))
    assert (share[:, 5] - share[:, 4] - share[:, 6] - share[:, 8]).abs().max() < 1e-12
    assert (share[:, 5] < 0.99).any()
    assert (GalaxyZooTree().reach(tree.normalise(scores()))[:, 5] == 1).all()


def test_a_sum_that_is_wrong_is_seen():
    """The planted fault: the published quirk read as the tree."""
    labels = GalaxyZooTree(True)(scores())
    assert GalaxyZooTree(False).violations(labels).max() > 0.1


def test_hard_zeros_and_ones_are_reached():
    p = GalaxyZooTree().normalise(torch.tensor([[2.0, -1.0, 0.0] + [-1.0, 3.0] + [1.0] * 32]))
    assert p[0, :5].tolist() == [1, 0, 0, 0, 1]
    assert GalaxyZooTree().weights(p)[0, 3:].count_nonzero() < 34  # nobody reaches what hangs below features


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_gradients_flow_and_are_right(tree):
    z = (0.2 + scores(6, seed=3)[4:]).requires_grad_()
    assert torch.autograd.gradcheck(tree, (z,))
    z = scores(50).requires_grad_()
    (tree(z) - tree(scores(50, seed=1)).roll(7, 0)).square().sum().backward()
    assert z.grad.isfinite().all()
    for q in tree.questions:
        assert z.grad[4:, q.slice].abs().sum() > 0, q.name
    # the first question of an image whose scores are all -1 still learns
    assert z.grad[0, :3].abs().max() > 0


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_decode_inverts_weights(tree):
    p = torch.rand(40, 37, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.05
    p = tree.normalise(p)
    found, share = tree.decode(tree.weights(p))
    assert (found - p).abs().max() < 1e-12
    assert (share - GalaxyZooTree(False).reach(p))[:, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]].abs().max() < 1e-12


def test_decode_of_what_nobody_reached_is_uniform():
    tree = GalaxyZooTree()
    p, share = tree.decode(tree.weights(tree.normalise(torch.tensor([[1.0, 0, 0] + [1.0] * 34]))))
    assert share[0, 1] == 0 and p[0, 3:5].tolist() == [0.5, 0.5]


def test_agreement_is_one_minus_relative_entropy():
    tree = GalaxyZooTree()
    p = torch.cat([torch.full((len(q.answers),), 1 / len(q.answers)) for q in tree.questions])
    assert tree.agreement(p).abs().max() < 1e-6
    p = torch.cat([torch.eye(len(q.answers))[0] for q in tree.questions])
    assert torch.equal(tree.agreement(p), torch.ones(11))
    p[:3] = torch.tensor([0.5, 0.25, 0.25])
    assert float(tree.agreement(p)[0]) == pytest.approx(1 - 1.5 * math.log(2) / math.log(3), abs=1e-6)


def test_check_names_image_question_sum_and_mend():
    tree = GalaxyZooTree()
    labels = tree(scores(5))
    tree.check(labels)
    bad = labels.clone()
    bad[3, COLUMN["Class4.1"]] = bad[3, COLUMN["Class2.2"]] + 0.25
    bad[3, COLUMN["Class4.2"]] = 0
    total, want = float(bad[3, COLUMN["Class4.1"]]), float(bad[3, COLUMN["Class2.2"]])
    with pytest.raises(InputError) as e:
        tree.check(bad, ids=["100008", "100023", "100053", "100078", "100090"])
    text = str(e.value)
    sums = f"sum to {total:.4f}; expected {want:.4f}, the sum of Class2.2"
    for part in ("question 4 (spiral)", "image 100078", sums, "Mend or drop"):
        assert part in text, text
    assert "\n" not in text


@pytest.mark.parametrize(("value", "text"), [(1.5, "is 1.5; expected a"), (-0.2, "is -0.2"), (math.nan, "is nan")])
def test_check_refuses_what_is_no_share(value, text):
    labels = GalaxyZooTree()(scores(5))
    labels[2, 7] = value
    with pytest.raises(InputError, match=text):
        GalaxyZooTree().check(labels)


def test_check_tells_of_the_quirk_of_question_6():
    labels = GalaxyZooTree(True)(scores(5))
    with pytest.raises(InputError, match="published=True"):
        GalaxyZooTree(False).check(labels)
    with pytest.raises(InputError, match=r"expected \[N, 37\]"):
        GalaxyZooTree().check(labels[:, :36])


def test_another_number_of_scores_is_refused():
    with pytest.raises(ValueError, match="num_classes=37"):
        GalaxyZooTree()(torch.zeros(2, 36))
