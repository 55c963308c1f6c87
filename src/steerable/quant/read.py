"""From a traced graph to a chain of units: layers are fused, and what has no integer form is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import fx, nn

from steerable.quant.linear_unit import LinearUnit
from steerable.quant.rules import FUNCTIONS, METHODS, bounds, is_linear, is_norm, linear_unit, module_units
from steerable.quant.units import Unit


class Row(NamedTuple):
    """One line of a program: where the result goes, what makes it, from where."""

    name: str
    unit: Unit
    inputs: tuple[str, ...]


def read_graph(graph: fx.GraphModule) -> tuple[list[Row], str]:
    """Units in order, and the name of the result.

    Raises:
        TypeError: naming the layer or function that has no integer form, and the mend.
    """
    rows: list[Row] = []
    where: dict[fx.Node, str] = {}
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node in where or (node.op not in ("placeholder", "output") and not node.users):
            continue
        if node.op == "placeholder":
            where[node] = "input"
        elif node.op == "output":
            result = node.args[0]
            if not isinstance(result, fx.Node):
                raise TypeError(f"quantize: the model returns {type(result).__name__}; expected one tensor")
            return rows, where[result]
        else:
            _read_node(node, modules, where, rows)
    raise TypeError(f"quantize: the graph {graph.graph} has no output; expected a model that returns a tensor")


def _read_node(node: fx.Node, modules: dict[str, nn.Module], where: dict[fx.Node, str], rows: list[Row]) -> None:
    found: list[Unit] | None = None
    module = modules[str(node.target)] if node.op == "call_module" else None
    chain = [node]
    if module is not None and (is_linear(module) or is_norm(module)):
        found, chain = _fuse(node, module, modules)
    elif module is not None:
        found = module_units(module, node)
    elif node.op == "call_function":
        rule: Callable[..., list[Unit] | None] | None = FUNCTIONS.get(node.target)
        found = rule(node) if rule else None
    elif node.op == "call_method":
        rule = METHODS.get(str(node.target))
        found = rule(node) if rule else None
    if found is None:
        raise TypeError(_complaint(node, module))
    if len(chain) == 1 and len(found) == 1 and hasattr(found[0], "low") and not isinstance(found[0], LinearUnit):
        chain = _with_activation(chain, found[0], modules)
    inputs = tuple(where[n] for n in _sources(node))
    for i, unit in enumerate(found):
        name = chain[-1].name if i == len(found) - 1 else f"{chain[-1].name}_{i}"
        rows.append(Row(name, unit, inputs))
        inputs = (name,)
    for n in chain:
        where[n] = inputs[0]


def _sources(node: fx.Node) -> list[fx.Node]:
    """Nodes that it takes, in order and as often as it takes them (``x + x`` takes one twice)."""
    found: list[fx.Node] = []
    for a in node.args:
        found += [n for n in (a if isinstance(a, list | tuple) else (a,)) if isinstance(n, fx.Node)]
    return found


def _fuse(node: fx.Node, module: nn.Module, modules: dict[str, nn.Module]) -> tuple[list[Unit] | None, list[fx.Node]]:
    """A linear unit with the norm and the cut that follow it and nothing else."""
    chain, norm = [node], None
    follower = _only_user(node)
    if not is_norm(module) and follower is not None and is_norm(_module(follower, modules)):
        norm = _module(follower, modules)
        chain.append(follower)
    unit = linear_unit(module, norm, node)
    if unit is None:
        return None, chain
    return [unit], _with_activation(chain, unit, modules)


def _with_activation(chain: list[fx.Node], unit: Any, modules: dict[str, nn.Module]) -> list[fx.Node]:
    """Take a ReLU that follows into the unit: in integers it is the end of a range."""
    follower = _only_user(chain[-1])
    if follower is None:
        return chain
    found = bounds(follower, _module(follower, modules))
    if found is None:
        return chain
    unit.low, unit.high = found
    return [*chain, follower]


def _only_user(node: fx.Node) -> fx.Node | None:
    """The node that uses this one, if there is one only."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _complaint(node: fx.Node, module: nn.Module | None) -> str:
    what = f"layer {str(node.target).removeprefix('model.')!r} ({type(module).__name__})" if module is not None else (
        f"{getattr(node.target, '__name__', node.target)!r} of {', '.join(str(a) for a in node.all_input_nodes)}"
    )  # fmt: skip
    return (
        f"quantize: {what} has no integer form; expected convolutions, linear maps, batch norms, pointwise functions, "
        f"pools, sums, concatenations and reshapes. Use regular fields with ReLU and GroupPool, or keep this part "
        f"outside the quantised model"
    )
