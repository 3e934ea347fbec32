"""Digests of the code that components run, for TFX's cache.

TFX caches a component by its inputs and parameters. Code that it runs by module path is in
neither, so an edit would go unnoticed; each component carries the digest of the modules it runs,
and of the versions of the libraries that these import.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("pipeline", "components", "serving")
# Settings are passed by value, and values are parameters already: a new default is seen, while a
# new setting of one component, or a check of it, leaves the others' results valid. What public
# methods make of the values is code like any other.
_DECLARATIONS = "pipeline.config"


def code_fingerprint(module: str) -> str:
    """Digests a module, all modules of this project that it imports, directly or not, and versions.

    Comments, docstrings and formatting do not count. A library counts by the version installed.

    Args:
      module: Dotted name, such as `pipeline.preprocessing`.

    Returns:
      16 hex digits.

    Raises:
      ValueError: There is no such module in the project.
    """
    if _source(module) is None:
        raise ValueError(f"there is no module {module} in {_ROOT}")
    reached: set[str] = set()
    foreign: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if _source(name) is None:
            foreign.add(name.partition(".")[0])
        elif name not in reached:
            reached.add(name)
            imported = _imports(name)
            if _is_declaration(name):
                imported = {other for other in imported if _is_declaration(other)}
            waiting.extend(imported)
    code = {name: _dumped(name) for name in sorted(reached)}
    return value_fingerprint([code, _versions(foreign)])


def value_fingerprint(value: Any) -> str:
    """Digests a JSON-like value; 16 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _source(module: str) -> Path | None:
    if module.partition(".")[0] not in _PACKAGES:
        return None
    path = _ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _versions(packages: set[str]) -> dict[str, str]:
    """Versions of the libraries, by name, that top-level packages come from."""
    libraries = {
        library for name in packages.difference(_PACKAGES) for library in _libraries().get(name, [])
    }
    return {library: metadata.version(library) for library in sorted(libraries)}


@cache
def _libraries() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


@cache
def _parse(path: Path, modified_ns: int) -> ast.Module:
    del modified_ns  # part of the cache's key
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
    return tree


def _tree(module: str) -> ast.Module:
    path = _source(module)
    assert path is not None  # noqa: S101  (callers checked)
    return _parse(path, path.stat().st_mtime_ns)


def _dumped(module: str) -> list[str]:
    tree = _tree(module)
    if not _is_declaration(module):
        return [ast.dump(tree)]
    return [
        f"{owner.name}: {ast.dump(method)}"
        for owner in tree.body
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
    ]


def _is_declaration(module: str) -> bool:
    return f"{module}.".startswith(f"{_DECLARATIONS}.")


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports(module: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found
