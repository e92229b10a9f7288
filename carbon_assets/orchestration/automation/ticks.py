"""One evaluation of each sensor: decide, then hand on what was decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dagster as dg

from carbon_assets.orchestration.automation import (
    follow_up,
    geometry_edits,
    new_vintages,
    raster_versions,
)
from carbon_assets.orchestration.automation.cursors import Cursor, is_quiet, tick_result
from carbon_assets.orchestration.automation.decisions import Decision, grouped, unserved
from carbon_assets.orchestration.automation.places_told import edited_places, still_gone
from carbon_assets.orchestration.automation.reloading import reload_definitions
from carbon_assets.orchestration.automation.requests import (
    MARTS_JOB,
    PROJECTS,
    TAG_PREFIX,
    serve,
    why,
)
from carbon_assets.orchestration.automation.settings import WEBSERVER_VARIABLE, webserver_url
from carbon_assets.orchestration.refresh_marts import outdated_marts
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.store.engines import transaction


def geometry_tick(
    context: dg.SensorEvaluationContext, store: CarbonStore, years: Sequence[int]
) -> dg.SensorResult:
    """Evaluate the sensor of geometry edits once."""
    cursor = Cursor.read(context.cursor)
    decided = geometry_edits.decide(store, years)
    with transaction(store.opened()) as connection:
        waiting = unserved(connection, geometry_edits.SENSOR, cursor.decision)
        numbers = geometry_edits.read_by(connection, waiting)
        places = edited_places(connection, context.instance, numbers)
        leaving = [*cursor.leaving, *places.removed]
        gone = still_gone(connection, context.instance, leaving)
    # A range that ends at a place which Dagster has forgotten cannot be run any more.
    forgotten = gone if is_quiet(context.instance) else []
    served = serve(store, context.instance, waiting, years, new_keys=places.active)
    return tick_result(
        Cursor(cursor.passed(waiting), () if forgotten else tuple(gone)),
        served.requests,
        [str(one) for one in (waiting or decided)],
        new_keys=served.new_keys,
        gone_keys=forgotten,
        events=places.events,
    )


def raster_tick(
    context: dg.SensorEvaluationContext, store: CarbonStore, years: Sequence[int]
) -> dg.SensorResult:
    """Evaluate the sensor of raster versions once."""
    cursor = Cursor.read(context.cursor)
    look = raster_versions.decide(store, years, _company_quiet(context), cursor.after or {})
    notes = [str(one) for one in look.decided] + [_waits(one) for one in look.waiting]
    return _handed_on(context, store, raster_versions.SENSOR, years, notes, look.after)


def vintages_tick(
    context: dg.SensorEvaluationContext, store: CarbonStore, years: Sequence[int]
) -> dg.SensorResult:
    """Evaluate the sensor of new vintages once."""
    wanted = store.vintages()
    if wanted and set(wanted) != set(years):
        words = f"projects have the years {_span(wanted)}, the definitions {_span(years)}"
        url = webserver_url()
        if url is None:
            note = f"{words}: reload the code location, or set {WEBSERVER_VARIABLE}"
        else:
            reload_definitions(url)
            note = f"{words}: the code location was reloaded"
        return tick_result(Cursor.read(context.cursor), [], [note])
    decided, waiting = new_vintages.decide(store, years, _company_quiet(context))
    notes = [str(one) for one in decided] + [_waits(one) for one in waiting]
    return _handed_on(context, store, new_vintages.SENSOR, years, notes)


def _span(years: Sequence[int]) -> str:
    return f"{min(years)} to {max(years)} ({len(years)})"


def _company_quiet(context: dg.SensorEvaluationContext) -> Callable[[str], bool]:
    return lambda company: is_quiet(context.instance, {f"{TAG_PREFIX}company": company})


def _waits(company: str) -> str:
    return f"{company}: waits until its runs have ended"


def _handed_on(
    context: dg.SensorEvaluationContext,
    store: CarbonStore,
    sensor: str,
    years: Sequence[int],
    notes: Sequence[str],
    after: dict[str, str] | None = None,
) -> dg.SensorResult:
    """Hand on what a sensor of the place × vintage space has decided and Dagster has not heard."""
    cursor = Cursor.read(context.cursor)
    waiting = _unserved(store, sensor, cursor)
    served = serve(store, context.instance, waiting, years)
    return tick_result(
        Cursor(cursor.passed(waiting), after=after),
        served.requests,
        notes or [str(one) for one in waiting],
        new_keys=served.new_keys,
    )


def _unserved(store: CarbonStore, sensor: str, cursor: Cursor) -> list[Decision]:
    with transaction(store.opened()) as connection:
        return unserved(connection, sensor, cursor.decision)


def follow_up_tick(
    context: dg.SensorEvaluationContext, store: CarbonStore, years: Sequence[int]
) -> dg.SensorResult:
    """Evaluate the sensor that follows runs once."""
    instance = context.instance
    cursor = Cursor.read(context.cursor)
    decided: list[Decision] = []
    note = None
    waiting = _unserved(store, follow_up.SENSOR, cursor)
    if not waiting:  # else what was decided before a kill goes first
        decided, note = follow_up.decide(
            store, lambda: is_quiet(instance), lambda: outdated_marts(store, instance)
        )
        waiting = _unserved(store, follow_up.SENSOR, cursor)
    served = serve(store, instance, waiting, years, space=PROJECTS)
    marts = [
        dg.RunRequest(
            run_key=key, job_name=MARTS_JOB, tags=why(group), asset_selection=_keys(group)
        )
        for key, group in grouped(waiting).items()
        if group[0].object == follow_up.MARTS
    ]
    return tick_result(
        Cursor(cursor.passed(waiting)),
        [*served.requests, *marts],
        [note] if note else [str(one) for one in (waiting or decided)],
        new_keys=served.new_keys,
        dimension=PROJECTS.dimension,
    )


def _keys(group: Sequence[Decision]) -> list[dg.AssetKey]:
    return [dg.AssetKey(asset.split("/")) for one in group for asset in one.assets]
