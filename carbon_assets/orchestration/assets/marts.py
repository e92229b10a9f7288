"""Marts: one asset per SQL model of ``dbt_like_sql``, all made in one transaction.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from carbon_assets.marts.apply import Applied, apply_models
from carbon_assets.marts.models import SCHEMA, Model, load_models
from carbon_assets.marts.reading import Shown, show
from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.metadata import table_metadata
from carbon_assets.orchestration.names import MARTS_GROUP, OWNERS, mart_key
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.engines import transaction

PREVIEW_ROWS = 10


def marts_asset() -> dg.AssetsDefinition:
    """Build the assets of all SQL models.

    Raises:
        MartError: A model cannot be used.
    """
    models = load_models()

    @dg.multi_asset(name="marts", specs=[_spec(model) for model in models.models], can_subset=True)
    def marts(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with explained(store):
            applied = apply_models(store.opened(), models)
        for model in models.models:
            key = mart_key(model.name)
            if key in context.selected_asset_keys:
                with transaction(store.opened()) as connection:
                    shown = show(connection, model.name, PREVIEW_ROWS)
                yield _result(key, applied[model.name], shown)

    return marts


def _spec(model: Model) -> dg.AssetSpec:
    upstream = [mart_key(name) for name in model.refs]
    upstream += [dg.AssetKey(key.split("/")) for key in model.assets]
    return dg.AssetSpec(
        mart_key(model.name),
        deps=upstream,
        group_name=MARTS_GROUP,
        owners=OWNERS,
        kinds={"postgres", "sql", model.materialized},
        code_version=model.digest[:19],
        description=model.description,
        metadata={
            "dagster/table_name": f"{SCHEMA}.{model.name}",
            "file": f"dbt_like_sql/{model.where}",
            "SQL": dg.MetadataValue.md(f"```sql\n{model.sql}```"),
        },
    )


def _result(key: dg.AssetKey, applied: Applied, shown: Shown) -> dg.MaterializeResult[Any]:
    columns = [dg.TableColumn(name, kind) for name, kind in shown.columns]
    return dg.MaterializeResult(
        asset_key=key,
        data_version=dg.DataVersion(applied.version),
        metadata={
            "action": applied.action,
            "dagster/row_count": shown.rows,
            "dagster/column_schema": dg.TableSchema(columns),
            "first rows": table_metadata(shown.first),
        },
    )
