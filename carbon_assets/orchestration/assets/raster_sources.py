"""L0: raster sources, one observed asset per family.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import cast

import dagster as dg

from carbon_assets.intake.sources import manifest_hash
from carbon_assets.orchestration.assets.failures import explained
from carbon_assets.orchestration.metadata import table_metadata
from carbon_assets.orchestration.names import (
    OWN_SOURCES,
    OWNERS,
    SOURCES_GROUP,
    packaged_families,
    source_key,
)
from carbon_assets.orchestration.store import CarbonStore
from carbon_assets.provenance.world import CompanyWorld
from carbon_assets.rasters.registered import RegisteredSource


def raster_sources_asset() -> dg.AssetsDefinition:
    """Build the observed assets of all source families."""
    specs = [_spec(family, title) for family, (title, _) in packaged_families().items()]
    specs.append(_spec(OWN_SOURCES, "Sources of users' own catalogues"))

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name="raster_sources", specs=specs, can_subset=True
    )
    def raster_sources(
        context: dg.AssetExecutionContext, store: dg.ResourceParam[CarbonStore]
    ) -> Iterator[dg.ObserveResult]:
        with explained(store):
            companies = store.companies(context.run.run_id)
        for key in sorted(context.selected_asset_keys):
            yield observation(key.path[-1], companies)

    return cast(dg.AssetsDefinition, raster_sources)


def _spec(family: str, title: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        source_key(family),
        group_name=SOURCES_GROUP,
        owners=OWNERS,
        kinds={"geotiff"},
        description=(
            f"{title}. An observation opens every registered file that changed, compares its "
            "header with the catalogue, and hashes its bytes; the data version is the hash of "
            "the manifest. Rows: `raster_data_sources`, `raster_assets`."
        ),
    )


def observation(family: str, companies: Iterable[CompanyWorld]) -> dg.ObserveResult:
    """Observe one family: what is registered for it, over all companies."""
    known = set(packaged_families())
    bound = [
        (company.key, slot, source)
        for company in companies
        for slot, source in company.sources.items()
        if (source.version.family if source.version.family in known else OWN_SOURCES) == family
    ]
    lines = sorted(f"{company} {slot} {manifest_hash(s.files)}" for company, slot, s in bound)
    version = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return dg.ObserveResult(
        asset_key=source_key(family),
        data_version=dg.DataVersion(f"sha256:{version}"),
        metadata={
            "registered files": sum(len(source.files) for _, _, source in bound),
            "registered": table_metadata([_row(*one) for one in bound]),
        },
    )


def _row(company: str, slot: str, source: RegisteredSource) -> dict[str, str | int]:
    return {
        "company": company,
        "feeds": slot,
        "source": source.version.label,
        "quantity": source.version.quantity,
        "files": len(source.files),
        "manifest": manifest_hash(source.files)[:19],
        "licence": source.version.licence,
    }
