"""The sources use no name that another package keeps to itself: one that begins with an underscore."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in (ROOT / "service").rglob("*.py")}
DOCUMENTED = {"os._exit", "_replace", "_asdict", "_fields", "_make", "_fields_"}
"""Names of the standard library that its documentation gives to everybody: of os, named tuples and ctypes."""


def is_private(name: str) -> bool:
    return name.startswith("_") and name != "_" and not name.startswith("__")


def is_own_instance(node: ast.expr) -> bool:
    """Tell whether `node` is self, cls or super()."""
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Name) and called.id in {"self", "cls", "super"}


def defined(tree: ast.AST) -> Iterator[str]:
    """List the names that a file defines: classes, functions, variables, and attributes of its own instances."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own_instance(node.value):
            yield node.attr


DEFINED = {file: frozenset(defined(tree)) for file, tree in SOURCES.items()}
ANYWHERE = frozenset().union(*DEFINED.values())


def used(tree: ast.AST) -> Iterator[tuple[str, str, bool]]:
    """List each private name that is used: the name, the expression, and whether it is that of an own instance."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.attr, ast.unparse(node), is_own_instance(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            for name in [module, *(alias.name for alias in node.names)]:
                for part in filter(is_private, name.split(".")):
                    yield part, ast.unparse(node), False
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "setattr", "hasattr", "delattr"}:
            for argument in node.args[1:2]:
                if isinstance(argument, ast.Constant) and is_private(str(argument.value)):
                    yield str(argument.value), ast.unparse(node), is_own_instance(node.args[0])


def borrowed(file: str) -> list[str]:
    """List the private names that `file` uses and nothing here defines; a stranger's must be defined in the file."""
    own = DEFINED[file]
    return [
        expression
        for name, expression, inherited in used(SOURCES[file])
        if not {name, expression} & DOCUMENTED and name not in (ANYWHERE if inherited else own)
    ]


def replaced(file: str) -> Iterator[str]:
    """List the private names that the classes of `file` define and a class of another package has already."""
    classes = {node.name: node for node in ast.walk(SOURCES[file]) if isinstance(node, ast.ClassDef) and node.bases}
    if not classes:
        return
    module = import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    for name, node in classes.items():
        cls = vars(module).get(name)
        if not inspect.isclass(cls):  # within a function
            continue
        strangers = [base for base in cls.__mro__ if not base.__module__.startswith("service.")]
        for written in filter(is_private, set(defined(node))):
            yield from (f"{name}.{written}" for base in strangers if written in vars(base))


@pytest.mark.parametrize("file", sorted(SOURCES))
def test_private_names_are_our_own(file: str) -> None:
    assert not borrowed(file)
    assert not list(replaced(file))
