"""Sensor of geometry edits: exactly what an edit touches, once, whatever is killed."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.orchestration.automation.settings import CAP_VARIABLE
from carbon_assets.orchestration.partitions import FARM
from carbon_assets.orchestration.refresh import bring_up_to_date
from carbon_assets.store.engines import app_engine, owner_engine
from carbon_assets_tests.orchestration.automation.daemon import ASSETS, Daemon
from carbon_assets_tests.orchestration.farmland import CHAIN, PLACES

SENSOR = "geometry_edits"
YEARS = (2020, 2021, 2022)


def edit(daemon: Daemon) -> str:
    """Redraw one farm; return its partition key."""
    key = apply_edit(daemon.land.portfolio.parent).farm_key
    daemon.land.load()
    query = "SELECT partition_key FROM farms WHERE key = :key"
    return str(daemon.land.rows(query, key=key)[0][0])


def touch(connection: Connection, company: int, farm: int) -> None:
    """Log an edit of a place, as an import does under the lock of its company."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock(4711001, {company})"))
    connection.execute(
        text(
            "INSERT INTO geometry_edits (company_id, farm_id, geometry_version_id, action,"
            " source_file) SELECT company_id, id, geometry_version_id, 'changed', 'test'"
            " FROM farms WHERE id = :farm"
        ),
        {"farm": farm},
    )


def set_policy(daemon: Daemon, project: str, policy: str) -> None:
    with owner_engine(daemon.land.database).begin() as connection:
        connection.execute(
            text("UPDATE projects SET staleness_policy = :policy WHERE key = :key"),
            {"policy": policy, "key": project},
        )


def test_an_import_is_one_request_of_everything(settled: Daemon) -> None:
    requested = [one for one in settled.decisions(SENSOR) if one.decision == "requested"]
    assert [one.partitions for one in requested] == [7 * 9, 9 * 9]
    assert len({one.run_key for one in requested}) == 1
    assert settled.tick(SENSOR).requests == []


def test_an_edit_runs_its_partitions_and_nothing_beside_them(settled: Daemon) -> None:
    place = edit(settled)
    tick = settled.tick(SENSOR)
    expected = {f"{place}|{year}" for year in YEARS}
    assert tick.computed() == dict.fromkeys(ASSETS, expected)
    assert (tick.tags["cause"], tick.tags["sensor"]) == ("geometry", SENSOR)
    old, new = settled.land.rows(
        "SELECT v.geometry_hash FROM geometry_versions v JOIN farms f ON f.id = v.farm_id"
        " WHERE f.partition_key = :key ORDER BY v.version",
        key=place,
    )
    assert old[0].startswith(tick.tags["old_version"])
    assert new[0].startswith(tick.tags["new_version"])
    assert len(tick.tags["new_version"]) >= 19
    assert settled.tick(SENSOR).requests == []
    assert settled.land.stale(PLACES, [place]) == []
    for key in CHAIN:
        assert settled.land.stale(key, expected) == []


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_daemon_that_is_killed_loses_nothing_and_runs_nothing_twice(
    settled: Daemon, killed: str
) -> None:
    daemon = settled
    place = edit(daemon)
    struck = daemon.tick(SENSOR, killed=killed)
    after = daemon.tick(SENSOR)
    runs = [*struck.runs.values(), *after.runs.values()]
    assert len(runs) == 1
    assert len(after.repeated) == (killed == "after")
    assert (struck.computed() or after.computed())["farm_metrics"] == {
        f"{place}|{year}" for year in YEARS
    }
    assert daemon.tick(SENSOR).requests == []
    assert [one.decision for one in daemon.decisions(SENSOR)][-1] == "requested"
    made = daemon.land.rows(
        "SELECT count(*) FROM partition_history GROUP BY asset_id, subject_id, vintage, fingerprint"
        " HAVING count(*) > 1"
    )
    assert made == []


def test_edits_that_come_between_a_kill_and_the_restart_are_a_request_of_their_own(
    settled: Daemon,
) -> None:
    daemon = settled
    place = edit(daemon)
    daemon.tick(SENSOR, killed="before")
    with app_engine(daemon.land.database).begin() as connection:
        touch(connection, 1, 2)
    tick = daemon.tick(SENSOR)
    assert len(tick.requests) == 1  # the second edit changed no polygon: nothing is stale
    assert tick.computed()["farm_metrics"] == {f"{place}|{year}" for year in YEARS}
    assert [one.decision for one in daemon.decisions(SENSOR)][-2:] == ["requested", "nothing"]


def test_a_lost_cursor_asks_for_nothing_that_was_run(settled: Daemon) -> None:
    daemon = settled
    edit(daemon)
    daemon.tick(SENSOR)
    daemon.cursors[SENSOR] = "{not json"
    again = daemon.tick(SENSOR)
    assert again.requests == []
    assert len(again.repeated) == 2


def test_edits_that_are_committed_out_of_order_are_all_read(settled: Daemon) -> None:
    daemon = settled
    with owner_engine(daemon.land.database).begin() as connection:
        connection.execute(text("INSERT INTO companies (key, name) VALUES ('other', 'Other')"))
        connection.execute(
            text(
                "INSERT INTO farms (company_id, key, name, partition_key, geometry_kind)"
                " SELECT id, 'o', 'o', 'o-99', 'farm' FROM companies WHERE key = 'other'"
            )
        )
    other, farm = daemon.land.rows("SELECT company_id, id FROM farms WHERE key = 'o'")[0]
    daemon.tick(SENSOR)
    engine = app_engine(daemon.land.database)
    with engine.connect() as slow, engine.connect() as quick:
        touch(slow, 1, 1)
        touch(quick, other, farm)
        quick.commit()
        daemon.tick(SENSOR)
        assert [one.company_id for one in daemon.decisions(SENSOR)][-1] == other
        slow.commit()
    daemon.tick(SENSOR)
    assert [one.company_id for one in daemon.decisions(SENSOR)][-1] == 1
    read = {one.read_to for one in daemon.decisions(SENSOR)}
    logged = {
        row.id
        for row in daemon.land.rows("SELECT max(id) AS id FROM geometry_edits GROUP BY company_id")
    }
    assert logged <= read


def test_places_come_and_go_with_their_own_keys(daemon: Daemon) -> None:
    instance = daemon.land.instance
    for place in daemon.land.places:
        instance.delete_dynamic_partition(FARM, place)
    daemon.tick(SENSOR, run=False)
    assert list(instance.get_dynamic_partitions(FARM)) == daemon.land.places
    assert instance.get_materialized_partitions(PLACES) == set(daemon.land.places)
    daemon.land.lose("north-02")
    tick = daemon.tick(SENSOR)
    assert tick.requests == []
    assert "nothing is stale" in str(tick.reason)
    assert list(instance.get_dynamic_partitions(FARM)) == daemon.land.places
    assert "north-02-2" not in daemon.land.places


def test_a_removed_place_stays_while_a_run_may_need_it(daemon: Daemon) -> None:
    daemon.tick(SENSOR, run=False)
    run = daemon.land.instance.create_run_for_job(
        daemon.definitions.resolve_job_def("take_uploads"),
        run_config={"ops": {"take": {"config": {"uploads": []}}}},
    )
    daemon.land.lose("north-02")
    daemon.tick(SENSOR)
    assert "north-02-2" in daemon.land.instance.get_dynamic_partitions(FARM)
    daemon.land.instance.delete_run(run.run_id)
    daemon.tick(SENSOR)
    assert "north-02-2" not in daemon.land.instance.get_dynamic_partitions(FARM)


def test_a_project_under_the_policy_badge_is_left_to_a_person(daemon: Daemon) -> None:
    set_policy(daemon, "south", "badge")
    tick = daemon.tick(SENSOR, run=False)
    assert tick.tags["projects"] == "north"
    listed = daemon.land.store.work_list(int(tick.tags["work_list"]))
    assert {one.place.partition("-")[0] for one in listed} == {"north"}
    (south,) = [one for one in daemon.decisions(SENSOR) if one.decision == "badge"]
    assert south.partitions > 0
    assert "badge" in south.reason
    assert south.run_key is None


def test_more_than_the_cap_falls_back_to_the_badge_and_says_so(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAP_VARIABLE, "10")
    tick = daemon.tick(SENSOR)
    assert tick.requests == []
    assert CAP_VARIABLE in str(tick.reason)
    assert {one.decision for one in daemon.decisions(SENSOR)} == {"over_cap"}
    assert daemon.tick(SENSOR).requests == []
    # What is told of places does not depend on who starts the runs.
    assert daemon.land.instance.get_materialized_partitions(PLACES) == set(daemon.land.places)


def test_a_missing_raster_holds_edits_up_and_loses_none(daemon: Daemon) -> None:
    raster = daemon.land.portfolio.parent / "rasters" / "brazil_coverage_2020.tif"
    hidden = raster.rename(raster.with_suffix(".away"))
    for _ in range(2):
        tick = daemon.tick(SENSOR)
        assert tick.requests == []
        assert "RASTER_MISSING" in str(tick.reason)
    assert [one.decision for one in daemon.decisions(SENSOR)] == ["blocked"]
    hidden.rename(raster)
    (request,) = daemon.tick(SENSOR, run=False).requests
    assert len(daemon.land.store.work_list(int(request.tags["carbon_assets/work_list"]))) == 48


def test_a_run_of_the_command_line_and_one_of_a_sensor_compute_everything_once(
    settled: Daemon,
) -> None:
    edit(settled)
    tick = settled.tick(SENSOR, run=False)
    assert bring_up_to_date(settled.land.store, settled.land.instance).partitions == 3
    history = settled.land.count("partition_history")
    settled.run(SENSOR, tick.requests[0])
    assert settled.land.count("partition_history") == history
