"""Which code can change a number: a hash of its bytes, and the commit beside it."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from carbon_assets import __version__

NUMERIC_PACKAGES = tuple(
    f"carbon_assets.{name}." for name in ("science", "rasters", "runners", "metrics")
)
"""Code here makes numbers; reference data enter a fingerprint by content, not by loader."""


@cache
def code_hash(*modules: str) -> str:
    """``sha256:…`` over the bytes of some modules and all numeric code that they import.

    Comments and formatting count: the hash is of bytes, so that it needs no judgement. A
    change elsewhere (README, command line, orchestration) leaves it as it is.
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
    tree = ast.parse(_source(module))
    nodes = [node for node in _statements(tree) if isinstance(node, ast.ImportFrom)]
    names = {node.module for node in nodes if node.module}
    return tuple(sorted(name for name in names if name.startswith(NUMERIC_PACKAGES)))


def _statements(tree: ast.AST) -> list[ast.AST]:
    """Every node that runs: what stands under ``if TYPE_CHECKING`` does not."""
    nodes: list[ast.AST] = []
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        nodes.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            ahead += node.orelse
        else:
            ahead += ast.iter_child_nodes(node)
    return nodes


@cache
def _source(module: str) -> bytes:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return Path(spec.origin).read_bytes()


@cache
def code_version() -> str:
    """Commit of the running code (``-dirty`` with local changes), or the package version."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return f"v{__version__}"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return f"v{__version__}"
    return found.stdout.strip()
