"""A process that begins a run and then waits to be killed: ``python -m … RUN_ID``.

``DAGSTER_HOME``, ``CARBON_DAGSTER_URL`` and ``CARBON_DATABASE_URL`` say where.
"""

import sys

import dagster as dg

from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.orchestration.store_resource import store_resource


@dg.asset(required_resource_keys={"store"})
def endless() -> None:
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdin.readline()


def definitions() -> dg.Definitions:
    return dg.Definitions(assets=[endless], resources={"store": store_resource(CarbonStore())})


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        definitions().resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            run_id=sys.argv[1],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
