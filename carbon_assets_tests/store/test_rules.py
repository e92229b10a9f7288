"""The database itself refuses to change what is recorded, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from carbon_assets.store.database import Database
from carbon_assets.store.engines import app_engine, owner_engine, transaction
from carbon_assets.store.models import (
    AssetKey,
    Base,
    Farm,
    GeometryVersion,
    RasterAggregate,
    RasterDataSource,
)
from carbon_assets_tests.scratch import Host, scratch_database
from carbon_assets_tests.store.samples import Sample, receipt, text_hash, write_sample

IMMUTABLE = (
    "geometry_versions",
    "geometry_edits",
    "raster_assets",
    "raster_aggregates",
    "raster_aggregate_inputs",
    "farm_metrics",
    "farm_metric_sources",
    "partition_inputs",
    "partition_history",
)
TRIGGER_ONLY = "partition_state"
ROLES = {"application": app_engine, "owner": owner_engine}


@pytest.fixture(scope="module")
def filled(database_host: Host, template_database: str) -> Iterator[tuple[Database, Sample]]:
    with scratch_database(database_host, template_database) as (_, database):
        yield database, write_sample(database)


def refusal(engine: Engine, statement: str) -> str:
    """Run a statement that must fail; return the SQLSTATE, and leave nothing behind."""
    with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
        connection.execute(text(statement))
    return str(caught.value.orig.sqlstate)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", [*IMMUTABLE, TRIGGER_ONLY, "farms"])
@pytest.mark.parametrize("change", ["DELETE FROM {t}", "TRUNCATE {t} CASCADE"])
def test_recorded_rows_cannot_be_removed(
    filled: tuple[Database, Sample], table: str, role: str, change: str
) -> None:
    state = refusal(ROLES[role](filled[0]), change.format(t=table))
    assert state == {"application": "42501", "owner": "23001"}[role]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", [*IMMUTABLE, TRIGGER_ONLY])
def test_recorded_rows_cannot_be_changed(
    filled: tuple[Database, Sample], table: str, role: str
) -> None:
    plain = [c.name for c in Base.metadata.tables[table].c if not (c.computed or c.identity)]
    column = plain[-1]
    state = refusal(ROLES[role](filled[0]), f"UPDATE {table} SET {column} = {column}")
    assert state == {"application": "42501", "owner": "23001"}[role]


@pytest.mark.parametrize("role", ROLES)
def test_state_cannot_be_written_by_hand(filled: tuple[Database, Sample], role: str) -> None:
    values = f"(1, 99, 2020, 1, 1, '\\x{'00' * 32}')"
    columns = "(asset_id, subject_id, vintage, history_id, inputs_id, fingerprint)"
    state = refusal(
        ROLES[role](filled[0]), f"INSERT INTO partition_state {columns} VALUES {values}"
    )
    assert state == {"application": "42501", "owner": "23001"}[role]


def test_the_message_names_table_and_operation(filled: tuple[Database, Sample]) -> None:
    with (
        pytest.raises(DBAPIError, match="UPDATE of raster_aggregates refused") as caught,
        owner_engine(filled[0]).connect() as connection,
    ):
        connection.execute(text("UPDATE raster_aggregates SET value = 0"))
    assert "Record a new row" in caught.value.orig.diag.message_hint


def test_replica_mode_does_not_switch_the_rules_off(
    database_host: Host, template_database: str
) -> None:
    with (
        scratch_database(database_host, template_database) as (name, database),
        database_host.admin(name) as connection,
    ):
        write_sample(database)
        try:
            connection.execute("SET session_replication_role = replica")
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("needs a superuser")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE farm_metrics SET value_canonical = 0")


def test_the_application_owns_nothing_and_is_no_superuser(database: Database) -> None:
    with app_engine(database).connect() as connection:
        role = connection.execute(
            text(
                "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles"
                " WHERE rolname = current_user"
            )
        ).one()
        owned = connection.execute(
            text("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        ).scalar_one()
    assert tuple(role) == ("carbon_assets_app", False, False, False, False)
    assert owned == 0


def test_a_source_is_registered_once_and_only_its_manifest_renewed(
    filled: tuple[Database, Sample],
) -> None:
    database, sample = filled
    renew = update(RasterDataSource).where(RasterDataSource.id == sample.source)
    with transaction(database) as connection:
        assert connection.execute(renew.values(manifest_hash=text_hash(2))).rowcount == 1
    for engine, state in ((app_engine(database), "42501"), (owner_engine(database), "23001")):
        with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
            connection.execute(renew.values(licence="other"))
        assert caught.value.orig.sqlstate == state


@pytest.mark.parametrize("values", [{"partition_key": "other"}, {"geometry_kind": "jurisdiction"}])
def test_a_place_keeps_its_identity(
    filled: tuple[Database, Sample], values: dict[str, str]
) -> None:
    database, sample = filled
    with (
        pytest.raises(DBAPIError, match="keeps its company, kind and partition key"),
        transaction(database) as connection,
    ):
        connection.execute(update(Farm).where(Farm.id == sample.farm).values(**values))


def test_a_place_may_be_renamed_and_marked_as_removed(filled: tuple[Database, Sample]) -> None:
    database, sample = filled
    with transaction(database) as connection:
        connection.execute(
            update(Farm).where(Farm.id == sample.farm).values(name="New", status="removed")
        )
        status = connection.execute(select(Farm.status).where(Farm.id == sample.farm)).scalar_one()
    assert status == "removed"


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("uq_raster_aggregates_computation", {}),
        ("ck_raster_aggregates_value", {"value": float("nan")}),
        ("ck_raster_aggregates_value", {"value": float("inf")}),
        ("ck_raster_aggregates_inputs_fingerprint", {"inputs_fingerprint": "sha256:12"}),
        ("ck_raster_aggregates_geometry_kind", {"geometry_kind": "stratum"}),
        ("fk_raster_aggregates_metric_code", {"metric_code": "unheard_of"}),
    ],
)
def test_a_wrong_receipt_is_refused(
    filled: tuple[Database, Sample], constraint: str, change: dict[str, object]
) -> None:
    database, sample = filled
    fingerprint = {} if constraint.startswith("uq") else {"inputs_fingerprint": text_hash(7)}
    values = receipt((sample.company, sample.farm), sample.source, 1) | fingerprint | change
    with pytest.raises(DBAPIError) as caught, transaction(database) as connection:
        connection.execute(insert(RasterAggregate).values(**values))
    assert caught.value.orig.diag.constraint_name == constraint


def test_strata_and_the_whole_place_are_different_computations(
    filled: tuple[Database, Sample],
) -> None:
    database, sample = filled
    whole = receipt((sample.company, sample.farm), sample.source, 8)
    strata = [
        whole | {"stratum_filter": {"forest_type": kind}} for kind in ("primary", "secondary")
    ]
    with transaction(database) as connection:
        for values in (whole | {"stratum_filter": None}, *strata):
            connection.execute(insert(RasterAggregate).values(**values))
        with pytest.raises(DBAPIError, match="uq_raster_aggregates_computation"):
            connection.execute(insert(RasterAggregate).values(**strata[0]))
        connection.rollback()


def test_a_receipt_of_another_tenants_place_is_refused(filled: tuple[Database, Sample]) -> None:
    database, sample = filled
    with transaction(database) as connection:
        other = connection.execute(
            text("INSERT INTO companies (key, name) VALUES ('other', 'Other') RETURNING id")
        ).scalar_one()
    values = receipt((other, sample.farm), sample.source, 9)
    with pytest.raises(DBAPIError) as caught, transaction(database) as connection:
        connection.execute(insert(RasterAggregate).values(**values))
    assert caught.value.orig.diag.constraint_name == "fk_raster_aggregates_company_id_geometry_id"


def test_a_place_cannot_point_at_a_geometry_of_another(filled: tuple[Database, Sample]) -> None:
    database, sample = filled
    with transaction(database) as connection:
        version = connection.execute(select(GeometryVersion.id)).scalars().first()
    with pytest.raises(DBAPIError) as caught, transaction(database) as connection:
        connection.execute(
            insert(Farm).values(
                company_id=sample.company,
                key="f2",
                name="Farm 2",
                geometry_kind="farm",
                geometry_version_id=version,
            )
        )
    assert caught.value.orig.diag.constraint_name == "fk_farms_id_geometry_version_id"


def test_history_numbers_and_times_come_from_the_database(
    filled: tuple[Database, Sample],
) -> None:
    database, sample = filled
    asset = sample.asset_keys["farm_metrics"]
    values = f"{asset}, {sample.farm}, 2020, {sample.inputs}, '\\x{'07' * 32}', 'test'"
    columns = "asset_id, subject_id, vintage, inputs_id, fingerprint, cause"
    for column, value in (("id", "1"), ("recorded_at", "'2000-01-01'")):
        statement = (
            f"INSERT INTO partition_history ({columns}, {column}) OVERRIDING SYSTEM VALUE"
            f" VALUES ({values}, {value})"
        )
        assert refusal(app_engine(database), statement) == "42501"


def test_reference_tables_are_read_only_for_the_application(
    filled: tuple[Database, Sample],
) -> None:
    statement = "UPDATE lookup_metric_type SET unit = 'kg'"
    assert refusal(app_engine(filled[0]), statement) == "42501"


def test_unknown_kinds_of_rows_are_refused_by_name(filled: tuple[Database, Sample]) -> None:
    with pytest.raises(DBAPIError) as caught, transaction(filled[0]) as connection:
        connection.execute(insert(AssetKey).values(key="farm_metrics"))
    assert caught.value.orig.diag.constraint_name == "uq_asset_keys_key"
