"""The law of deployment: baked, compiled, exported and converted models give what the eager one gives."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from steerable.laws.equivariance import relative_error
from steerable.laws.setting import evaluated, tolerance


def _compare(what: str, module: nn.Module, found: Tensor, expected: Tensor, atol: float | None) -> None:
    limit = tolerance(expected) if atol is None else atol
    if found.shape != expected.shape:
        raise AssertionError(
            f"{type(module).__name__}: {what} gives shape {tuple(found.shape)}, eager {tuple(expected.shape)}"
        )
    error = relative_error(found, expected)
    if not error <= limit:
        raise AssertionError(
            f"{type(module).__name__}: {what} differs from eager by {error:.1e} (relative), allowed {limit:.0e}"
        )


def assert_baked_equals(module: nn.Module, x: Tensor, atol: float | None = None) -> nn.Module:
    """Fail unless ``st.bake(module)`` gives what ``module`` gives in eval, with no group object left.

    Returns:
        The baked module.

    Raises:
        AssertionError: with the error, or the name of a layer that still has a type.
    """
    from steerable.nn.bake import bake
    from steerable.nn.module import EquivariantModule

    baked = bake(module)
    left = [name or type(m).__name__ for name, m in baked.named_modules() if isinstance(m, EquivariantModule)]
    if left:
        raise AssertionError(
            f"{type(module).__name__}: the baked model still holds equivariant layers: {', '.join(left)}"
        )
    with evaluated(module) as call:
        _compare("the baked model", module, baked(x), call(x), atol)
    return baked


def assert_compiled_equals(
    module: nn.Module, x: Tensor, backend: str | Callable[..., Any] = "aot_eager", atol: float | None = None
) -> None:
    """Fail unless ``torch.compile(fullgraph=True)`` gives the eager result, in the mode that the module is in.

    Raises:
        AssertionError: with the error. Errors of the compiler pass through.
    """
    expected = module(x)
    _compare("the compiled model", module, torch.compile(module, backend=backend, fullgraph=True)(x), expected, atol)


def assert_export_equals_eager(
    module: nn.Module, x: Tensor, atol: float | None = None, dynamic_batch: bool = False
) -> torch.export.ExportedProgram:
    """Fail unless ``torch.export`` of the module in eval gives the eager result, after a round trip through a file.

    Args:
        module: any module.
        x: input.
        atol: largest relative error.
        dynamic_batch: export with a batch of any size, and compare on another one as well.

    Returns:
        The exported program.

    Raises:
        AssertionError: with the error. Errors of the exporter pass through.
    """
    with evaluated(module) as call:
        shapes = ({0: torch.export.Dim.DYNAMIC},) if dynamic_batch else None
        program = torch.export.export(module, (x,), dynamic_shapes=shapes)
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        buffer.seek(0)
        loaded = torch.export.load(buffer).module()
        _compare("the exported model", module, loaded(x), call(x), atol)
        if dynamic_batch:
            more = torch.cat([x, x.flip(0)])
            _compare("the exported model on a larger batch", module, loaded(more), call(more), atol)
    return program


def assert_onnx_equals(module: nn.Module, x: Tensor, atol: float | None = None) -> None:
    """Fail unless the model, converted to ONNX and run by onnxruntime, gives the eager result in eval.

    Raises:
        AssertionError: with the error. Errors of the converter and the runtime pass through.
        ModuleNotFoundError: without the extra ``steerable[export]``.
    """
    import onnxruntime

    with evaluated(module) as call, warnings.catch_warnings():
        # the converter calls parts of torch that are announced to go
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.onnx.export(module, (x,), dynamo=True, verbose=False)
        if program is None:
            raise AssertionError(f"{type(module).__name__}: the ONNX exporter returned {program!r}")
        buffer = io.BytesIO()
        program.save(buffer)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {session.get_inputs()[0].name: x.detach().numpy()})[0]
        _compare("the ONNX model", module, torch.from_numpy(found), call(x), 1e-4 if atol is None else atol)
