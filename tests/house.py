"""The rules of the house as functions of source text, so that a test can plant a fault in each."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MOST_LINES = 400
# a folder may import from itself and from those to its left
ORDER = ("groups", "fields", "domains", "kernels", "aggregate", "nn", "models", "quant", "data", "tasks", "run")
# these two stand on nn and models, and only tasks and run (and tests) may import them
APART = ("laws", "analysis")
EXCEPTIONS = {
    # `16 * C8.regular` and `C8.type("...")` make field types: these files import that one class when they are called
    ("groups/group.py", "steerable.fields.type"),
    ("groups/representation.py", "steerable.fields.type"),
    # the law that an ONNX file computes what the module does has to run the file
    ("laws/export.py", "onnxruntime"),
    # the writer of integer networks imports onnx when it is called, and nothing of run
    ("quant/onnx_file.py", "onnx"),
}
HEAVY = ("lightning", "ray", "onnx", "onnxscript", "onnxruntime", "torchao", "jsonargparse")


def may_import(folder: str, target: str) -> bool:
    """Whether a file of `folder` may import `steerable.<target>`."""
    if folder == target:
        return True
    if folder in APART:
        return target in APART or (target in ORDER and ORDER.index(target) <= ORDER.index("models"))
    if folder not in ORDER:
        return False
    if target in APART:
        return folder in ("tasks", "run")
    return target in ORDER and ORDER.index(target) < ORDER.index(folder)


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, wherever it stands; names from `import steerable as st` count by use."""
    roots: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
                if alias.name == "steerable":
                    roots.add(alias.asname or "steerable")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join(parents[: len(parents) - node.level + 1] + ([base] if base else []))
            if base == "steerable":
                yield from ((node.lineno, f"steerable.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in roots:
            yield node.lineno, f"steerable.{node.attr}"


def order_faults(source: str, name: str) -> list[str]:
    """Imports of the file `name` (such as "groups/cyclic.py") that run against the order of the house."""
    faults = []
    folder, known = name.split("/")[0], (*ORDER, *APART)
    for line, target in imported(ast.parse(source), f"steerable.{folder}"):
        parts = target.split(".")
        if (name, target) in EXCEPTIONS:
            continue
        if parts[0] == "steerable" and len(parts) > 1 and parts[1] in known and not may_import(folder, parts[1]):
            faults.append(f"line {line}: {folder} imports {target}")
        if parts[0] == "steerable" and (len(parts) == 1 or parts[1] not in known) and target != "steerable.__version__":
            faults.append(f"line {line}: {folder} imports the top-level package; import from the folder that has it")
        if parts[0] in HEAVY and folder != "run":
            faults.append(f"line {line}: {folder} imports {parts[0]}; only run may")
    return faults


def length_faults(source: str) -> list[str]:
    """A file above 400 lines."""
    n = len(source.splitlines())
    return [f"{n} lines; at most {MOST_LINES}"] if n > MOST_LINES else []


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def docstring_faults(source: str) -> list[str]:
    """Public functions, classes and methods without a docstring (overloads and property setters excepted)."""
    faults = []
    tree = ast.parse(source)
    if tree.body and ast.get_docstring(tree) is None:
        faults.append("the file has no docstring")
    for name, node in _public(tree.body):
        marks = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
        if any(m.endswith(("overload", ".setter", "override")) for m in marks):
            continue
        if ast.get_docstring(node) is None:  # type: ignore[arg-type]
            faults.append(f"line {node.lineno}: {name} has no docstring")  # type: ignore[attr-defined]
    return faults


def print_faults(source: str) -> list[str]:
    """Calls of `print`."""
    return [
        f"line {n.lineno}: print"
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
    ]


def assert_faults(source: str) -> list[str]:
    """Bare `assert` statements."""
    return [f"line {n.lineno}: assert" for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Assert)]


def raise_faults(source: str) -> list[str]:
    """Errors whose message is a fixed text or missing: an error says what was given.

    `NotImplementedError`, `StopIteration`, `AssertionError` of the laws and re-raised names are let through, and so is
    a message that is built elsewhere (a name or a call).
    """
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        name = ast.unparse(node.exc.func)
        if name.rsplit(".", 1)[-1] in ("NotImplementedError", "StopIteration", "SystemExit"):
            continue
        args = node.exc.args
        if not args or isinstance(args[0], ast.Constant):
            faults.append(f"line {node.lineno}: raise {name} with a fixed text")
    return faults


def future_faults(source: str) -> list[str]:
    """A file with code that does not begin with `from __future__ import annotations`."""
    body = [n for n in ast.parse(source).body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    imports_only = all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Assign)) for n in body)
    if body and not imports_only and not (isinstance(body[0], ast.ImportFrom) and body[0].module == "__future__"):
        return ["`from __future__ import annotations` is missing"]
    return []
