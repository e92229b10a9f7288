"""Which content of a remote file this process has open.

GDAL forgets what it read of a remote file with the last handle on it, and lends it to every
handle until then. A second reader that expects newer bytes would be given the old ones.
"""

from __future__ import annotations

from threading import Lock

from carbon_assets.rasters.remote.refusals import changed


class RemoteHandles:
    """Counts handles by address; all handles on one address expect the same content."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, tuple[str, int]] = {}

    def add(self, href: str, content_hash: str) -> None:
        """Note a handle before it is opened.

        Raises:
            RasterError: ``RASTER_CHANGED`` while others read another content.
        """
        with self._lock:
            content, count = self._open.get(href, (content_hash, 0))
            if content != content_hash:
                raise changed(href)
            self._open[href] = (content, count + 1)

    def remove(self, href: str) -> None:
        """Note that a handle was closed."""
        with self._lock:
            content, count = self._open.pop(href)
            if count > 1:
                self._open[href] = (content, count - 1)


REMOTE_HANDLES = RemoteHandles()
"""Those of this process."""
