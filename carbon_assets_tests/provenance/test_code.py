"""The code hash: a changed kernel changes it, anything else does not.

A copy of the package is changed byte by byte in a folder of its own and hashed by a process of
its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import carbon_assets
from carbon_assets.provenance import code
from carbon_assets.provenance.expectation import COMPUTE, DERIVE, PLACEMENT
from carbon_assets.runners.all_runners import RUNNERS

PACKAGE = Path(carbon_assets.__file__).parent
COMPUTED = (COMPUTE, PLACEMENT)

SCRIPT = """
import json, sys
from pathlib import Path
from carbon_assets.provenance import code

def hashes(roots):
    for cached in (code.code_hash, code._numeric_imports, code._path, code._source):
        cached.cache_clear()
    return {name: code.code_hash(*modules) for name, modules in roots.items()}

roots, files = json.load(sys.stdin)
result = {"": hashes(roots)}
for name in files:
    path = Path(name)
    before = path.read_bytes() if path.exists() else None
    path.write_bytes((before or b"") + b"#")
    result[name] = hashes(roots)
    path.write_bytes(before) if before is not None else path.unlink()
json.dump(result, sys.stdout)
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, root / "carbon_assets", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def hashes_after(
    root: Path, roots: dict[str, tuple[str, ...]], files: list[str]
) -> dict[str, dict[str, str]]:
    """Hashes of some modules, as they are and after a byte was added to each of some files."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        input=json.dumps([roots, files]),
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, dict[str, str]] = json.loads(run.stdout)
    return result


def files_of(root: Path, *folders: str) -> list[str]:
    return sorted(
        str(path.relative_to(root))
        for folder in folders
        for path in (root / "carbon_assets").glob(f"{folder}/**/*.py")
    )


ROOTS = {
    **{runner.name: (*COMPUTED, runner.module) for runner in RUNNERS},
    "farm_metrics": (DERIVE,),
}


def test_every_kernel_module_changes_the_hash_of_every_runner(copied: Path) -> None:
    kernel = files_of(copied, "science/zonal")
    assert "carbon_assets/science/zonal/coverage.py" in kernel
    result = hashes_after(copied, ROOTS, kernel)
    for name in kernel:
        for runner in RUNNERS:
            assert result[name][runner.name] != result[""][runner.name], (name, runner.name)
        assert result[name]["farm_metrics"] == result[""]["farm_metrics"], name


def test_a_runner_and_its_formulas_change_that_runner_alone(copied: Path) -> None:
    files = ["carbon_assets/runners/biomass.py", "carbon_assets/science/biomass.py"]
    result = hashes_after(copied, ROOTS, files)
    assert result[files[0]]["biomass"] != result[""]["biomass"]
    assert result[files[0]]["land_cover"] == result[""]["land_cover"]
    assert result[files[1]]["biomass"] != result[""]["biomass"]


@pytest.mark.parametrize("module", ["metrics/derive", "metrics/carbon", "reference/units"])
def test_what_derives_metrics_changes_their_hash_alone(copied: Path, module: str) -> None:
    file = f"carbon_assets/{module}.py"
    result = hashes_after(copied, ROOTS, [file])
    assert result[file]["farm_metrics"] != result[""]["farm_metrics"]
    assert result[file]["land_cover"] == result[""]["land_cover"]


def test_nothing_else_changes_any_hash(copied: Path) -> None:
    files = files_of(
        copied, "cli", "orchestration", "demo", "store", "intake", "provenance", "places"
    )
    files += ["carbon_assets/portfolio.py", "carbon_assets/errors.py", "carbon_assets/__init__.py"]
    before = hashes_after(copied, ROOTS, [])
    originals = {copied / name: (copied / name).read_bytes() for name in files}
    for path, content in originals.items():
        path.write_bytes(content + b"#")
    for name in ("README.md", "docs.md"):
        (copied / name).write_text("changed")
    after = hashes_after(copied, ROOTS, [])
    for path, content in originals.items():
        path.write_bytes(content)
    assert len(files) > 50
    assert after == before


def test_the_copy_has_the_hash_of_the_original(copied: Path) -> None:
    result = hashes_after(copied, ROOTS, [])
    assert result[""] == {name: code.code_hash(*modules) for name, modules in ROOTS.items()}


@pytest.mark.parametrize(
    ("source", "followed"),
    [
        ("from carbon_assets.science.made_up import thing\n", True),
        ("from carbon_assets.science import made_up\n", True),
        ("from . import made_up\n", True),
        ("from .made_up import thing\n", True),
        ("import carbon_assets.science.made_up\n", True),
        ("def late():\n    from carbon_assets.science.made_up import thing\n", True),
        ("try:\n    import carbon_assets.science.made_up\nexcept ImportError: pass\n", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import made_up\n", False),
        ("import typing\nif typing.TYPE_CHECKING:\n    from . import made_up\n", False),
        (
            "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    from . import made_up\n",
            True,
        ),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import math\n"
            "else:\n    from . import made_up\n",
            True,
        ),
        ("import made_up\n", False),
    ],
)
def test_every_form_of_import_is_followed_and_none_that_only_types_use(
    copied: Path, source: str, followed: bool
) -> None:
    folder = copied / "carbon_assets/science"
    entry, made_up = folder / "entry.py", folder / "made_up.py"
    entry.write_text(source)
    made_up.write_text("thing = 1\n")
    try:
        file = str(made_up.relative_to(copied))
        result = hashes_after(copied, {"entry": ("carbon_assets.science.entry",)}, [file])
        assert (result[file] != result[""]) is followed
    finally:
        entry.unlink()
        made_up.unlink()


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        code.code_hash("carbon_assets.science.no_such_module")


def test_the_commit_stands_beside_the_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(code, "_ROOT", tmp_path)
    code.code_version.cache_clear()
    try:
        assert code.code_version() == f"v{carbon_assets.__version__}"
        (tmp_path / ".git").mkdir()
        code.code_version.cache_clear()
        assert code.code_version() == f"v{carbon_assets.__version__}"
    finally:
        code.code_version.cache_clear()
