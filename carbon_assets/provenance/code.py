"""Which code can change a number: a hash of its bytes, and the commit beside it."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from carbon_assets import __version__

NUMERIC_CODE = (
    "carbon_assets.science",
    "carbon_assets.rasters",
    "carbon_assets.runners",
    "carbon_assets.metrics",
    "carbon_assets.reference.units",
)
"""Packages and modules that make numbers. Other reference data enter a fingerprint by content,
not by loader; units are arithmetic."""

_ROOT = Path(__file__).resolve().parents[2]


@cache
def code_hash(*modules: str) -> str:
    """``sha256:…`` over the bytes of some modules and all numeric code that they import.

    Comments and formatting count: the hash is of bytes, so that it needs no judgement. A
    change elsewhere (README, command line, orchestration) leaves it as it is.

    Raises:
        ModuleNotFoundError: If one of them is not a module of this package.
    """
    total = hashlib.sha256()
    for name in sorted(_closure(modules)):
        total.update(name.encode() + b"\0" + _source(name) + b"\0")
    return f"sha256:{total.hexdigest()}"


def _closure(modules: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    ahead = list(modules)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _numeric_imports(name)
    return found


@cache
def _numeric_imports(module: str) -> tuple[str, ...]:
    """Numeric modules that run when this one is imported or used, its packages included."""
    named = {
        name for node in _statements(ast.parse(_source(module))) for name in _named(node, module)
    }
    named.add(module)
    return tuple(
        sorted(
            name
            for full in named
            for name in _with_packages(full)
            if _is_numeric(name) and _path(name) is not None
        )
    )


_FOR_TYPES = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs: what stands under ``if TYPE_CHECKING`` does not."""
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_TYPES:
            ahead += node.orelse
        else:
            ahead += ast.iter_child_nodes(node)


def _named(node: ast.AST, module: str) -> Iterator[str]:
    """What an import statement names: modules, and what may be one or a member of one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = resolve_name("." * node.level + (node.module or ""), _package(module))
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _package(module: str) -> str:
    path = _path(module)
    is_package = path is not None and path.name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def _with_packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _is_numeric(module: str) -> bool:
    return any(f"{module}.".startswith(f"{numeric}.") for numeric in NUMERIC_CODE)


@cache
def _path(module: str) -> Path | None:
    base = _ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _source(module: str) -> bytes:
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module}", name=module)
    return path.read_bytes()


@cache
def code_version() -> str:
    """Commit of the running code (``-dirty`` with local changes), or the package version."""
    if not (_ROOT / ".git").exists():
        return f"v{__version__}"
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(  # noqa: S603 - nothing of it comes from a user
            command, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return f"v{__version__}"
    return found.stdout.strip()
