"""A network across the channels at every sampled element of the group: a function of functions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from steerable.fields.type import FieldType
from steerable.groups.eager import full_precision
from steerable.groups.group import Group
from steerable.groups.sampling import default_samples, natural_domain, sample_points, sampling_pair
from steerable.groups.subgroup import Inclusion, as_inclusion
from steerable.nn.baked import Baked
from steerable.nn.functional.fourier_act import Function
from steerable.nn.functional.layout import join_blocks, merge_dims, split_blocks
from steerable.nn.functional.pointwise_functions import pointwise_function
from steerable.nn.module import EquivariantModule, require_same_group, require_type


def across_channels(
    x: Tensor,
    shapes: tuple[tuple[int, int], ...],
    outputs: tuple[tuple[int, int], ...],
    function: str | Function,
    **tensors: Tensor | None,
) -> Tensor:
    """Sample every block, apply the network to all channels of each sample, take the coefficients back.

    Args:
        x: ``[B, C, *S]``.
        shapes: ``(multiplicity, dimension)`` of each block of the input.
        outputs: the same of the output.
        function: between the linear maps: a name, or a callable on tensors.
        tensors: ``sample_k [N, d]`` for the input, ``project_k [d, N]`` for the output, ``weight_n [out, in]`` and
            ``bias_n [out]`` (or ``None``) of the linear maps.
    """
    f = pointwise_function(function).value if isinstance(function, str) else function
    weights = [w for n in range(len(tensors)) if (w := tensors.get(f"weight_{n}")) is not None]
    dtype = weights[0].dtype
    with full_precision(x):
        values = []
        for k, (block, shape) in enumerate(zip(split_blocks(x, [m * d for m, d in shapes]), shapes, strict=True)):
            fields = block.to(dtype).reshape(x.shape[0], *shape, x.shape[2:].numel())
            sample = tensors[f"sample_{k}"]
            values.append(torch.einsum("nd,bmdp->bmnp", sample, fields))  # type: ignore[arg-type]
        h = torch.cat(values, 1).flatten(2) if len(values) > 1 else values[0].flatten(2)
        for n, weight in enumerate(weights):
            bias = tensors.get(f"bias_{n}")
            h = weight @ (f(h) if n else h)
            h = h if bias is None else h + bias[:, None]
        found = []
        for k, (part, shape) in enumerate(zip(split_blocks(h, [m for m, _ in outputs]), outputs, strict=True)):
            project = tensors[f"project_{k}"]
            fields = part.unflatten(2, (project.shape[1], x.shape[2:].numel()))  # type: ignore[union-attr]
            fields = torch.einsum("dn,bmnp->bmdp", project, fields)  # type: ignore[arg-type]
            found.append(merge_dims(fields, 1).reshape(x.shape[0], shape[0] * shape[1], *x.shape[2:]))
        return join_blocks(found).to(x.dtype)


class SampledMLP(EquivariantModule):
    """An MLP across the channels at every sampled element: ``f(x, R) -> MLP(f(x, R))``, at every point x alike.

    Fields are functions on the group (or on a quotient); their values at N elements are vectors over the channels, one
    ordinary network maps each of them, and the results are coefficients again. It mixes all fields and all irreps, so
    it is a universal layer at a point where an activation of single fields needs linear maps between. With no hidden
    width it is a linear map, with ``("quadrature", 3 L)`` and squares exact, on finite groups always exact.

    Args:
        in_type: fields that are functions on the group; permuted and trivial fields too.
        out_type: likewise; by default the type of the input.
        hidden: widths of the hidden layers; by default the number of input fields, twice.
        function: relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh, or any callable on tensors.
        samples: as in :class:`~steerable.nn.FourierAct`, as are the next three.
        grid: ``"spread"``, ``"cube"``, ``"quadrature"`` or ``"random"``.
        domain: subgroup H of functions on ``G/H``.
        turn: turn the grid by a random element at every call in training.
        bias: whether the linear maps have one.

    Raises:
        ValueError: for fields that are no functions on the group, too few samples, an unknown function or grid.

    Source: Poulenard and Guibas, "A functional approach to rotation equivariant non-linearities for tensor field
    networks", CVPR 2021; Poulenard, Ovsjanikov and Guibas, arXiv 2211.15903.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType | None = None,
        hidden: Sequence[int] | None = None,
        function: str | Function = "relu",
        samples: int | None = None,
        grid: str = "spread",
        domain: Group | Inclusion | None = None,
        turn: bool = False,
        bias: bool = True,
    ) -> None:
        out_type = require_type(in_type, "SampledMLP") if out_type is None else out_type
        require_same_group("SampledMLP", in_type, require_type(out_type, "SampledMLP", "out_type"))
        if not in_type.size or not out_type.size:
            raise ValueError(f"SampledMLP: both types must have channels, got {in_type!r} -> {out_type!r}")
        super().__init__(in_type, out_type)
        if isinstance(function, str):
            pointwise_function(function)
        self.function, self.grid, self.turn = function, grid, turn
        self.shapes, self.outputs = (tuple(b.shape for b in t.blocks) for t in (in_type, out_type))
        self._sample(samples, grid, None if domain is None else as_inclusion(in_type.group, domain))
        widths = [in_type.num_fields] * 2 if hidden is None else list(hidden)
        widths = [in_type.num_fields, *widths, out_type.num_fields]
        self.layers = nn.ModuleList(nn.Linear(a, b, bias) for a, b in itertools.pairwise(widths))

    def _sample(self, samples: int | None, grid: str, domain: Inclusion | None) -> None:
        """One grid for all fields of both types, fine enough for the largest band."""
        reps = [b.rep for t in (self.in_type, self.out_type) for b in t.blocks]
        domain = natural_domain(tuple(reps)) if domain is None else domain
        widest = max(reps, key=lambda r: r.frequency)
        count = samples if samples is not None or grid == "quadrature" else default_samples(widest, domain)
        try:
            points = sample_points(widest.group, domain, grid, count, widest.frequency)
            for k, b in enumerate(self.in_type.blocks):
                self.register_constant(f"sample_{k}", sampling_pair(b.rep, *points, domain)[0])
            for k, b in enumerate(self.out_type.blocks):
                self.register_constant(f"project_{k}", sampling_pair(b.rep, *points, domain)[1])
        except ValueError as error:
            raise ValueError(f"SampledMLP: {error}") from None

    def forward(self, x: Tensor) -> Tensor:
        """The network of the values of ``x [B, C, ...]``."""
        self.check_input(x)
        tensors = self._tensors()
        if self.turn and self.training:
            g = self.in_type.group.sample(1)
            for k, b in enumerate(self.in_type.blocks):
                tensors[f"sample_{k}"] = self._buffer(f"sample_{k}") @ b.rep(g)[0].to(x).T
            for k, b in enumerate(self.out_type.blocks):
                tensors[f"project_{k}"] = b.rep(g)[0].to(x) @ self._buffer(f"project_{k}")
        return across_channels(x, self.shapes, self.outputs, self.function, **tensors)

    def _buffer(self, name: str) -> Tensor:
        return getattr(self, name)

    def _tensors(self) -> dict[str, Tensor | None]:
        found: dict[str, Tensor | None] = {f"sample_{k}": self._buffer(f"sample_{k}") for k in range(len(self.shapes))}
        found |= {f"project_{k}": self._buffer(f"project_{k}") for k in range(len(self.outputs))}
        for n, layer in enumerate(self.layers):
            found |= {f"weight_{n}": layer.weight, f"bias_{n}": layer.bias}  # type: ignore[dict-item]
        return found

    def extra_repr(self) -> str:
        """Types and options, for printing."""
        return f"{self.in_type!r} -> {self.out_type!r}, function={self.function!r}, grid={self.grid!r}"

    def bake(self) -> nn.Module:
        """The same function without a type."""
        return Baked(across_channels, self.shapes, self.outputs, self.function, **self._tensors())
