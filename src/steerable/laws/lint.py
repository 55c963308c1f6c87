"""Reading a model before it runs: where a plain operation breaks the symmetry of the fields it is given."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn

from steerable.fields.type import FieldType
from steerable.laws.lint_rules import POINTWISE, Finding, State, flattens, judge, pointwise, shift
from steerable.nn.module import EquivariantModule
from steerable.nn.sequential import Plain

_SUMS = (operator.add, operator.iadd, operator.sub, operator.isub, torch.add, torch.sub)
_PRODUCTS = (operator.mul, operator.imul, torch.mul)
_REDUCTIONS = frozenset({"mean", "sum", "amax", "amin", "adaptive_avg_pool2d", "adaptive_max_pool2d"})
#: after these nothing is known of the channels
_UNKNOWN = frozenset({"getattr", "getitem", "size", "dim", "chunk", "split", "unflatten", "permute", "transpose"})
_RESHAPES = frozenset({"flatten", "view", "reshape"})
_GLOBAL = frozenset({"GlobalAvgPool2d", "GlobalMaxPool2d"})


class _Tracer(fx.Tracer):
    """Follows tensors through user modules; steerable layers and those of torch stay whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            return False
        if isinstance(m, EquivariantModule):
            return isinstance(m, Plain) or not any(
                isinstance(c, EquivariantModule | nn.Sequential) for c in m.children()
            )
        return type(m).__module__.startswith(("torch.nn.", "steerable."))


def lint(model: nn.Module, x: Tensor | None = None) -> list[Finding]:
    """Places where a model breaks its symmetry, found without running it.

    The forward is traced symbolically, so chains, residual sums, concatenations and functions are followed through a
    user's own modules. A module whose forward cannot be traced is read part by part. Found are: a bias, an affine or a
    pointwise function on a non-trivial irrep, a plain module after a non-trivial type, dropout of single channels, a
    flatten of space that was not pooled, types that do not meet. A model without any typed layer has nothing to find.

    Args:
        model: any module.
        x: optional input; the model is then run once, and strided layers are held against its size.

    Returns:
        Findings in the order of the computation; empty if the model is clean.
    """
    found: list[Finding] = []
    if any(isinstance(getattr(m, "in_type", None), FieldType) for m in model.modules()):
        _read("", model, State(_in_type(model), True), found)
    if x is not None:
        from steerable.laws.sizes import size_violations

        found += [
            Finding(
                v.layer,
                f"size {' x '.join(map(str, v.size))} with kernel, stride, padding {v.window[:3]} is not exact",
                f"use {v.mend}",
            )
            for v in size_violations(model, x)
        ]
    return found


def _in_type(module: nn.Module) -> FieldType | None:
    known = getattr(module, "in_type", None)
    return known if isinstance(known, FieldType) else None


def _read(path: str, module: nn.Module, state: State, found: list[Finding]) -> State:
    """Append the findings within one module; what comes out of it."""
    if isinstance(module, Plain):
        fault, _ = judge(_join(path, "module"), module.module, State(module.in_type, state.space))
        if fault is not None and not fault.problem.startswith("plain "):  # the author vouched for the map itself
            found.append(fault)
        return State(module.out_type, state.space)
    tracer = _Tracer()
    if type(module).__module__.startswith("steerable.nn.") and tracer.is_leaf_module(module, path):
        return State(getattr(module, "out_type", None), state.space)  # a layer of the library, not in any chain
    try:
        graph = tracer.trace(module)
    except Exception:  # data-dependent control flow, unpacking of shapes, ...: read the parts alone
        for name, child in module.named_children():
            if _is_traced(child):
                _read(_join(path, name), child, State(_in_type(child), True), found)
        return State(getattr(module, "out_type", None), True)
    return _Reader(path, module, state, found).run(graph)


def _is_traced(module: nn.Module) -> bool:
    return isinstance(module, Plain) or any(True for _ in module.children())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Reader:
    """Carries states along the nodes of a traced graph."""

    def __init__(self, path: str, module: nn.Module, state: State, found: list[Finding]) -> None:
        self.path, self.module, self.first, self.found = path, module, state, found
        self.states: dict[fx.Node, State | None] = {}

    def run(self, graph: fx.Graph) -> State:
        """State of the output."""
        result = State(None, True)
        for node in graph.nodes:
            if node.op == "placeholder":
                self.states[node] = self.first
                self.first = State(None, True)  # a second argument is none of the fields
            elif node.op == "get_attr":
                self.states[node] = None
            elif node.op == "output":
                result = self._of(node.args[0]) or result
            else:
                self.states[node] = self._module(node) if node.op == "call_module" else self._function(node)
        return result

    def _of(self, value: Any) -> State | None:
        return self.states.get(value) if isinstance(value, fx.Node) else None

    def _add(self, fault: Finding | None) -> None:
        if fault is not None and fault not in self.found:
            self.found.append(fault)

    def _module(self, node: fx.Node) -> State | None:
        path = _join(self.path, str(node.target))
        module = self.module.get_submodule(str(node.target))
        state = self._of(node.args[0]) if node.args else None
        wanted = getattr(module, "in_type", None)
        if state is None:  # nothing is known of a slice of channels; types begin again at the next typed layer
            return State(module.out_type, True) if isinstance(wanted, FieldType) else None
        if isinstance(wanted, FieldType):
            if state.type is not None and state.type != wanted:
                self._add(Finding(path, f"is given {state.type!r} but expects {wanted!r}", "make the types meet"))
            if state.type is None and not wanted.is_trivial:
                self._add(
                    Finding(
                        path,
                        f"expects {wanted!r} after plain channels",
                        "begin with trivial fields, or vouch for the module before it with st.nn.Plain",
                    )
                )
            if isinstance(module, Plain):
                return _read(path, module, state, self.found)
            return State(module.out_type, state.space and type(module).__name__ not in _GLOBAL)
        if type(module).__name__ in _GLOBAL:
            if state.moves and "Max" in type(module).__name__:
                self._add(pointwise(path, type(module).__name__, state))
            return State(state.type, False)
        if not type(module).__module__.startswith("torch.nn."):
            return state
        fault, after = judge(path, module, state)
        self._add(fault)
        return after

    def _function(self, node: fx.Node) -> State | None:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        path = _join(self.path, node.name)
        if name == "cat":
            return self._concatenate(node)
        states = [s for a in node.args if (s := self._of(a)) is not None]  # a square has its operand twice
        if not states or name in _UNKNOWN:
            return None
        state = max(states, key=lambda s: s.type.size if s.type else 0)
        if node.target in _SUMS or name in ("add", "add_", "sub", "sub_"):
            self._arithmetic(path, "add", node, states)
        elif node.target in _PRODUCTS or name in ("mul", "mul_"):
            self._arithmetic(path, "mul", node, states)
        elif name in POINTWISE:
            self._add(pointwise(path, name, state))
        elif name in _RESHAPES and state.space:
            self._add(flattens(path, state))
            return State(state.type, False)
        elif name in _REDUCTIONS:
            return State(state.type, False)
        return state

    def _arithmetic(self, path: str, name: str, node: fx.Node, states: list[State]) -> None:
        types = [s.type for s in states if s.type is not None]
        moving = next((s for s in states if s.moves), None)
        if moving is not None and any(a.op == "get_attr" for a in node.all_input_nodes):
            self._add(shift(path, name, moving))
        if name == "add" and any(t != types[0] for t in types):
            self._add(
                Finding(
                    path,
                    f"sum of fields of different types {types[0]!r} and {types[-1]!r}",
                    "bring both to one type with a steerable layer",
                )
            )
        both = len(types) == 2 and not any(t.is_trivial for t in types)
        if name == "mul" and both and not all(t.is_permutation for t in types):
            self._add(
                Finding(
                    path,
                    f"product, channel by channel, of {types[0]!r} and {types[1]!r}",
                    "use Gate (a trivial field times a field) or TensorProduct",
                )
            )

    def _concatenate(self, node: fx.Node) -> State | None:
        parts = node.args[0] if node.args else node.kwargs.get("tensors", ())
        states = [s for p in parts if (s := self._of(p)) is not None]  # type: ignore[union-attr]
        types = [s.type for s in states if s.type is not None]
        if len(types) != len(parts):  # type: ignore[arg-type]
            return None
        return State(sum(types[1:], types[0]), any(s.space for s in states))
