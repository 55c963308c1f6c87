"""Rotations of objects as one element of a finite group and a learned offset."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.groups import SO2, Group, convert_rotation, geodesic, parse_group
from steerable.nn.constants import ConstantModule
from steerable.nn.icosahedral.correlation import rotations_of


class Poses(NamedTuple):
    """One pose for each element of a group.

    Attributes:
        logits: ``[..., |G|]``.
        rotations: ``[..., |G|, 3, 3]``: the element times its offset.
    """

    logits: Tensor
    rotations: Tensor

    @property
    def best(self) -> Tensor:
        """The rotation ``[..., 3, 3]`` of the largest logit."""
        at = self.logits.argmax(-1)[..., None, None, None].expand(*self.logits.shape[:-1], 1, 3, 3)
        return self.rotations.gather(-3, at).squeeze(-3)


class PoseHead(ConstantModule):
    """From seven numbers for each element of a group to poses: a logit, and an offset of six by Gram-Schmidt.

    The pose of element g is ``R_g offset_g``, so that moving all seven numbers from g to h g turns the pose by h
    exactly (the reference multiplies the other way round, which does not). The six numbers are added to those of the
    identity: an offset starts as none.

    Args:
        group: finite rotations, by name or value.

    Raises:
        ValueError: for any other group.

    Source: Klee et al., arXiv 2207.08925, section 4.3; six numbers: Zhou et al., CVPR 2019, arXiv 1812.07035.
    """

    def __init__(self, group: str | Group = "I") -> None:
        super().__init__()
        self.group = rotations_of(group)
        self.register_constant("elements", self.group.action(self.group.elements, 3))

    def forward(self, x: Tensor) -> Poses:
        """Read ``x [..., 7, |G|]``.

        Raises:
            ValueError: for another shape.
        """
        if x.dim() < 2 or tuple(x.shape[-2:]) != (7, len(self.elements)):
            raise ValueError(f"PoseHead: the input is {list(x.shape)}; expected [..., 7, {len(self.elements)}]")
        six = x[..., 1:, :].transpose(-1, -2)
        none = convert_rotation(torch.eye(3, dtype=x.dtype, device=x.device), "matrix", "6d")
        offset = convert_rotation(six + none, "6d", "matrix")
        return Poses(x[..., 0, :], self.elements.to(x.dtype) @ offset)

    def labels(self, rotation: Tensor, width: float = 0.0) -> Tensor:
        """Shares ``[..., |G|]`` of the elements in rotations ``[..., 3, 3]``.

        Args:
            rotation: the truth.
            width: 0: the nearest element alone. Else in radians: shares fall as a Gaussian of the angle, so that at the
                border between two elements neither is wrong.
        """
        trace = torch.einsum("...ij,gij->...g", rotation, self.elements.to(rotation.dtype))
        if width <= 0:
            return F.one_hot(trace.argmax(-1), len(self.elements)).to(rotation.dtype)
        angle = ((trace - 1) / 2).clamp(-1, 1).acos()
        return torch.softmax(-angle.square() / (2 * width**2), -1)

    def loss(self, poses: Poses, rotation: Tensor, weight: float = 1.0, width: float = 0.0) -> Tensor:
        """Cross entropy of the element, plus the square of the miss of the poses of the right elements.

        Args:
            poses: of a batch, ``[..., |G|]``.
            rotation: the truth ``[..., 3, 3]``.
            weight: of the second term, ``weight * sum_g label_g |R_g offset_g - R|^2`` (Frobenius norm).
            width: of the labels in radians, see :meth:`labels`.
        """
        label = self.labels(rotation, width)
        element = -(label * poses.logits.log_softmax(-1)).sum(-1)
        miss = (poses.rotations - rotation.unsqueeze(-3)).square().sum((-1, -2))
        return (element + weight * (label * miss).sum(-1)).mean()

    def extra_repr(self) -> str:
        """The group."""
        return f"{self.group.name}: {len(self.elements)} elements"


def pose_error(rotation: Tensor, found: Tensor, symmetry: str | Group | None = None) -> Tensor:
    """Angle ``[...]`` in radians between rotations ``[..., 3, 3]`` of an object.

    Args:
        rotation: the truth.
        found: the estimate.
        symmetry: rotations of the object (in its own frame) that change nothing about it: a finite group, for example
            ``"C4"`` about x3 or ``"O"``, or SO2: any turn about x3 (bottles, cups).

    Raises:
        ValueError: for another continuous group.
    """
    if symmetry is None:
        return geodesic(rotation, found)
    group = symmetry if isinstance(symmetry, Group) else parse_group(symmetry)
    if group == SO2():
        a, b = rotation[..., 2], found[..., 2]
        return torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1))
    if not group.is_finite or not group.acts_on(3):
        raise ValueError(f"pose_error: the symmetry is {group.name}; expected a finite group of space, or SO2 about x3")
    turns = group.action(group.elements, 3).to(rotation)
    if bool((torch.linalg.det(turns.double()) < 0).any()):
        raise ValueError(
            f"pose_error: the symmetry {group.name} holds reflections, which turn no object; expected rotations, such "
            "as C4 about x3, D4r (with half turns across x3) or O"
        )
    return geodesic(rotation.unsqueeze(-3) @ turns, found.unsqueeze(-3)).amin(-1)
