"""Every pair of ways to write a rotation: round trips, gradients, degenerate numbers, distance and interpolation."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from steerable.groups import convert_rotation, geodesic, random_rotation, slerp
from steerable.groups.conversions import _KINDS

KINDS = list(_KINDS)


def quaternions(count=40):
    """Rotations at which one kind or another is singular, then random ones."""
    special = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0]]
    special += [[1, 1e-9, 0, 0], [1, 1e-4, 1e-5, 0], [1e-9, 1, 0, 0], [1, 0, 0, 1e-7], [1e-5, 0, 1, 1e-5]]
    q = torch.tensor(special, dtype=torch.float64)
    return torch.cat(
        [q / q.norm(dim=1, keepdim=True), random_rotation(count, torch.Generator().manual_seed(0), "quaternion")]
    )


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_round_trips(source, target):
    matrix = convert_rotation(quaternions(), "quaternion", "matrix")
    there = convert_rotation(convert_rotation(matrix, "matrix", source), source, target)
    assert there.shape[1:] == _KINDS[target]
    assert (convert_rotation(there, target, "matrix") - matrix).abs().max() < 1e-12
    value = convert_rotation(matrix, "matrix", source).requires_grad_()
    convert_rotation(value, source, target).pow(3).sum().backward()
    assert value.grad is not None and value.grad.isfinite().all()
    lead = convert_rotation(matrix[:12].reshape(2, 3, 2, 3, 3), "matrix", source)
    assert convert_rotation(lead, source, target).shape == (2, 3, 2, *_KINDS[target])


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_gradients_at_random_rotations(source, target):
    matrix = random_rotation(2, torch.Generator().manual_seed(3))
    value = convert_rotation(matrix, "matrix", source).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: convert_rotation(v, source, target), (value,))


def test_conventions():
    def about(axis, angle):
        """Rotation about one axis, written by hand."""
        c, s = math.cos(angle), math.sin(angle)
        m = torch.zeros(3, 3, dtype=torch.float64)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        m[axis, axis], m[i, i], m[j, j], m[i, j], m[j, i] = 1, c, c, -s, s
        return m

    a, b, c = 0.3, 1.1, -0.7
    angles = torch.tensor([a, b, c], dtype=torch.float64)
    assert (convert_rotation(angles, "euler", "matrix") - about(2, a) @ about(1, b) @ about(2, c)).abs().max() < 1e-15
    yxy = about(1, a) @ about(0, b) @ about(1, c)
    assert (convert_rotation(angles, "euler_yxy", "matrix") - yxy).abs().max() < 1e-15
    e3nn = torch.tensor(  # e3nn 0.6.0: o3.angles_to_matrix(0.3, 1.1, -0.7)
        [
            [0.8170369820040182, 0.2633697832234622, -0.5129200008993529],
            [-0.5741315443479861, 0.4535961214255773, -0.681632986593423],
            [0.05313699109247916, 0.8514029104439915, 0.5218137064749625],
        ],
        dtype=torch.float64,
    )
    assert (yxy - e3nn).abs().max() < 1e-15
    for axis in range(3):
        vector = 0.8 * torch.eye(3, dtype=torch.float64)[axis]
        assert (convert_rotation(vector, "vector", "matrix") - about(axis, 0.8)).abs().max() < 1e-15
    assert (convert_rotation(yxy, "matrix", "6d") - torch.cat([yxy[:, 0], yxy[:, 1]])).abs().max() == 0


def test_six_numbers_are_read_equivariantly():
    v = torch.randn(20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = random_rotation(20, torch.Generator().manual_seed(1))
    turned = torch.cat([(q @ v[:, :3, None])[..., 0], (q @ v[:, 3:, None])[..., 0]], -1)
    read = convert_rotation(v, "6d", "matrix")
    assert (convert_rotation(turned, "6d", "matrix") - q @ read).abs().max() < 1e-12
    nine = torch.randn(20, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left = convert_rotation((q @ nine).flatten(1), "9d", "matrix")
    assert (left - q @ convert_rotation(nine.flatten(1), "9d", "matrix")).abs().max() < 1e-12


DEGENERATE = {
    "6d": [[0.0] * 6, [1, 2, 3, 2, 4, 6], [0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0], [1e-200, 0, 0, 0, 1e-200, 0]],
    "5d": [[0.0] * 5, [1, 2, 0, 0, 0], [0, 0, 1, 0, 0]],
    "9d": [[0.0] * 9, [1, 0, 0, 0, 1, 0, 0, 0, -1], [1.0] * 9, [1, 0, 0, 0, 0, 0, 0, 0, 0]],
    "vector": [[0.0] * 3, [math.pi, 0, 0], [2 * math.pi, 0, 0]],
    "euler": [[0.0] * 3, [1, math.pi, 2]],
}


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("target", ["matrix", "quaternion", "vector", "euler"])
def test_degenerate_numbers_give_rotations_and_finite_gradients(kind, target):
    value = torch.tensor(DEGENERATE[kind], dtype=torch.float64, requires_grad=True)
    out = convert_rotation(value, kind, target)
    matrix = convert_rotation(out, target, "matrix")
    assert (matrix @ matrix.mT - torch.eye(3)).abs().max() < 1e-12
    assert (torch.linalg.det(matrix) - 1).abs().max() < 1e-12
    out.pow(3).sum().backward()
    assert value.grad is not None and value.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(kind):
    matrix = random_rotation(30, torch.Generator().manual_seed(0))
    value = convert_rotation(matrix, "matrix", kind).half()
    back = convert_rotation(value, kind, "matrix")
    assert back.dtype == torch.float16 and (back.double() - matrix).abs().max() < 2e-2


def test_distance():
    matrix = random_rotation(30, torch.Generator().manual_seed(0))
    axis = torch.nn.functional.normalize(torch.randn(30, 3, dtype=torch.float64), dim=1)
    for angle in (0.0, 1e-9, 0.5, 2.0, math.pi - 1e-7, math.pi):
        other = matrix @ convert_rotation(angle * axis, "vector", "matrix")
        found = geodesic(matrix, other.requires_grad_())
        assert (
            (found - angle).abs().max() < 1e-8
            if angle > 3
            else (found - angle).abs().max() < 1e-12 + 1e-7 * (angle == 0)
        )
        (grad,) = torch.autograd.grad(found.sum(), other)
        assert grad.isfinite().all() and grad.abs().max() < 10
    assert (geodesic(matrix, matrix.flip(0)) - geodesic(matrix.flip(0), matrix)).abs().max() < 1e-12


@pytest.mark.parametrize("kind", ["matrix", "quaternion", "6d"])
def test_interpolation(kind):
    a, b = (random_rotation(20, torch.Generator().manual_seed(s), kind) for s in (0, 1))
    whole = geodesic(a, b, kind)
    for t in (0.0, 0.25, 1.0):
        assert (geodesic(slerp(a, b, t, kind), a, kind) - t * whole).abs().max() < 1e-7
    each = slerp(a, b, torch.linspace(0, 1, 20, dtype=torch.float64), kind)
    assert (geodesic(each, a, kind) - torch.linspace(0, 1, 20) * whole).abs().max() < 1e-7


def test_random_rotations_are_uniform():
    r = random_rotation(20000, torch.Generator().manual_seed(0))
    assert r.mean(0).abs().max() < 0.02  # degree 1 averages to nothing
    assert (
        torch.einsum("nij,nkl->ijkl", r, r) / 20000 - torch.einsum("ik,jl->ijkl", *[torch.eye(3) / 3**0.5] * 2)
    ).abs().max() < 0.02


def test_bad_input_and_a_planted_fault():
    with pytest.raises(ValueError, match="unknown kind 'euler_xyz'"):
        convert_rotation(torch.eye(3), "matrix", "euler_xyz")
    with pytest.raises(ValueError, match="'6d' has shape"):
        convert_rotation(torch.zeros(2, 5), "6d", "matrix")
    with pytest.raises(ValueError, match="norm 0"):
        convert_rotation(torch.zeros(2, 4), "quaternion", "matrix")
    angles = convert_rotation(quaternions(), "quaternion", "euler")
    wrong = convert_rotation(angles.flip(-1), "euler", "matrix")
    assert (wrong - convert_rotation(quaternions(), "quaternion", "matrix")).abs().max() > 0.1
