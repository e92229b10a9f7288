"""Project metrics through the database: what is stale, computed, traced and computed again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from carbon_assets.demo.edits import apply_edit
from carbon_assets.metrics.model import stratum_key
from carbon_assets.portfolio import import_portfolio
from carbon_assets.provenance.graph import PROJECT_METRICS
from carbon_assets.provenance.reproduce import reproduce
from carbon_assets.provenance.status import stale_projects as listed
from carbon_assets.provenance.trace import as_text
from carbon_assets.provenance.trace_projects import is_project, trace_project_metric
from carbon_assets.provenance.world import load_companies
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets_tests.provenance.chain import (
    VINTAGES,
    actions,
    bring_up,
    count,
    load,
    stale_projects,
)

YEAR = 2021


@pytest.fixture
def summed(computed: Database) -> Database:
    """The computed demo company with its project metrics."""
    assert actions(bring_up(computed, [PROJECT_METRICS])[PROJECT_METRICS]) == {"computed": 20}
    return computed


def change(database: Database, statement: str, **values: object) -> None:
    with transaction(database) as connection:
        connection.execute(text(statement), values)


def value(database: Database, project: str, metric: str = "total_carbon_stock") -> float:
    query = text(
        "SELECT value_canonical FROM current_project_metrics AS m JOIN projects AS p"
        " ON p.id = m.project_id WHERE p.key = :project AND m.metric_code = :metric"
        " AND m.vintage_year = :year AND stratum_filter IS NULL"
    )
    chosen = {"project": project, "metric": metric, "year": YEAR}
    with transaction(database) as connection:
        return float(connection.execute(query, chosen).scalar_one())


def both(cause: str, project: str) -> dict[tuple[str, int], tuple[str, ...]]:
    causes = tuple(cause.split())
    return {(project, year): causes for year in VINTAGES}


def test_nothing_is_stale_after_a_run_and_a_second_one_does_nothing(summed: Database) -> None:
    assert stale_projects(summed) == {}
    rows = count(summed, "project_metrics")
    assert actions(bring_up(summed, [PROJECT_METRICS])[PROJECT_METRICS]) == {"fresh": 20}
    assert count(summed, "project_metrics") == rows


def test_members_that_leave_move_or_return_are_noticed_with_that_cause(summed: Database) -> None:
    before = value(summed, "north")
    change(summed, "UPDATE farms SET status = 'removed' WHERE key = 'north-01'")
    assert stale_projects(summed) == both("membership upstream", "north")
    bring_up(summed, [PROJECT_METRICS])
    assert stale_projects(summed) == {}
    assert value(summed, "north") < before

    change(summed, "UPDATE farms SET status = 'active' WHERE key = 'north-01'")
    done = bring_up(summed, [PROJECT_METRICS])[PROJECT_METRICS]
    assert actions(done) == {"confirmed": 10, "fresh": 10}, "the old rows are current again"
    assert value(summed, "north") == before

    move = (
        "UPDATE farms SET project_id = (SELECT id FROM projects WHERE key = 'south')"
        " WHERE key = 'north-01'"
    )
    change(summed, move)
    found = stale_projects(summed)
    assert {project for project, _ in found} == {"north", "south"}
    assert all("membership" in causes for causes in found.values())


def test_an_edited_farm_makes_its_project_stale_until_both_runs_are_done(
    summed: Database, own_landscape: Path
) -> None:
    edit = apply_edit(own_landscape)
    changes = import_portfolio(summed, own_landscape / "portfolio.yaml").changes
    assert changes.changed == (edit.farm_key,)
    assert stale_projects(summed) == both("upstream", edit.farm_key.split("-")[0])
    with transaction(summed) as connection:
        worlds = load_companies(connection)
        assert listed(connection, worlds) == [], "its farm metrics have to be computed first"
        assert len(listed(connection, worlds, ready=False)) == 10
    bring_up(summed)
    with transaction(summed) as connection:
        assert len(listed(connection, load_companies(connection))) == 10
    bring_up(summed, [PROJECT_METRICS])
    assert stale_projects(summed) == {}


def test_a_project_alone_is_loaded_with_all_its_members(summed: Database) -> None:
    whole = load(summed)
    (north,) = (one for one in whole.projects.values() if one.key == "north")
    with transaction(summed) as connection:
        (alone,) = load_companies(connection, projects=[north.id])
        (few,) = load_companies(connection, places=[whole.members(north.id)[0].id])
        assert listed(connection, [alone], ready=False) == []
    assert alone.projects == {north.id: north}
    assert alone.members(north.id) == whole.members(north.id)
    assert few.projects == {}, "its members would not be all"


def test_every_current_project_metric_is_derived_again_to_the_digit(summed: Database) -> None:
    found = reproduce(summed)
    assert found.faithful, found.as_dict()
    assert found.project_metrics_checked == found.project_metrics_equal > 0
    assert found.project_metrics_checked == count(summed, "current_project_metrics")


def test_a_trace_leads_to_farm_metrics_and_receipts(summed: Database) -> None:
    chosen = {"project": "north", "metric": "agb_carbon_density", "vintage": YEAR}
    with transaction(summed) as connection:
        assert is_project(connection, "north", None)
        assert not is_project(connection, "north-01", None)
        document = trace_project_metric(connection, **chosen)  # type: ignore[arg-type]
    metric = document["project_metric"]
    numerators = [one for one in document["farm_metrics"] if one["role"] == "numerator"]
    known = [one for one in numerators if one["value"] is not None]
    assert metric["farms_counted"] == len(known)
    assert all(one["receipts"] and one["current"] for one in numerators)
    assert {one["farm"] for one in numerators} <= {one["farm"] for one in document["members"]}
    words = as_text(document)
    assert "sum over farms of numerator / sum over farms of" in words
    assert f"trace metric:{numerators[0]['id']}" in words


def test_rows_of_projects_refuse_change(summed: Database) -> None:
    for table in ("project_metrics", "project_members", "project_metric_sources"):
        with pytest.raises(Exception, match=r"permission denied|never change"):
            change(summed, f"DELETE FROM {table}")
    with pytest.raises(Exception, match="keeps its company and key"):
        change(summed, "UPDATE projects SET key = 'other' WHERE key = 'north'")


def test_strata_of_a_project_sum_to_the_whole(summed: Database) -> None:
    query = text(
        "SELECT metric_code, stratum_filter, value_canonical AS value FROM current_project_metrics"
        " AS m JOIN projects AS p ON p.id = m.project_id WHERE p.key = 'north'"
        " AND vintage_year = :year AND metric_code = 'agb_carbon_stock'"
    )
    with transaction(summed) as connection:
        rows = connection.execute(query, {"year": YEAR}).all()
    parts = [row.value for row in rows if stratum_key(row.stratum_filter) and row.value is not None]
    assert len(parts) > 2
    assert sum(parts) == pytest.approx(value(summed, "north", "agb_carbon_stock"), rel=1e-12)
