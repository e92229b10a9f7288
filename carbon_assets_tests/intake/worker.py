"""A mirror in a process of its own, to be killed."""

from __future__ import annotations

from pathlib import Path

from carbon_assets.intake.mirroring import mirror_files
from carbon_assets.store.database import Database


def mirror_one(database: Database, href: str, folder: Path) -> None:
    mirror_files(database, [href], folder)
