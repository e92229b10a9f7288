"""One materialization per partition, with the versions that Dagster's staleness needs.

Dagster stamps a single data version on all partitions of a range run. An asset here yields its
own materialization for each partition that it has worked on, and each carries

- its data version (the fingerprint) and the code version of the asset,
- per upstream asset the data version that was read, and where that stands in the event log.

With all four, exactly the children of a changed partition show as stale in Dagster, one level
deep. The truth about staleness stays in our own ``partition_state``.

    events = PartitionEvents(context, keys, [Upstream(land_cover), Upstream(places, reads=None)])
    for key, fingerprint in compute(keys):
        yield events.materialization(key, fingerprint)
    yield events.finished()
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterInstance,
    MaterializeResult,
)

from carbon_assets.orchestration.event_storage import (
    DATA_VERSION_TAG,
    EVENTS_ALREADY_YIELDED,
    WORK_LIST_TAG,
    EventVersion,
    latest_versions,
)
from carbon_assets.orchestration.partitions import (
    P,
    PlaceVintage,
    ProjectVintage,
    in_order,
    parse_key,
    parse_project_key,
)

CODE_VERSION_TAG = "dagster/code_version"
USER_PROVIDED_TAG = "dagster/data_version_is_user_provided"
INPUT_VERSION_PREFIX = "dagster/input_data_version/"
INPUT_POINTER_PREFIX = "dagster/input_event_pointer/"
NEVER_MATERIALIZED = EventVersion(0, "INITIAL")


def same_partition(partition: str) -> Sequence[str]:
    """Return the partition itself: the upstream asset is read at the same place and vintage."""
    return (partition,)


@dataclass(frozen=True)
class Upstream:
    """An upstream asset, and which of its partitions a partition reads.

    Attributes:
        key: Asset key.
        reads: From a partition key to the upstream partition keys that it reads; ``None`` for
            an upstream asset without partitions.
    """

    key: AssetKey
    reads: Callable[[str], Sequence[str]] | None = same_partition


class PartitionEvents:
    """The materializations of one asset in one run.

    Looks up all upstream versions when it is made, so make it before reading any input: what
    changes upstream afterwards then shows as stale, never as fresh.

    Args:
        context: Context of the running asset.
        keys: Partitions that will be worked on.
        upstreams: Upstream assets, all that the asset declares in ``deps``.
        asset_key: Needed when the step makes several assets.

    Raises:
        ValueError: ``upstreams`` are not those that the asset declares.
    """

    def __init__(
        self,
        context: AssetExecutionContext,
        keys: Iterable[str],
        upstreams: Sequence[Upstream] = (),
        asset_key: AssetKey | None = None,
    ) -> None:
        self.asset_key = asset_key or context.asset_key
        self._code_version = _code_version(context, self.asset_key)
        _check_declared(context, self.asset_key, upstreams)
        keys = [str(key) for key in keys]
        self._inputs = [_Input.look_up(context.instance, upstream, keys) for upstream in upstreams]

    def materialization(
        self, key: str, data_version: str, metadata: Mapping[str, Any] | None = None
    ) -> AssetMaterialization:
        """Return the event that says: this partition now has this version.

        Args:
            key: One of the partitions given at the start.
            data_version: Fingerprint of what was computed.
            metadata: A few small values; there may be tens of thousands of these events.
        """
        tags = {
            DATA_VERSION_TAG: data_version,
            CODE_VERSION_TAG: self._code_version,
            USER_PROVIDED_TAG: "true",
        }
        for source in self._inputs:
            tags.update(source.tags(str(key)))
        return AssetMaterialization(
            self.asset_key, partition=str(key), metadata=metadata or {}, tags=tags
        )

    def finished(self, metadata: Mapping[str, Any] | None = None) -> MaterializeResult[Any]:
        """Return the result that ends the asset and lets downstream assets start.

        Args:
            metadata: Totals of the run, shown on the step's output.
        """
        return MaterializeResult(
            asset_key=self.asset_key, metadata={**(metadata or {}), **EVENTS_ALREADY_YIELDED}
        )


def wanted_partitions(
    context: AssetExecutionContext, read_work_list: Callable[[int], Iterable[PlaceVintage]]
) -> list[PlaceVintage]:
    """Return what a run is to work on: its partitions, or those of its work list.

    Args:
        context: Context of the running asset: single partition, range or backfill.
        read_work_list: Reads the partitions of a stored work list by its id.

    Returns:
        Partitions by position of the place in Dagster, then by vintage.
    """
    return _wanted(context, read_work_list, parse_key)


def wanted_projects(
    context: AssetExecutionContext, read_work_list: Callable[[int], Iterable[ProjectVintage]]
) -> list[ProjectVintage]:
    """Return what a run of project × vintage assets is to work on.

    Args:
        context: As in :func:`wanted_partitions`.
        read_work_list: As there.

    Returns:
        Partitions by position of the project in Dagster, then by vintage.
    """
    return _wanted(context, read_work_list, parse_project_key)


def _wanted(
    context: AssetExecutionContext,
    read_work_list: Callable[[int], Iterable[P]],
    parse: Callable[[str], P],
) -> list[P]:
    work_list = context.run.tags.get(WORK_LIST_TAG)
    if work_list is None:
        return [parse(str(key)) for key in context.partition_keys]
    # Not through context.partition_keys: Dagster takes seconds for a rectangle of 100,000 keys.
    return in_order(context.instance, read_work_list(int(work_list)))


@dataclass(frozen=True)
class _Input:
    """Versions of one upstream asset as they stood at the start of the step."""

    upstream: Upstream
    versions: Mapping[str, EventVersion]
    whole: EventVersion

    @classmethod
    def look_up(cls, instance: DagsterInstance, upstream: Upstream, keys: Sequence[str]) -> _Input:
        if upstream.reads is None:
            return cls(upstream, {}, latest_version(instance, upstream.key))
        wanted = {read for key in keys for read in upstream.reads(key)}
        versions = latest_versions(instance, upstream.key, wanted)
        return cls(upstream, versions, NEVER_MATERIALIZED)

    def tags(self, key: str) -> dict[str, str]:
        version = self._version_read_by(key)
        name = self.upstream.key.to_user_string()
        return {
            INPUT_VERSION_PREFIX + name: version.data_version,
            INPUT_POINTER_PREFIX + name: str(version.storage_id or "NULL"),
        }

    def _version_read_by(self, key: str) -> EventVersion:
        if self.upstream.reads is None:
            return self.whole
        found = [self.versions[k] for k in self.upstream.reads(key) if k in self.versions]
        if len(found) <= 1:
            return found[0] if found else NEVER_MATERIALIZED
        joined = hashlib.sha256("".join(version.data_version for version in found).encode())
        return EventVersion(max(version.storage_id for version in found), joined.hexdigest())


def latest_version(instance: DagsterInstance, asset_key: AssetKey) -> EventVersion:
    """Return the latest version of an asset without partitions, materialized or observed.

    Args:
        instance: Dagster instance whose event log is read.
        asset_key: Asset without partitions.
    """
    wanted = AssetRecordsFilter(asset_key=asset_key)
    records = [
        *instance.fetch_materializations(wanted, limit=1).records,
        *instance.fetch_observations(wanted, limit=1).records,
    ]
    if not records:
        return NEVER_MATERIALIZED
    latest = records[0]
    tags = latest.event_log_entry.tags or {}
    return EventVersion(latest.storage_id, tags.get(DATA_VERSION_TAG, "INITIAL"))


def _code_version(context: AssetExecutionContext, asset_key: AssetKey) -> str:
    declared: str | None = context.assets_def.get_asset_spec(asset_key).code_version
    return declared or context.run.run_id


def _check_declared(
    context: AssetExecutionContext, asset_key: AssetKey, upstreams: Sequence[Upstream]
) -> None:
    declared = {dep.asset_key for dep in context.assets_def.get_asset_spec(asset_key).deps}
    given = {upstream.key for upstream in upstreams}
    if declared != given:
        names = sorted(key.to_user_string() for key in declared ^ given)
        raise ValueError(f"{asset_key.to_user_string()}: deps and upstreams differ in {names}")
