"""A file for every machine holds ordinary operators only: these functions list them and refuse others."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import torch

from steerable.data.errors import InputError

#: of ONNX: the standard operators alone, under both of their names
DOMAINS = ("", "ai.onnx")


def program_operators(program: torch.export.ExportedProgram) -> dict[str, int]:
    """Return the operators of a program and how often each occurs.

    Raises:
        InputError: an operator that does not belong to ATen, a nested graph, or an object of a custom class.
    """
    found: Counter[str] = Counter()
    for graph in [m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]:
        for node in graph.nodes:
            if node.op in ("placeholder", "output", "get_attr"):
                continue
            target: Any = node.target
            if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
                found[f"aten.{target.__name__}"] += 1
            elif getattr(operator, getattr(target, "__name__", ""), None) is not target:  # sizes, and items of a pair
                raise InputError(
                    f"the graph holds {node.op} '{target}'; expected operators of ATen only. Bake the layer."
                )
    odd = [name for name, value in program.constants.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise InputError(f"the program holds the objects {odd}; expected tensors only. Bake the layer that makes them.")
    return dict(sorted(found.items()))


def onnx_operators(model: Any) -> dict[str, int]:
    """Return the operators of an `onnx.ModelProto` and how often each occurs, those of nested graphs too.

    Raises:
        InputError: an operator outside of the standard, or a function of the model's own.
    """
    found: Counter[str] = Counter()

    def walk(graph: Any) -> None:
        for node in graph.node:
            if node.domain not in DOMAINS:
                raise InputError(
                    f"the graph holds '{node.domain}.{node.op_type}'; expected standard operators of ONNX only. Bake "
                    "the layer."
                )
            found[node.op_type] += 1
            for attribute in node.attribute:
                for inner in [attribute.g, *attribute.graphs]:
                    walk(inner)

    walk(model.graph)
    if model.functions:
        names = [f.name for f in model.functions]
        raise InputError(f"the model holds the functions {names}; expected standard operators of ONNX only.")
    return dict(sorted(found.items()))
