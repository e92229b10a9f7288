"""What the documents promise holds in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+")


def raised_codes() -> set[str]:
    """First arguments of the error classes, wherever they are built."""
    errors = ast.parse((ROOT / "carbon_assets" / "errors.py").read_text(encoding="utf-8"))
    classes = {node.name for node in errors.body if isinstance(node, ast.ClassDef)}
    codes = set()
    for path in (ROOT / "carbon_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                if node.func.id in classes and isinstance(first, ast.Constant):
                    codes.add(str(first.value))
    return codes


def test_every_code_that_is_raised_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/errors.md").read_text()))
    raised = {code for code in raised_codes() if CODE.fullmatch(code)}
    assert len(raised) > 50
    assert raised - explained == set()


def test_documents_link_to_files_that_exist() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_module_named_in_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(
        r"`((?:runners|orchestration|science|docs|benchmarks)/[\w/]+\.\w+)`", readme
    ):
        assert (ROOT / name).exists() or (ROOT / "carbon_assets" / name).exists(), name
