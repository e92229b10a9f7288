"""What follows runs: projects by their exact farms, then marts."""

from __future__ import annotations

from carbon_assets_tests.orchestration.automation.daemon import Daemon
from carbon_assets_tests.orchestration.automation.test_geometry_edits import edit, set_policy

SENSOR = "follow_up"


def test_projects_and_then_marts_follow_an_edit(settled: Daemon) -> None:
    assert settled.tick(SENSOR).requests == []
    place = edit(settled)
    settled.tick("geometry_edits")
    tick = settled.tick(SENSOR)
    (project,) = settled.land.rows(
        "SELECT p.key, p.partition_key FROM projects p JOIN farms f ON f.project_id = p.id"
        " WHERE f.partition_key = :place",
        place=place,
    )
    expected = {f"{project.partition_key}|{year}" for year in (2020, 2021, 2022)}
    assert tick.computed() == {"project_metrics": expected}
    assert tick.tags["object"] == project.key
    marts = settled.tick(SENSOR)
    assert marts.requests == [] or marts.tags["object"] == "marts"
    assert settled.tick(SENSOR).requests == []
    assert settled.tick(SENSOR).reason == "nothing has changed"


def test_it_waits_until_no_run_is_under_way(settled: Daemon) -> None:
    edit(settled)
    settled.tick("geometry_edits")
    run = settled.land.instance.create_run_for_job(
        settled.definitions.resolve_job_def("take_uploads"),
        run_config={"ops": {"take": {"config": {"uploads": []}}}},
    )
    assert "waits" in str(settled.tick(SENSOR).reason)
    settled.land.instance.delete_run(run.run_id)
    assert len(settled.tick(SENSOR, run=False).requests) == 1


def test_a_farm_that_leaves_changes_its_project(settled: Daemon) -> None:
    settled.land.lose("north-02")
    assert settled.tick("geometry_edits").requests == []
    tick = settled.tick(SENSOR)
    assert {len(keys) for keys in tick.computed().values()} == {3}
    assert set(tick.computed()) == {"project_metrics"}


def test_a_project_under_the_policy_badge_is_not_run(settled: Daemon) -> None:
    settled.land.lose("north-02")
    settled.tick("geometry_edits")
    set_policy(settled, "north", "badge")
    tick = settled.tick(SENSOR)
    assert "project_metrics" not in tick.computed()
    assert "badge" in {one.decision for one in settled.decisions(SENSOR)}


def test_a_daemon_that_is_killed_asks_once(settled: Daemon) -> None:
    edit(settled)
    settled.tick("geometry_edits")
    assert settled.tick(SENSOR, killed="before").runs == {}
    assert len(settled.tick(SENSOR, killed="after").runs) == 1
    again = settled.tick(SENSOR)
    assert "project_metrics" not in again.computed()
    assert len(again.repeated) == 1
