"""Which plain operations break the symmetry of a field type, and what to use in their place."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from steerable.fields.type import FieldType

#: functions that act on each number alone and are not linear
POINTWISE = frozenset(
    {
        "relu",
        "relu_",
        "relu6",
        "gelu",
        "silu",
        "elu",
        "selu",
        "celu",
        "mish",
        "leaky_relu",
        "sigmoid",
        "tanh",
        "softplus",
        "hardtanh",
        "hardswish",
        "hardsigmoid",
        "softsign",
        "logsigmoid",
        "threshold",
        "clamp",
        "clip",
        "exp",
        "abs",
        "sqrt",
        "square",
        "pow",
        "log",
        "log1p",
        "sin",
        "cos",
    }
)
_NOT_POINTWISE = (nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.GLU)


@dataclass(frozen=True)
class Finding:
    """One place where a model breaks its symmetry.

    Attributes:
        path: where in the model.
        problem: what is wrong.
        mend: what to do.
    """

    path: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.mend}"


@dataclass(frozen=True)
class State:
    """What is known of a tensor: its type (``None``: plain channels) and whether it still has space axes."""

    type: FieldType | None
    space: bool

    @property
    def moves(self) -> bool:
        """Whether the group acts on the channels."""
        return self.type is not None and not self.type.is_trivial


def pointwise(path: str, what: str, state: State) -> Finding | None:
    """A function of each number alone is legal on permutation fields only."""
    if state.type is None or state.type.is_permutation:
        return None
    bad = next(b for b in state.type.blocks if not b.rep.is_permutation)
    return Finding(
        path,
        f"pointwise function {what} on {bad} of {state.type!r}",
        "use NormAct, Gate or FourierAct, or regular fields",
    )


def shift(path: str, what: str, state: State) -> Finding | None:
    """A learned number for each channel is legal on trivial fields only."""
    if not state.moves:
        return None
    kind = "bias" if what == "add" else "affine"
    return Finding(
        path,
        f"{kind} for each channel of {state.type!r}",
        "let the steerable layer before it carry the bias: it lives along invariant vectors only",
    )


def flattens(path: str, state: State) -> Finding | None:
    """Positions must not become channels while they can still turn."""
    if not state.space:
        return None
    return Finding(
        path,
        "flattens positions that were not pooled: a dense layer after it sees the orientation",
        "put GlobalAvgPool2d or GlobalMaxPool2d before it",
    )


def _is_pool(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.pooling"


def judge(path: str, module: nn.Module, state: State) -> tuple[Finding | None, State]:
    """Judge one plain module at one place.

    Args:
        path: its path within the model.
        module: a module of ``torch.nn``.
        state: what goes in.

    Returns:
        The fault, if there is one, and what comes out.
    """
    home, name = type(module).__module__, type(module).__name__
    if isinstance(module, nn.Identity):
        return None, state
    if isinstance(module, nn.Flatten):
        return flattens(path, state), State(state.type, False)
    if _is_pool(module):
        pooled = State(state.type, state.space and not _reduces(module))
        return (pointwise(path, name, state) if "Max" in name else None), pooled
    if home == "torch.nn.modules.activation" and not isinstance(module, _NOT_POINTWISE):
        if isinstance(module, nn.PReLU) and module.num_parameters > 1 and state.moves:
            return Finding(
                path, f"a slope for each channel of {state.type!r}", "use one slope: num_parameters=1"
            ), state
        return pointwise(path, name, state), state
    if home == "torch.nn.modules.dropout":
        found = (
            Finding(path, f"{name} drops single channels of {state.type!r}", "use FieldDropout")
            if state.moves
            else None
        )
        return found, state
    if home in ("torch.nn.modules.batchnorm", "torch.nn.modules.instancenorm", "torch.nn.modules.normalization"):
        found = (
            Finding(
                path,
                f"{name} has statistics and an affine for each channel of {state.type!r}",
                "use BatchNorm, LayerNorm, GroupNorm or InstanceNorm of steerable.nn",
            )
            if state.moves
            else None
        )
        return found, state
    if state.moves:
        return Finding(
            path,
            f"plain {name} on {state.type!r}",
            "use a steerable layer, or make the channels invariant first (GroupPool, NormPool)",
        ), State(None, state.space)
    window = getattr(module, "kernel_size", 1)
    if state.space and any(k > 1 for k in (window if isinstance(window, tuple) else (window,))):
        return Finding(
            path,
            f"plain {name} with kernel {window} sees the orientation of its input",
            "use a steerable Conv2d, or pool space before it",
        ), State(None, state.space)
    return None, State(None, state.space)


def _reduces(module: nn.Module) -> bool:
    size = getattr(module, "output_size", None)
    return size in (1, (1, 1), (1, 1, 1), (1,))
