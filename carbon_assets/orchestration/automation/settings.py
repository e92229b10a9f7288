"""What an installation may set: environment variables with their defaults."""

from __future__ import annotations

import os
from pathlib import Path

from carbon_assets.errors import ProvenanceError
from carbon_assets.store.home import carbon_home

CAP_VARIABLE = "CARBON_TICK_PARTITIONS"
CAP_DEFAULT = 50_000
INBOX_VARIABLE = "CARBON_INBOX"
CRON_VARIABLE = "CARBON_ANNUAL_CRON"
CRON_DEFAULT = "0 3 15 1 *"
WEBSERVER_VARIABLE = "CARBON_WEBSERVER_URL"
MIRROR_VARIABLE = "CARBON_MIRROR"


def partition_cap() -> int:
    """Return how many stale asset partitions one tick may ask for.

    Raises:
        ProvenanceError: ``SETTING_INVALID``.
    """
    given = os.environ.get(CAP_VARIABLE) or str(CAP_DEFAULT)
    if not given.isascii() or not given.isdigit():
        raise ProvenanceError(
            "SETTING_INVALID",
            f"{CAP_VARIABLE} is {given!r}, which is not a number of partitions",
            do=f"give a whole number, or leave it unset for {CAP_DEFAULT}",
        )
    return int(given)


def inbox() -> Path:
    """Return the watched folder, which need not exist."""
    given = os.environ.get(INBOX_VARIABLE)
    return Path(given).expanduser().absolute() if given else carbon_home() / "inbox"


def annual_cron() -> str:
    """Return when the annual run is due, in UTC."""
    return os.environ.get(CRON_VARIABLE) or CRON_DEFAULT


def webserver_url() -> str | None:
    """Return where the web server answers that can reload the definitions, if one is named."""
    return os.environ.get(WEBSERVER_VARIABLE) or None


def mirror_folder() -> Path | None:
    """Return where remote rasters are copied to before an annual run, if anywhere."""
    given = os.environ.get(MIRROR_VARIABLE)
    return Path(given).expanduser().absolute() if given else None
