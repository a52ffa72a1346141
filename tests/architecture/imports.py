"""Follows imports through the project's sources, without importing anything."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def path_of(module: str) -> Path | None:
    """The file of one of our modules."""
    stem = ROOT.joinpath(*module.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def imported_by(path: Path) -> set[str]:
    """Names that a module imports when it runs: modules, and what it takes from them (which may be modules)."""
    tree = ast.parse(path.read_text())
    for_types = {inner for node in ast.walk(tree) if is_for_types(node) for inner in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def is_for_types(node: ast.AST) -> bool:
    """Whether it is an ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def reached_from(start: str, packages: tuple[str, ...]) -> dict[str, Path]:
    """A module and every module of these packages that it reaches by imports."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        path = path_of(module) if module.partition(".")[0] in packages else None
        if path is not None and module not in found:
            found[module] = path
            waiting += sorted(imported_by(path))
    return found
