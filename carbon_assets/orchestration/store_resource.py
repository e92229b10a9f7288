"""The resource ``store``, which also records that this process executes a run.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

from collections.abc import Iterator

import dagster as dg

from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.orchestration.workers import at_work


def store_resource(store: CarbonStore) -> dg.ResourceDefinition:
    """Return the resource that hands a store to the steps of a run.

    In a run the process is recorded as the one that executes it, for
    :mod:`carbon_assets.orchestration.reaper`; in sensors and schedules nothing is recorded.

    Args:
        store: What the steps get.
    """

    @dg.resource(description="Database, companies and progress of a run")
    def resource(context: dg.InitResourceContext) -> Iterator[CarbonStore]:
        if context.run is None:
            yield store
            return
        with at_work(store.opened(), context.run.run_id):
            yield store

    return resource
