"""The message templates in the code: literal first arguments of `Message(...)` and of the errors of `rag.errors`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rag import errors

ROOT = Path(__file__).parent.parent
RAISED = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)}


def modules() -> list[Path]:
    return [
        ROOT / "app.py",
        *sorted(path for part in ("rag", "model", "webui") for path in (ROOT / part).rglob("*.py")),
    ]


def templates(path: Path) -> Iterator[tuple[int, str | None]]:
    """Line and template of each message made in a file; None where the template is not written out."""
    tree = ast.parse(path.read_text("utf-8"))
    named = {**shared_constants(), **_assigned(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _makes_message(node.func):
            yield from ((node.lineno, text) for text in _texts(node.args[0], named))


@cache
def shared_constants() -> dict[str, ast.expr]:
    """What the names in capitals of all modules stand for."""
    found = {}
    for path in modules():
        found |= {
            name: value for name, value in _assigned(ast.parse(path.read_text("utf-8"))).items() if name.isupper()
        }
    return found


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """The expression that each name is assigned, anywhere in a module."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value
    return found


def _makes_message(called: ast.expr) -> bool:
    if isinstance(called, ast.Call):  # type(error)("...")
        return isinstance(called.func, ast.Name) and called.func.id == "type"
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name == "Message" or name in RAISED


def _texts(template: ast.expr, named: dict[str, ast.expr]) -> Iterator[str | None]:
    if isinstance(template, ast.IfExp):
        yield from _texts(template.body, named)
        yield from _texts(template.orelse, named)
    elif isinstance(template, ast.Name) and template.id in named:
        yield from _texts(named[template.id], {})
    elif isinstance(template, ast.Constant) and isinstance(template.value, str):
        yield template.value
    else:
        yield None
