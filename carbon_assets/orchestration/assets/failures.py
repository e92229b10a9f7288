"""Errors that a user can act on, as the Dagster UI shows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import InterfaceError, OperationalError

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.store import CarbonStore

RETRIES = 2
RETRY_SECONDS = 5.0


@contextmanager
def explained(store: CarbonStore) -> Iterator[None]:
    """Turn an error that a user can act on into a failure with its code, place and advice.

    A failure of this kind is not retried: the same input would fail again. A database that was
    lost for a moment is: what was committed stands, and the step goes on from there.

    Args:
        store: Remembers the error, for who started the run in this process.

    Raises:
        Failure: In place of a ``CarbonAssetsError``.
        RetryRequested: In place of a lost connection, a deadlock and the like.
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
    except (OperationalError, InterfaceError) as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
