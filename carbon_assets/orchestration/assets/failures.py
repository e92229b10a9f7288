"""Errors that a user can act on, as the Dagster UI shows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.store import CarbonStore


@contextmanager
def explained(store: CarbonStore) -> Iterator[None]:
    """Turn an error that a user can act on into a failure with its code, place and advice.

    A failure of this kind is not retried: the same input would fail again.

    Args:
        store: Remembers the error, for who started the run in this process.

    Raises:
        Failure: In place of a ``CarbonAssetsError``.
    """
    try:
        yield
    except CarbonAssetsError as error:
        store.errors.append(error)
        raise dg.Failure(
            description=str(error),
            metadata={"code": error.code, "where": error.where or "", "do": error.do or ""},
            allow_retries=False,
        ) from error
