"""Putting finished files in place, so that nobody ever reads half a file."""

from __future__ import annotations

import filecmp
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(folder: Path, last: str | None = None) -> Iterator[Path]:
    """Offer a scratch folder whose files move into ``folder`` when the block ends well.

    A file whose bytes are already in place is left alone, its time stamp included, so that
    nothing downstream takes it for new. If the block raises, ``folder`` stays as it was.

    Args:
        folder: Where the files belong; created when missing.
        last: Name of the file that moves last: its presence says that the others are there.

    Yields:
        The scratch folder, on the same file system.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        yield Path(scratch)
        written = (p.relative_to(scratch) for p in Path(scratch).rglob("*") if p.is_file())
        for name in sorted(written, key=lambda n: (str(n) == last, n)):
            _move(Path(scratch, name), folder / name)


def _move(source: Path, target: Path) -> None:
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
