"""A trace in words, as an auditor would ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def as_text(document: Document) -> str:
    """Put a trace of a metric, of a project metric or of a receipt into words."""
    if "project_metric" in document:
        lines = _project_metric(document)
    else:
        lines = _metric(document) if "metric" in document else _receipt(document)
    return "\n".join(lines)


def _project_metric(document: Document) -> Iterator[str]:
    metric, project = document["project_metric"], document["project"]
    name = "" if project["name"] == project["key"] else f" ({project['name']})"
    named = f"project {project['key']}{name}"
    yield f"{metric['label']} of {named}, {metric['vintage']}{_slice(metric['stratum'])}"
    yield f"  = {_number(metric['value'])} {metric['unit']}{_interval(metric['interval_95'])}"
    yield f"  project metric #{metric['id']} ({metric['code']}){_not_current(metric)}"
    yield f"  formula      {metric['formula']}"
    yield (
        f"  farms        {metric['farms_counted']} counted, {metric['farms_without_data']} without "
        f"data, of {len(document['members'])} in the project"
    )
    yield f"  source       {metric['source']}"
    yield from _reservations(metric)
    yield from _computed(document["computation"], "  ")
    for one in document["farm_metrics"]:
        receipts = ", ".join(f"#{number}" for number in one["receipts"])
        flags = f" [{', '.join(one['flags'])}]" if one["flags"] else ""
        yield (
            f"  {one['role']:<12} {one['farm']}: {one['metric']} = {_number(one['value'])} "
            f"{one['unit']}{flags}{_not_current(one)}"
        )
        yield f"               carbon-assets trace metric:{one['id']} (receipts {receipts})"


def _reservations(metric: Document) -> Iterator[str]:
    if metric["valid_share"] is not None:
        yield f"  valid share  {metric['valid_share']:.4%}"
    if metric["flags"]:
        yield f"  flags        {', '.join(metric['flags'])}"


def _metric(document: Document) -> Iterator[str]:
    metric, place = document["metric"], document["place"]
    yield f"{metric['label']} of {_named(place)}, {metric['vintage']}{_slice(metric['stratum'])}"
    yield f"  = {_number(metric['value'])} {metric['unit']}{_interval(metric['interval_95'])}"
    yield f"  metric #{metric['id']} ({metric['code']}){_not_current(metric)}"
    yield f"  formula      {metric['formula']}"
    yield f"  source       {metric['source']}"
    yield from _reservations(metric)
    yield from _computed(document["computation"], "  ")
    for receipt in document["receipts"]:
        yield ""
        yield f"{receipt['role']}:"
        for line in _receipt(receipt):
            yield f"  {line}"


def _receipt(document: Document) -> Iterator[str]:
    receipt, source, geometry = document["receipt"], document["source"], document["geometry"]
    yield (
        f"Receipt #{receipt['id']}: {receipt['metric']}, {receipt['method']}"
        f"{_slice(receipt['stratum'])}, {receipt['vintage']} "
        f"= {_number(receipt['value'])} {receipt['unit']}{_not_current(receipt)}"
    )
    yield f"  source       {source['title']} ({source['key']} {source['version']})"
    if "period" in receipt["context"]:
        yield f"  period       {' to '.join(receipt['context']['period'])}"
    elif source["epoch"] is not None:
        yield f"  epoch        one map of {source['epoch']} answers for {receipt['vintage']}"
    for raster in document["rasters"]:
        yield f"  {raster['role']:<12} {raster['href']} (band {raster['band']})"
        yield f"               {raster['content_hash']}, {raster['size_bytes']:,} bytes"
    yield (
        f"  geometry     version {geometry['version']}, {geometry['area_ha']:,.4f} ha, "
        f"from {geometry['source_file']} ({geometry['source_crs']})"
    )
    yield f"               {geometry['geometry_hash']}"
    if geometry["repaired"]:
        yield f"               repaired: {geometry['repair_note']}"
    yield from _cells(receipt)
    yield f"  carbon fraction  {_fraction(receipt)}"
    yield f"  uncertainty  {_uncertainty(receipt)}"
    if receipt["histogram"]:
        yield f"  histogram    {_histogram(receipt['histogram'])}"
    yield f"  runner       {receipt['runner']}"
    yield from _computed(document["computation"], "  ")
    libraries = ", ".join(f"{name} {version}" for name, version in receipt["libraries"].items())
    yield f"  libraries    {libraries}"
    yield f"  again        carbon-assets reproduce {receipt['id']}"


def _cells(receipt: Document) -> Iterator[str]:
    yield (
        f"  cells        {receipt['cells']:,} touched ({receipt['weighted_cells']:,.2f} by share), "
        f"{receipt['nodata_cells']:,} without data"
    )
    yield (
        f"  area         {receipt['covered_area_ha']:,.4f} ha covered, "
        f"{receipt['valid_area_ha']:,.4f} ha with data"
    )


def _computed(computation: Document, indent: str) -> Iterator[str]:
    yield f"{indent}code         {computation['code_version']} ({computation['code']})"
    yield f"{indent}fingerprint  {computation['fingerprint']}"
    yield f"{indent}computed     {computation['computed_at']}"
    for one in computation["became_current"]:
        run = f", run {one['run']}" if one["run"] else ""
        yield f"{indent}current      since {one['at']} ({one['cause']}{run})"


def _named(place: Document) -> str:
    project = f", project {place['project']}" if place["project"] else ""
    name = "" if place["name"] == place["key"] else f" ({place['name']})"
    return f"{place['kind'].replace('_', ' ')} {place['key']}{name}{project}"


def _slice(stratum: Mapping[str, str] | None) -> str:
    return " [" + ", ".join(f"{k}={v}" for k, v in sorted(stratum.items())) + "]" if stratum else ""


def _number(value: float | None) -> str:
    return "no data" if value is None else repr(value)


def _interval(interval: list[float | None]) -> str:
    low, high = interval
    return "" if low is None or high is None else f" (95 %: {low:.6g} to {high:.6g})"


def _not_current(row: Document) -> str:
    return "" if row["current"] else " — NOT current"


def _fraction(receipt: Document) -> str:
    value, source = receipt["carbon_fraction"], receipt["carbon_fraction_source"]
    return f"{'none' if value is None else value}" + (f" ({source})" if source else "")


def _uncertainty(receipt: Document) -> str:
    if receipt["uncertainty_pct_ci95"] is None:
        return f"not stated (method {receipt['uncertainty_method']})"
    return f"{receipt['uncertainty_pct_ci95']:.4f} % CI95 ({receipt['uncertainty_method']})"


def _histogram(histogram: Mapping[str, Document]) -> str:
    largest = sorted(histogram.items(), key=lambda item: -item[1]["ha"])
    return "; ".join(f"class {i}: {one['ha']:,.4f} ha" for i, one in largest)
