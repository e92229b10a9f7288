"""CARBON_HOME: the folder that holds what carbon-assets keeps between two commands."""

from __future__ import annotations

import os
from pathlib import Path

from carbon_assets.errors import StoreError


def carbon_home(home: Path | None = None) -> Path:
    """Return CARBON_HOME as an absolute path and create it when missing.

    Args:
        home: The folder to use; by default the environment variable ``CARBON_HOME``, else
            ``.carbon`` in the current folder. A new folder hides itself from git.

    Raises:
        StoreError: ``CARBON_HOME_UNUSABLE`` when it cannot be created or written to.
    """
    chosen = home or Path(os.environ.get("CARBON_HOME") or ".carbon")
    folder = chosen.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("no right to write")
    except OSError as error:
        raise StoreError(
            "CARBON_HOME_UNUSABLE",
            f"The folder cannot be used: {error.strerror or error}.",
            where=str(folder),
            do="Set CARBON_HOME to a folder that this user may write to.",
        ) from error
    return folder
