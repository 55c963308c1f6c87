"""What a law needs to know before it can speak: the types, the elements, a way to run a module without changing it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from steerable.domains.grid import PixelGrid
from steerable.domains.voxels import VoxelGrid
from steerable.fields.type import FieldType
from steerable.groups.cyclic import C
from steerable.groups.dihedral import D
from steerable.groups.group import Group
from steerable.nn.exactness import ExactnessWarning
from steerable.nn.module import require_type


def find_group(module: nn.Module) -> Group | None:
    """Group of the typed layers inside ``module``; where they restrict, the subgroup that is left at the end."""
    found: Group | None = None
    for layer in module.modules():
        for type in (getattr(layer, "in_type", None), getattr(layer, "out_type", None)):
            if isinstance(type, FieldType) and (found is None or (type.group != found and found.contains(type.group))):
                found = type.group
    return found


def resolve_in_type(module: nn.Module, x: Tensor | None, in_type: FieldType | None, group: Group | None) -> FieldType:
    """Type of the input: what is given, else the module's own, else trivial channels of the group that is found.

    Raises:
        ValueError: if neither a type nor an input says how many channels there are.
    """
    known = given_type(module, in_type, "in_type") or getattr(module, "in_type", None)
    if isinstance(known, FieldType):
        return known
    if x is None:
        raise ValueError(
            f"{type(module).__name__} has no in_type and no input was given (got x={x!r}); expected one of them"
        )
    return x.shape[1] * (group or find_group(module) or C(8)).trivial


def given_type(module: nn.Module, value: FieldType | None, argument: str) -> FieldType | None:
    """The type that was given to a law, if any; a text names no group, and a law of another type says nothing.

    Raises:
        TypeError: for what is no type.
    """
    return None if value is None else require_type(value, f"law of {type(module).__name__}", argument)


def resolve_out_type(module: nn.Module, y: Tensor, out_type: FieldType | None, in_type: FieldType) -> FieldType:
    """Type of the output: what is given, else the module's own, else trivial channels of the input's group.

    Raises:
        TypeError: if the module does not return one tensor ``[B, C, ...]``.
        ValueError: if the output has other channels than its type.
    """
    if not isinstance(y, Tensor) or y.dim() < 2:
        shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(
            f"a law compares tensors [B, C, ...], but {type(module).__name__} returns {shape}; wrap it in a "
            f"module that returns the tensor to compare"
        )
    known = given_type(module, out_type, "out_type") or getattr(module, "out_type", None)
    known = known if isinstance(known, FieldType) else y.shape[1] * in_type.group.trivial
    if y.shape[1] != known.size:
        raise ValueError(f"{type(module).__name__} returns {y.shape[1]} channels; expected {known.size} = {known!r}")
    return known


def meet(in_type: FieldType, out_type: FieldType) -> FieldType:
    """The input type under the group of the output: a network that restricts to a subgroup is equivariant under that.

    Raises:
        ValueError: if the group of the output is no subgroup of that of the input.
    """
    if in_type.group == out_type.group:
        return in_type
    if not in_type.group.contains(out_type.group):
        raise ValueError(
            f"the input belongs to {in_type.group.name}, the output to {out_type.group.name}, which is no "
            f"subgroup of it; give in_type and out_type of one group"
        )
    return in_type.restrict(out_type.group)


def random_input(module: nn.Module, in_type: FieldType, batch: int = 2, side: int = 17) -> Tensor:
    """A random field in the dtype of the module: a volume where a layer has one, an image for planar groups, else
    vectors; the same at every call.
    """
    float_tensors = (t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point())
    dtype = next((t.dtype for t in float_tensors), torch.get_default_dtype())
    generator = torch.Generator().manual_seed(0)
    if any(getattr(m, "spatial", 0) == 3 for m in module.modules()):
        shape = (batch, in_type.size, *(9,) * 3)
    else:
        shape = (batch, in_type.size, side, side) if in_type.group.is_planar else (max(batch, 8), in_type.size)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def tolerance(x: Tensor) -> float:
    """Relative error that rounding explains: 1e-10 for float64, 1e-5 for float32, 3e-2 for half precision."""
    return {torch.float64: 1e-10, torch.float32: 1e-5}.get(x.dtype, 3e-2)


@contextmanager
def evaluated(module: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """The module in eval and without gradients, its modes restored afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExactnessWarning)
            yield module
    finally:
        for m, mode in modes:
            m.training = mode


@contextmanager
def trained(module: nn.Module, seed: int = 0) -> Iterator[Callable[[Tensor], Tensor]]:
    """The module in train, each call on a fresh copy with the same random numbers: running statistics stay."""

    def call(x: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return copy.deepcopy(module).train()(x)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExactnessWarning)
        yield call


def exact_elements(group: Group, x: Tensor) -> list[Tensor]:
    """Elements that move samples onto samples: symmetries of square or cube, any element where nothing moves."""
    if x.dim() == 4 and group.is_planar:
        if group.is_finite:
            candidates = list(group.elements)
        else:
            square = D(4)
            keep = square.elements if group.contains(D(1)) else square.elements[:4]
            candidates = list(group.from_plane(square.plane(keep)))
        return [g for g in candidates if PixelGrid.of(x).is_exact(group, g)]
    if x.dim() == 5 and group.acts_on(3):
        return [g for g in _of_the_cube(group) if VoxelGrid.of(x).is_exact(group, g)]
    if group.is_finite:  # every few elements alone could lie in a subgroup: the generators leave no way out
        some = torch.cat([group.elements[:: max(1, (group.order or 1) // 24)], group.generators])
        return list(some.unique())
    return [group.identity, *group.sample(12, torch.Generator().manual_seed(0))]


def _of_the_cube(group: Group) -> list[Tensor]:
    """Elements that turn or reflect the cube: of a continuous group those that it shares with the cube's 48."""
    if group.is_finite:
        return list(group.elements)
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = torch.zeros(3, 3, dtype=torch.float64)
            matrix[torch.arange(3), torch.tensor(order)] = torch.tensor(signs, dtype=torch.float64)
            with contextlib.suppress(ValueError):
                found.append(group.from_action(matrix))
    return found


def describe(group: Group, g: Tensor) -> str:
    """Short name of an element: ``90 deg`` or ``90 deg, flipped`` in the plane, else its number, or rounded numbers."""
    if not group.is_planar:
        numbers = [float(f"{v:.3g}") for v in g.flatten().tolist()] if g.is_floating_point() else g.tolist()
        return f"element {numbers}"
    m = group.plane(g)
    angle = math.degrees(math.atan2(float(m[1, 0]), float(m[0, 0]))) % 360
    text = f"{0.0 if angle > 360 - 1e-9 else angle:.6g} deg"
    return f"{text}, flipped" if float(torch.linalg.det(m)) < 0 else text
