"""L0: raster sources, one observed asset per family.

Annotations are not postponed: Dagster reads that of ``context`` as it stands.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import dagster as dg
from sqlalchemy import func, select

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
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Company, RasterDataSource, SourceBinding


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
            bindings = [*_read(store.companies(context.run))]
            bindings += _not_read(store, {one.company for one in bindings})
        for key in sorted(context.selected_asset_keys):
            yield observation(key.path[-1], bindings)

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


@dataclass(frozen=True)
class Binding:
    """A source version that feeds something of a company.

    Attributes:
        company: Key of the company.
        slot: What it feeds.
        family: Source family.
        source: Key and version.
        quantity: What its cells hold.
        licence: Terms of use.
        manifest: Hash over the contents of its files.
        files: Number of its files; None where this run did not look.
    """

    company: str
    slot: str
    family: str
    source: str
    quantity: str
    licence: str
    manifest: str
    files: int | None

    def as_row(self) -> dict[str, str | int | None]:
        """What the table of the observation shows."""
        return {
            "company": self.company,
            "feeds": self.slot,
            "source": self.source,
            "quantity": self.quantity,
            "files": self.files,
            "manifest": self.manifest[:19],
            "licence": self.licence,
        }


def _read(companies: Iterable[CompanyWorld]) -> Iterator[Binding]:
    for company in companies:
        for slot, source in company.sources.items():
            version, manifest = source.version, manifest_hash(source.files)
            facts = (version.family, version.label, version.quantity, version.licence)
            yield Binding(company.key, slot, *facts, manifest, len(source.files))


def _not_read(store: CarbonStore, companies: Collection[str]) -> Iterator[Binding]:
    """Bindings of the companies that the run is not about, as they were last registered."""
    query = (
        select(
            Company.key,
            SourceBinding.slot,
            RasterDataSource.family,
            func.concat(RasterDataSource.key, " ", RasterDataSource.version),
            RasterDataSource.quantity_kind,
            RasterDataSource.licence,
            SourceBinding.manifest_hash,
        )
        .join(Company, Company.id == SourceBinding.company_id)
        .join(RasterDataSource, RasterDataSource.id == SourceBinding.raster_source_id)
        .where(Company.key.not_in(companies))
    )
    with transaction(store.opened()) as connection:
        for row in connection.execute(query):
            yield Binding(*row, files=None)


def observation(family: str, bindings: Iterable[Binding]) -> dg.ObserveResult:
    """Observe one family: what is registered for it, over all companies."""
    known = set(packaged_families())
    bound = sorted(
        (one for one in bindings if _shown_as(one.family, known) == family),
        key=lambda one: (one.company, one.slot),
    )
    lines = sorted(f"{one.company} {one.slot} {one.manifest}" for one in bound)
    version = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return dg.ObserveResult(
        asset_key=source_key(family),
        data_version=dg.DataVersion(f"sha256:{version}"),
        metadata={
            "bound": len(bound),
            "registered": table_metadata([one.as_row() for one in bound]),
        },
    )


def _shown_as(family: str, known: Collection[str]) -> str:
    return family if family in known else OWN_SOURCES
