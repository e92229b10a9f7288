"""Snapshots of ``--json`` output: the shape, and every value that is the same everywhere.

After an intended change refresh them and look at the difference::

    REFRESH_SNAPSHOTS=1 pytest carbon_assets_tests/cli/test_snapshots.py && git diff
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "snapshots"
VARYING = {
    "again",
    "at",
    "became_current",
    "code",
    "code_version",
    "computed_at",
    "content_hash",
    "created_at",
    "fingerprint",
    "id",
    "libraries",
    "manifest_hash",
    "numerics",
    "project_run_id",
    "run_id",
    "seconds",
    "size_bytes",
}
"""Fields that differ between two runs, machines or library versions."""


def compared(name: str, document: Any, home: Path) -> tuple[Any, Any]:
    """A document and its snapshot, to be equal; ``REFRESH_SNAPSHOTS`` writes it first."""
    found = json.dumps(scrubbed(document, home), indent=1, ensure_ascii=False) + "\n"
    path = FOLDER / f"{name}.json"
    if os.environ.get("REFRESH_SNAPSHOTS"):
        path.write_text(found, encoding="utf-8")
    return json.loads(found), json.loads(path.read_text(encoding="utf-8"))


def scrubbed(value: Any, home: Path) -> Any:
    """Blank what varies, shorten numbers to the digits that hold on every platform."""
    if isinstance(value, dict):
        return {
            name: "…" if name in VARYING and one is not None else scrubbed(one, home)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [scrubbed(one, home) for one in value]
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, str):
        return value.replace(str(home.resolve()), "HOME").replace(str(home), "HOME")
    return value
