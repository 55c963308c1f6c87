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

from steerable.groups.eager import runs_eagerly as runs_eagerly
from steerable.groups.eager import transforms_active as transforms_active

Path = Literal["plain", "eager", "trace"]


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


def accumulation_dtype(x: Tensor) -> torch.dtype:
    """float32 for half precisions, else the dtype of `x`: nothing is accumulated in 8 or 11 bits."""
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
