"""Equivariant networks of linear maps and nonlinearities, for any group and any representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from steerable.fields.type import FieldType
from steerable.groups.group import Group
from steerable.groups.representation import Representation
from steerable.groups.sampling import reading_vector
from steerable.nn.fourier_act import FourierAct
from steerable.nn.gate import Gate
from steerable.nn.layer_norm import LayerNorm
from steerable.nn.linear import Linear
from steerable.nn.module import EquivariantModule, require_type
from steerable.nn.norm_act import NormAct
from steerable.nn.pointwise import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from steerable.nn.sequential import Branches, Sequential
from steerable.nn.tensor_product import TensorProduct

_POINTWISE: dict[str, Callable[[FieldType], EquivariantModule]] = {
    "relu": ReLU, "elu": ELU, "leaky_relu": LeakyReLU, "silu": SiLU, "gelu": GELU, "softplus": Softplus,
    "sigmoid": Sigmoid, "tanh": Tanh,
}  # fmt: skip
#: ways to make a hidden layer nonlinear
ACTS = ("auto", "pointwise", "fourier", "adaptive", "product", "gate", "norm")

Act = str | Callable[[FieldType], EquivariantModule]


def hidden_type(group: Group, channels: int, max_frequency: int = 2) -> FieldType:
    """A type of about as many channels that suits hidden layers of :func:`mlp`.

    Finite groups whose order fits: regular fields, on which functions of single channels are legal. Else every field
    holds each irrep twice (once where it occurs once in the functions on the group): up to ``max_frequency`` for
    continuous groups, as many irreps as there is room for in finite ones. So a field is a function on the group, and
    products of a field with itself mix all its irreps; two copies give the antisymmetric products too, such as the
    vector product.

    Args:
        group: any group.
        channels: wanted; at least one field results.
        max_frequency: band for continuous groups.

    Raises:
        ValueError: for no channels.
    """
    if channels < 1:
        raise ValueError(f"hidden_type: channels must be positive, got {channels!r}")
    if group.order is not None and (group.order <= channels or group.order <= 4):
        return max(1, channels // group.order) * group.regular
    reps = group.irreps(None if group.is_finite else max_frequency)
    parts: list[Representation] = []
    for copy in (1, 2):
        for rep in reps:
            room = not group.is_finite or len(parts) < 2 or sum(p.size for p in parts) + rep.size <= channels
            if room and copy * group.irrep_info(rep.irreps[0]).type <= rep.size:
                parts.append(rep)
    parts.sort(key=reps.index)  # equal irreps side by side
    field = parts[0].direct_sum(*parts[1:])
    return max(1, round(channels / field.size)) * field


def choose_act(hidden: FieldType) -> str:
    """The nonlinearity that is exact on a type and mixes all of it: ``pointwise``, ``fourier`` or ``product``.

    Functions of single channels where the group permutes them; of the values at all elements where the group is finite
    and every field a function on it of several irreps (of a single one nothing else could come); else gates and
    products of every field with itself.
    """
    if hidden.is_permutation:
        return "pointwise"
    if hidden.group.is_finite:
        try:
            for b in hidden.blocks:
                reading_vector(b.rep)
                if b.rep.is_irrep and not b.rep.is_trivial:
                    return "product"
        except ValueError:
            return "product"
        return "fourier"
    return "product"


def _hidden_layer(
    before: FieldType, hidden: FieldType, act: Act, function: str, norm: bool, bias: bool
) -> list[nn.Module]:
    """A linear map, the norm and the nonlinearity."""
    if not isinstance(act, str):
        layer = act(hidden)
        return [Linear(before, layer.in_type, bias), *([LayerNorm(layer.in_type)] if norm else []), layer]
    if act not in ACTS:
        raise ValueError(f"mlp: no act {act!r}; expected one of {', '.join(ACTS)}, or a callable from type to layer")
    act = choose_act(hidden) if act == "auto" else act
    if act == "pointwise":
        if function not in _POINTWISE:
            raise ValueError(f"mlp: no function {function!r}; expected one of {', '.join(_POINTWISE)}")
        layer = _POINTWISE[function](hidden)
    elif act == "fourier":
        layer = FourierAct(hidden, function)
    elif act == "adaptive":
        layer = FourierAct(hidden, function, grid="adaptive")
    elif act == "norm":
        layer = NormAct(hidden, "sigmoid")
    elif act == "gate":
        layer = Gate(hidden)
    else:
        gated = Gate.gated_type(hidden)
        band = max(b.rep.frequency for b in hidden.blocks)
        layer = Branches(Gate(hidden), TensorProduct(gated, None if hidden.group.is_finite else band))
    return [Linear(before, layer.in_type, bias), *([LayerNorm(layer.in_type)] if norm else []), layer]


def mlp(
    in_type: FieldType,
    hidden: FieldType | Sequence[FieldType],
    out_type: FieldType,
    act: Act = "auto",
    function: str = "silu",
    norm: bool | None = None,
    bias: bool = True,
) -> Sequential:
    """A multi-layer perceptron between two types of any group: finite, continuous, a product; exactly equivariant.

    Every hidden layer is a :class:`~steerable.nn.Linear`, a :class:`~steerable.nn.LayerNorm` if wanted, and a
    nonlinearity that fits its type; a last linear map follows. Works on ``[B, C]`` and on ``[B, C, *space]``.

    Args:
        in_type: type of the input.
        hidden: type of the hidden layer, or one for each; :func:`hidden_type` proposes one. Irreps of the input that it
            lacks are lost at the first linear map.
        out_type: type of the output.
        act: ``"auto"`` (:func:`choose_act`); ``"pointwise"``, ``"fourier"``, ``"adaptive"``
            (:class:`~steerable.nn.FourierAct`), ``"gate"``, ``"norm"``, ``"product"`` (gates beside the product of
            every field with itself, which mixes degrees); or a callable that builds a layer on the hidden type. Norms
            and gates alone never turn a vector into a scalar: choose them for types that already mix. ``"fourier"``
            is exact for finite groups only: on others its samples stand still, and alias.
        function: for pointwise and Fourier activations: relu, elu, leaky_relu, silu, gelu, softplus, sigmoid, tanh.
        norm: layer norm over all channels of a point before each nonlinearity; by default where products need it.
        bias: biases along invariant vectors.

    Raises:
        TypeError: for arguments that are no field types.
        ValueError: for types of different groups, no hidden layer, or an unknown act or function.
    """
    types = [hidden] if isinstance(hidden, FieldType) else list(hidden)
    if not types:
        raise ValueError(f"mlp: expected at least one hidden type, got {hidden!r}; for a linear map use Linear")
    layers: list[nn.Module] = []
    before = require_type(in_type, "mlp")
    for t in types:
        if not require_type(t, "mlp", "hidden").size:
            raise ValueError(f"mlp: a hidden type must have channels, got {t!r}")
        products = act == "product" or (act == "auto" and choose_act(t) == "product")
        layers += _hidden_layer(before, t, act, function, products if norm is None else norm, bias)
        before = layers[-1].out_type  # type: ignore[assignment]
    layers.append(Linear(before, require_type(out_type, "mlp", "out_type"), bias))
    return Sequential(*layers)
