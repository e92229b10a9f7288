"""Loading the definitions again, through the web server."""

from __future__ import annotations

from urllib.parse import urlsplit

from carbon_assets.errors import ProvenanceError

LOCATION = "carbon_assets"
SECONDS = 240


def reload_definitions(url: str) -> None:
    """Ask a web server to load the code location again.

    Args:
        url: Address of the web server, e.g. ``http://127.0.0.1:3000``.

    Raises:
        ProvenanceError: ``RELOAD_FAILED``.
    """
    # Takes half a second to import, and most ticks have nothing to reload.
    from dagster_graphql import (
        DagsterGraphQLClient,
        DagsterGraphQLClientError,
        ReloadRepositoryLocationStatus,
    )

    parts = urlsplit(url)
    try:
        client = DagsterGraphQLClient(
            parts.hostname or "",
            port_number=parts.port,
            use_https=parts.scheme == "https",
            timeout=SECONDS,
            path_prefix=parts.path.rstrip("/"),
        )
        answer = client.reload_repository_location(LOCATION)
    except (DagsterGraphQLClientError, OSError) as error:
        raise _failed(url, str(error)) from error
    if answer.status != ReloadRepositoryLocationStatus.SUCCESS:
        raise _failed(url, f"{answer.failure_type}: {answer.message}")


def _failed(url: str, what: str) -> ProvenanceError:
    return ProvenanceError(
        "RELOAD_FAILED",
        f"the definitions were not loaded again: {what.strip()[:300]}",
        where=url,
        do="start the web server, or reload the code location in its Deployment page",
    )
