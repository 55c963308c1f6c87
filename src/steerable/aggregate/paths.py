"""Which implementation of an operation runs: the plain definition, the two-pass form or the lean one.

Every nonlinearity of this package has one plain definition in ordinary differentiable operators. Two faster forms stand
beside it, and the laws compare them with it:

* ``"eager"``: an autograd function that saves its input only and works in tiles that stay in the cache;
* ``"trace"``: the same two passes as ordinary operators, for `torch.compile`.

Transforms that must see through the operators (export, vmap, jvp, jit tracing, fake tensors) get the plain definition.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

Path = Literal["plain", "eager", "trace"]
_PLAIN_TENSORS = (torch.Tensor, torch.nn.Parameter)


def transforms_active() -> bool:
    """True inside a functorch transform (vmap, grad, jvp, jacrev ...)."""
    return torch._C._are_functorch_transforms_active()


def choose_path(*tensors: Tensor) -> Path:
    """The implementation to use for these tensors under the present transforms.

    Args:
        tensors: the inputs of the nonlinearity, any shapes; the first one is the field.

    Returns:
        ``"trace"`` while `torch.compile` traces, ``"eager"`` for ordinary tensors outside transforms, else ``"plain"``.
    """
    if torch.compiler.is_compiling():
        return "plain" if torch.compiler.is_exporting() or transforms_active() else "trace"
    if not runs_eagerly(*tensors):
        return "plain"
    return "eager" if tensors[0].numel() > 0 else "plain"


def runs_eagerly(*tensors: Tensor) -> bool:
    """True if in-place arithmetic on buffers is safe: ordinary tensors, no transform, no dispatch mode, no tracer."""
    if torch.jit.is_tracing() or transforms_active():  # pyright: ignore[reportPrivateImportUsage]
        return False
    # A dual level makes every operator carry tangents, and a dispatch mode wants to see each of them.
    if forward_ad._current_level >= 0 or torch._C._len_torch_dispatch_stack() > 0:
        return False
    # Batched gradients (is_grads_batched=True) look like ordinary tensors and have no in-place rules.
    batched = torch._C._functorch.is_legacy_batchedtensor
    return all(type(t) in _PLAIN_TENSORS and not batched(t) for t in tensors)


def accumulation_dtype(x: Tensor) -> torch.dtype:
    """float32 for half precisions, else the dtype of `x`: nothing is accumulated in 8 or 11 bits."""
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
