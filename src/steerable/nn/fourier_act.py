"""Fourier activations: pointwise functions for fields that are given by their coefficients."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.sampling import default_samples, natural_domain, sample_points, sampling_pair
from steerable.groups.subgroup import Inclusion, as_inclusion
from steerable.nn.adaptive_plan import adaptive_plan, moving_basis
from steerable.nn.baked import Baked
from steerable.nn.frame import Frame, frames_of_field, require_frames
from steerable.nn.functional import fourier_act
from steerable.nn.functional.adaptive_act import AdaptivePlan, adaptive_act
from steerable.nn.functional.fourier_act import Function
from steerable.nn.functional.frames import Frames
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks, split_dim
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.module import EquivariantModule, require_type


def sampled_function(
    x: Tensor, shapes: tuple[tuple[int, int], ...], function: str | Function, **matrices: Tensor
) -> Tensor:
    """`fourier_act` block by block, and the plain function where a block has no matrices.

    Args:
        x: ``[B, C, ...]``.
        shapes: ``(multiplicity, dimension)`` of each block.
        function: a name, or a callable on tensors.
        matrices: ``sample_k [N, d]`` and ``project_k [d, N]`` of block k.
    """
    value = pointwise_function(function).value if isinstance(function, str) else function
    found = []
    for k, (block, shape) in enumerate(zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True)):
        sample, project = matrices.get(f"sample_{k}"), matrices.get(f"project_{k}")
        if sample is None or project is None:
            found.append(value(block))
        else:
            found.append(merge_dims(fourier_act(split_dim(block, 1, shape), sample, project, function), 1))
    return join_blocks(found)


def own_frame_function(
    x: Tensor, plan: AdaptivePlan, settings: tuple[Any, ...], function: str | Function, **tensors: Tensor
) -> Tensor:
    """`adaptive_act` with frames of the field itself, through the matrix ``frame [F, C]``."""
    return adaptive_act(x, frames_of_field(x, tensors["frame"], *settings), plan, function, tensors)


class FourierAct(EquivariantModule):
    """A function of the values of each field on the group, taken at N sampled elements; shape and type are kept.

    Every field must be a function on the group, or on a quotient G/H, up to a band: ``spectral_regular(L)``,
    ``spectral_quotient(H, L)``, or a sum of different irreps such as ``0 + 1 + 2``. Its coefficients are sampled, the
    function acts on the samples, and the band is taken back by the pseudo-inverse. Regular, quotient and trivial fields
    are their own samples.

    On a fixed grid this is exact for the symmetries of the grid alone: all of a finite group, quarter turns (and
    reflections) of SO(2) and O(2) for N a multiple of four, rotations of the cube for ``grid="cube"``. For other
    elements the error falls with N; docs/nonlinearities.md has the table. With a **frame** the grid moves with the
    data, and the layer is exactly equivariant at any N that holds the coefficients: ``rho(q) A+ f(A rho(q)^-1 x)`` with
    ``q(g x) = g q(x)``. What is left is that the result depends on the frame, see
    :func:`steerable.laws.grid_invariance_error`; it falls with N as the error of the fixed grid does. Where a frame is
    degenerate (no vectors, parallel vectors) its weight falls to 0 and the
    two-point rule takes over: mean and spread of the field over the group pass through the function; exactly
    equivariant, smooth, without any frame.

    In eager mode only the input is kept for the backward pass (fixed grids).

    Args:
        in_type: fields that are functions on the group, and permuted fields.
        function: relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh, or any callable on tensors.
        samples: N for continuous groups; by default :func:`steerable.groups.default_samples`. Finite groups are sampled
            at all their elements; of a product with a finite group N counts the samples of the continuous factor.
        grid: ``"spread"``: equal steps, spirals on SO(3) and the sphere; ``"cube"``: for SO(3), O(3) and the sphere,
            whole orbits of the rotations of the cube, which are then exact: on voxels; ``"quadrature"``: product rules,
            exact for polynomials f up to a degree; by default for squares; ``"random"``; ``"adaptive"``: spread, with a
            frame of the field itself.
        domain: subgroup H of functions on ``G/H``; by default the sphere for fields of SO3 and O3 that are functions
            there, else the group. ``st.C(1)`` says the group.
        frame: a :class:`~steerable.nn.Frame` (of the same type), or ``"given"``: frames come as the second argument,
            ``act(x, frames)``: :class:`~steerable.nn.Frames`, or a tensor of elements, one a point or one a sample. Of
            a product with a finite group they are elements of the continuous factor.
        turn: in training, turn the grid by a random element at every call: the mean over calls is equivariant.

    Raises:
        ValueError: for a field that is no function on the group, too few samples, an unknown function, grid or frame.

    Source: Cesa, Lang and Weiler, "A Program to Build E(N)-Equivariant Steerable CNNs", ICLR 2022, section 4; Inal and
    Cesa, "Adaptive Sampling for Continuous Group Equivariant Neural Networks", 2024, arXiv 2409.08741.
    """

    frame: Frame | None

    def __init__(
        self,
        in_type: FieldType,
        function: str | Function = "relu",
        samples: int | None = None,
        grid: str = "spread",
        domain: Group | Inclusion | None = None,
        frame: Frame | str | None = None,
        turn: bool = False,
    ) -> None:
        if not require_type(in_type, "FourierAct").size:
            raise ValueError(f"FourierAct: the type must have channels, got {in_type!r}")
        super().__init__(in_type, in_type)
        if isinstance(function, str):
            pointwise_function(function)
        self.function, self.samples, self.grid, self.turn = function, samples, grid, turn
        self.domain = None if domain is None else as_inclusion(in_type.group, domain)
        self.shapes = tuple(b.shape for b in in_type.blocks)
        self.frame = self._own_frame(frame, grid)
        self.needs_frames = frame == "given"
        self.plan = adaptive_plan(in_type) if self.frame is not None or self.needs_frames else None
        self._matrices: list[str] = []
        for k, b in enumerate(in_type.blocks):
            if not (b.rep.is_permutation or b.rep.is_trivial):
                for name, value in self._pair(b.rep, grid).items():
                    self.register_constant(f"{name}_{k}", value)
                    self._matrices.append(f"{name}_{k}")

    @property
    def samples_continuously(self) -> bool:
        """Whether elements of a continuous group that are none of the samples are met up to aliasing."""
        return bool(self._matrices) and self.plan is None and not self.in_type.group.is_finite

    def _own_frame(self, frame: Frame | str | None, grid: str) -> Frame | None:
        if frame is None and grid == "adaptive":
            require_frames(self.in_type.group, "FourierAct")
            return Frame(self.in_type)
        if isinstance(frame, Frame):
            if frame.in_type != self.in_type:
                raise ValueError(
                    f"FourierAct: the frame takes {frame.in_type!r}, the layer {self.in_type!r}; compute the frames of "
                    f"another field outside and say frame='given'"
                )
            return frame
        if frame not in (None, "given"):
            raise ValueError(f"FourierAct: frame must be a Frame, 'given' or None, got {frame!r}")
        if frame == "given":
            require_frames(self.in_type.group, "FourierAct")
        return None

    def _pair(self, rep: Representation, grid: str) -> dict[str, Tensor]:
        """Matrices there and back; where frames act they are those of coefficients by irreps."""
        domain = self.domain or natural_domain((rep,))
        count = self.samples if self.samples is not None or grid == "quadrature" else default_samples(rep, domain)
        try:
            kind = "spread" if grid == "adaptive" else grid
            points = sample_points(rep.group, domain, kind, count, rep.frequency)
            sample, project = sampling_pair(rep, *points, domain)
        except ValueError as error:
            raise ValueError(f"FourierAct: {error}") from None
        q = None if self.plan is None else moving_basis(rep)
        if q is None:
            return {"sample": sample, "project": project}
        return {"sample": sample @ q, "project": q.T @ project, "basis": q}

    def forward(self, x: Tensor, frames: Frames | Tensor | None = None) -> Tensor:
        """The activation of `x`, with the frames that are given or its own."""
        self.check_input(x)
        if self.plan is not None:
            return adaptive_act(x, self.frames(x, frames), self.plan, self.function, self._tensors())
        if frames is not None:
            raise ValueError(
                f"FourierAct: frames were given to a layer on a fixed grid; build it with frame='given', "
                f"got frame={self.frame!r}"
            )
        tensors = self._turned(x) if self.turn and self.training else self._tensors()
        return sampled_function(x, self.shapes, self.function, **tensors)

    def frames(self, x: Tensor, given: Frames | Tensor | None = None) -> Frames:
        """The frames that `x` is sampled in: those given, else those of its own."""
        if given is not None:
            return given if isinstance(given, Frames) else Frames(given)
        if self.frame is None:
            raise ValueError(
                f"FourierAct: this layer takes its frames as second argument, act(x, frames), got {given!r}; make them "
                f"with st.nn.Frame(type)(field)"
            )
        return self.frame(x)

    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._matrices}

    def _turned(self, x: Tensor) -> dict[str, Tensor]:
        """Matrices of the grid turned by one random element."""
        g = self.in_type.group.sample(1)
        found = self._tensors()
        for k, b in enumerate(self.in_type.blocks):
            if f"sample_{k}" in found:
                rho = b.rep(g)[0].to(found[f"sample_{k}"])
                found[f"sample_{k}"] = found[f"sample_{k}"] @ rho.T
                found[f"project_{k}"] = rho @ found[f"project_{k}"]
        return found

    def extra_repr(self) -> str:
        """Type, function and samples, for printing."""
        counts = sorted({len(getattr(self, name)) for name in self._matrices if name.startswith("sample")})
        return f"{self.in_type!r}, function={self.function!r}, samples={counts}, grid={self.grid!r}"

    def bake(self) -> nn.Module:
        """The same function without a type."""
        if self.plan is None:
            return Baked(sampled_function, self.shapes, self.function, **self._tensors())
        if self.frame is None:
            return PlainAdaptiveAct(self.plan, self.function, self._tensors())
        weight = self.frame.linear.filter()
        return Baked(own_frame_function, self.plan, self.frame.settings, self.function, frame=weight, **self._tensors())


class PlainAdaptiveAct(nn.Module):
    """A Fourier activation with given frames and fixed matrices."""

    def __init__(self, plan: AdaptivePlan, function: str | Function, matrices: dict[str, Tensor]) -> None:
        super().__init__()
        self.plan, self.function, self.names = plan, function, tuple(matrices)
        for name, value in matrices.items():
            self.register_buffer(name, value.detach().clone())

    def forward(self, x: Tensor, frames: Frames | Tensor) -> Tensor:
        """The activation of ``x [B, C, ...]``."""
        given = frames if isinstance(frames, Frames) else Frames(frames)
        return adaptive_act(x, given, self.plan, self.function, {n: getattr(self, n) for n in self.names})
