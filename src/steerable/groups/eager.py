"""When a hand-written eager path may run, and what the compiler takes as a constant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

_F = TypeVar("_F", bound=Callable[..., Tensor])
_PLAIN_TENSORS = (torch.Tensor, torch.nn.Parameter)


def transforms_active() -> bool:
    """True inside a functorch transform (vmap, grad, jvp, jacrev ...)."""
    return torch._C._are_functorch_transforms_active()


def runs_eagerly(*tensors: Tensor) -> bool:
    """True if in-place arithmetic on buffers is safe: ordinary tensors, no transform, no dispatch mode, no tracer."""
    if torch.jit.is_tracing() or transforms_active():  # pyright: ignore[reportPrivateImportUsage]
        return False
    # A dual level makes every operator carry tangents, and a dispatch mode wants to see each of them.
    if forward_ad._current_level >= 0 or torch._C._len_torch_dispatch_stack() > 0:
        return False
    # Batched gradients (is_grads_batched=True) look like ordinary tensors and have no in-place rules.
    batched = torch._C._functorch.is_legacy_batchedtensor  # pyright: ignore[reportAttributeAccessIssue]
    return all(type(t) in _PLAIN_TENSORS and not batched(t) for t in tensors)


def constant(function: _F) -> _F:
    """Mark a function of numbers whose tensor `torch.compile` stores in the graph instead of tracing how it is made.

    What `torch.compiler.assume_constant_result` does, without starting the compiler when the library is imported.
    """
    function._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
    return function


def full_precision(x: Tensor) -> AbstractContextManager[Any]:
    """A context without autocast for the device of a tensor; nothing where there is none, for programs stay plain."""
    return torch.autocast(x.device.type, enabled=False) if autocasts(x) else nullcontext()


def autocasts(x: Tensor) -> bool:
    """Whether autocast is on for the device of a tensor; the meta device, of shapes alone, is none that torch takes."""
    kind = x.device.type
    return kind != "meta" and torch.is_autocast_enabled(kind)
