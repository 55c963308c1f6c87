"""Frames of residues and of points: they turn with the cloud, fall back, and say where there is none."""

from __future__ import annotations

import pytest
import torch

import steerable as st
from steerable.domains.points.frames import backbone_frames, frames_from, in_frames, neighbour_frames, trace_frames
from steerable.tasks.proteins import backbone
from steerable.tasks.proteins.backbone import fold

G = torch.Generator().manual_seed(0)
TURN = st.SO3().action(st.SO3().sample(1, G)[0])


def atoms(residues=9):
    a = backbone(*fold("helix", residues))
    return a + 0.05 * torch.randn(a.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_definition():
    n, ca, c = atoms().unbind(1)
    frames = backbone_frames(n, ca, c)
    assert frames.mask.all()
    e1 = torch.nn.functional.normalize(c - ca, dim=1)
    e2 = torch.nn.functional.normalize((n - ca) - ((n - ca) * e1).sum(1, keepdim=True) * e1, dim=1)
    assert torch.allclose(frames.matrix, torch.stack([e1, e2, torch.linalg.cross(e1, e2)], -1), atol=1e-14)
    eye = torch.eye(3, dtype=torch.float64)
    assert torch.allclose(frames.matrix.mT @ frames.matrix, eye.expand_as(frames.matrix))
    assert torch.allclose(torch.linalg.det(frames.matrix), torch.ones(9, dtype=torch.float64))


def test_frames_turn_and_a_mirror_does_not_mirror_them():
    n, ca, c = atoms().unbind(1)
    n[2], c[5] = torch.nan, torch.nan
    frames = backbone_frames(n, ca, c)
    moved = backbone_frames(*(p @ TURN.T + 3.0 for p in (n, ca, c)))
    assert torch.equal(moved.mask, frames.mask) and frames.mask.all()
    assert torch.allclose(moved.matrix, TURN @ frames.matrix, atol=1e-10)
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0])).double()
    assert (backbone_frames(*(p @ mirror for p in (n, ca, c))).matrix - mirror @ frames.matrix).abs().max() > 0.1


def test_missing_atoms_fall_back_on_the_trace_and_ends_have_no_frame():
    n, ca, c = atoms().unbind(1)
    n[:], c[4] = torch.nan, torch.nan
    chain = torch.tensor([0] * 6 + [1] * 3)
    frames = backbone_frames(n, ca, c, chain)
    assert frames.mask.tolist() == [False] + [True] * 4 + [False] * 2 + [True, False]
    assert torch.equal(frames.matrix, trace_frames(ca, chain).matrix)
    assert (frames.matrix[~frames.mask] == 0).all()
    ca[3] = torch.nan
    assert backbone_frames(n, ca, c, chain).mask.tolist() == [False, True] + [False] * 5 + [True, False]
    for count in (0, 1, 2):
        assert not trace_frames(torch.randn(count, 3)).mask.any()


@pytest.mark.parametrize("second", [[2.0, 0, 0], [-1.0, 0, 0], [0.0, 0, 0], [torch.nan, 0, 0], [1.0, 1e-6, 0]])
def test_collinear_vectors_give_no_frame_and_no_nan(second):
    first = torch.tensor([[1.0, 0, 0], [1e-30, 0, 0]], requires_grad=True)
    other = torch.tensor([second, [0.0, 1e-30, 0]], requires_grad=True)
    frames = frames_from(first, other)
    assert frames.mask.tolist() == [False, True]  # lengths do not matter, angles do
    assert torch.allclose(frames.matrix[1], torch.eye(3)) and (frames.matrix[0] == 0).all()
    frames.matrix.sum().backward()
    assert (first.grad[0] == 0).all() and (other.grad[0] == 0).all()
    assert torch.isfinite(first.grad).all() and torch.isfinite(other.grad).all()


def test_directions_seen_in_frames_do_not_turn():
    points = st.Points(torch.randn(20, 3, dtype=torch.float64, generator=G), torch.arange(20) // 10)
    moved = points.moved(st.SO3(), st.SO3().sample(1, G)[0])
    seen = [in_frames(p.knn(5), neighbour_frames(p, p.knn(5))) for p in (points, moved)]
    assert torch.allclose(seen[0].offset, seen[1].offset, atol=1e-9)
    assert torch.allclose(seen[0].distance, points.knn(5).distance)
    # a fault that this finds: frames that do not turn
    still = neighbour_frames(points, points.knn(5))
    assert (in_frames(moved.knn(5), still).offset - seen[0].offset).abs().max() > 0.1


def test_points_on_a_line_have_no_frame():
    line = st.Points(torch.arange(6.0)[:, None] * torch.tensor([1.0, 2.0, 3.0]))
    frames = neighbour_frames(line, line.knn(3))
    assert not frames.mask.any() and (in_frames(line.knn(3), frames).offset == 0).all()
    one = st.Points(torch.zeros(1, 3))
    assert not neighbour_frames(one, one.knn(3)).mask.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_cancels_but_for_rounding_has_no_frame(dtype):
    """In a turned lattice the sum of the neighbours of an inner point, or the way to the middle, is rounding alone."""
    axis = torch.arange(5, dtype=torch.float64) - 2
    lattice = torch.cartesian_prod(axis, axis, axis)
    inner = lattice.abs().amax(1) < 1.5
    off = torch.cat([lattice, torch.tensor([[3.2, 0.4, 0.9]], dtype=torch.float64)])
    for cloud in (lattice, off):
        for radius in (1.1, 1.8):
            there, turned = (st.Points((cloud @ g.T).to(dtype)) for g in (torch.eye(3, dtype=torch.float64), TURN))
            mask = neighbour_frames(there, there.neighbours(radius)).mask
            assert torch.equal(mask, neighbour_frames(turned, turned.neighbours(radius)).mask)
            assert not mask[:125][inner].any() and mask.any()


def test_bad_shapes():
    with pytest.raises(ValueError, match=r"\[4, 2\].*expected \[N, 3\] twice"):
        frames_from(torch.zeros(4, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="NaN for a missing atom"):
        backbone_frames(torch.zeros(4, 3), torch.zeros(5, 3), torch.zeros(4, 3))
    points = st.Points(torch.randn(4, 3))
    with pytest.raises(ValueError, match=r"frames are \[3, 3, 3\].*\[4, 3, 3\]"):
        in_frames(points.knn(2), frames_from(torch.eye(3), torch.ones(3, 3)))
    with pytest.raises(ValueError, match="points of space"):
        neighbour_frames(st.Points(torch.randn(4, 2)), st.Points(torch.randn(4, 2)).knn(2))
    with pytest.raises(ValueError, match="one number a point"):
        trace_frames(torch.zeros(4, 3), torch.zeros(3))
