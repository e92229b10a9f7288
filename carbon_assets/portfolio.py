"""The front door: a user's portfolio file, and how it enters the database.

A portfolio says whose land is computed, for which years, and from which rasters. The README
explains every key by example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from carbon_assets.errors import CatalogueError, PortfolioError
from carbon_assets.intake.contents import learn
from carbon_assets.intake.mirroring import remote_hrefs
from carbon_assets.intake.places import PlaceChanges, save_places
from carbon_assets.intake.sources import Binding, register
from carbon_assets.intake.tenancy import ProjectEntry, save_company, save_projects
from carbon_assets.places.importing import read_places
from carbon_assets.places.model import Place, PlaceImport, PlaceKind
from carbon_assets.places.overlaps import Overlap, find_overlaps
from carbon_assets.provenance.coverage import require_computable
from carbon_assets.provenance.world import load_companies
from carbon_assets.rasters.remote.transfer import Progress
from carbon_assets.reference.biomes import biome, load_biomes, root_to_shoot
from carbon_assets.reference.catalogue import load_catalogue
from carbon_assets.reference.metric_types import load_metric_types
from carbon_assets.reference.yaml_files import load_yaml_model
from carbon_assets.runners.all_runners import RUNNERS
from carbon_assets.store.database import Database
from carbon_assets.store.engines import transaction
from carbon_assets.store.seed import seed_reference

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
Year = Annotated[int, Field(ge=1985, le=2050)]
_MOST_YEARS = 1_000
"""No range is spelled out further: a year beyond it is refused by then."""
SLOTS = tuple(dict.fromkeys(slot for runner in RUNNERS for slot in runner.slots))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompanySection(_Section):
    """Tenant that owns the projects."""

    key: Key
    name: str = Field(min_length=1)


class SourceSection(_Section):
    """Source version that feeds a runner, and own copies of its bands."""

    source: str
    version: str
    hrefs: dict[str, str] = Field(default_factory=dict)


class ProjectSection(_Section):
    """A project with what its places share."""

    key: Key
    name: str = Field(min_length=1)
    biome: str | None = None
    ecological_zone: str | None = None
    staleness_policy: Literal["auto", "badge"] = "auto"
    forest_groups: list[str] | None = None
    min_valid_share: float | None = None

    @model_validator(mode="after")
    def _known_terms(self) -> Self:
        try:
            biome(self.biome)
            if self.ecological_zone is not None:
                root_to_shoot(self.ecological_zone)
        except CatalogueError as unknown:
            raise ValueError(unknown.what) from unknown
        return self

    def settings(self) -> dict[str, Any]:
        """What is stored as the project's settings."""
        return self.model_dump(
            exclude={"key", "name", "staleness_policy"}, exclude_none=True, mode="json"
        )


class PlacesSection(_Section):
    """A vector file and which of its columns say what."""

    file: str
    kind: PlaceKind = PlaceKind.FARM
    key: str
    name: str | None = None
    project: str | None = None
    project_is: str | None = None
    biome: str | None = None
    layer: str | None = None
    repair: bool = False

    @field_validator("biome")
    @classmethod
    def _known_biome(cls, given: str | None) -> str | None:
        try:
            biome(given)
        except CatalogueError as unknown:
            raise ValueError(unknown.what) from unknown
        return given


class Portfolio(_Section):
    """The whole file."""

    company: CompanySection
    vintages: list[Year] = Field(min_length=1)
    catalogue: list[str] = Field(default_factory=list)
    sources: dict[str, SourceSection]
    projects: list[ProjectSection] = Field(min_length=1)
    places: list[PlacesSection] = Field(min_length=1)

    @field_validator("vintages", mode="before")
    @classmethod
    def _range(cls, given: Any) -> Any:
        """Accept ``2013-2022``, one year, or a list."""
        if isinstance(given, int):
            return [given]
        if isinstance(given, str):
            first, dash, last = given.partition("-")
            if not (dash and first.strip().isdigit() and last.strip().isdigit()):
                raise ValueError("write a range like 2013-2022, or a list of years")
            years = range(int(first), int(last) + 1)
            if not years:
                raise ValueError("the first year comes after the last")
            return list(years[:_MOST_YEARS])
        return given

    @field_validator("sources")
    @classmethod
    def _slots(cls, given: dict[str, SourceSection]) -> dict[str, SourceSection]:
        unknown = sorted(given.keys() - set(SLOTS))
        if unknown:
            raise ValueError(f"unknown {', '.join(unknown)}; known: {', '.join(SLOTS)}")
        served = {
            slot for runner in RUNNERS if given.keys() >= set(runner.slots) for slot in runner.slots
        }
        if idle := sorted(given.keys() - served):
            (runner,) = (one for one in RUNNERS if one.value_slot == idle[0])
            raise ValueError(f"{idle[0]} needs {', '.join(runner.slots[1:])} beside it")
        if not given:
            raise ValueError("give at least one source")
        return given

    @model_validator(mode="after")
    def _unique_projects(self) -> Self:
        keys = [project.key for project in self.projects]
        if len(set(keys)) < len(keys):
            raise ValueError("two projects have the same key")
        return self


@dataclass(frozen=True)
class Loaded:
    """What an import of a portfolio did.

    Attributes:
        company: Key of the company.
        company_id: Its row.
        vintages: Years that are computed.
        changes: What happened to the places.
        overlaps: Farms of the portfolio that overlap, with area.
        warnings: Remarks of the file readers.
    """

    company: str
    company_id: int
    vintages: tuple[int, ...]
    changes: PlaceChanges
    overlaps: tuple[Overlap, ...] = ()
    warnings: tuple[str, ...] = field(default_factory=tuple)


def read_portfolio(path: Path) -> Portfolio:
    """Read and validate a portfolio file.

    Raises:
        PortfolioError: ``PORTFOLIO_INVALID``, one ``file:line field: message`` per problem;
            ``PORTFOLIO_MISSING``.
    """
    if not path.is_file():
        raise PortfolioError(
            "PORTFOLIO_MISSING",
            "there is no such portfolio file",
            where=str(path),
            do="write one (README, 'Your own portfolio'), or run `carbon-assets demo`",
        )
    return load_yaml_model(path, Portfolio, error=PortfolioError, code="PORTFOLIO_INVALID")


def import_portfolio(
    database: Database,
    path: Path,
    *,
    repair: bool = False,
    progress: Progress | None = None,
) -> Loaded:
    """Bring the database in line with a portfolio file, in one transaction.

    What a run would refuse, such as a place outside the rasters, is refused here.

    Args:
        database: The database.
        path: The portfolio file.
        repair: Repair invalid polygons, and store that they were.
        progress: Told how much of a remote raster has been read.

    Raises:
        CarbonAssetsError: Whatever is wrong with the file, its places or its rasters; then
            nothing was written.
    """
    portfolio = read_portfolio(path)
    folder = path.resolve().parent
    bindings = bindings_of(portfolio, folder)
    imports = read_all_places(portfolio, folder, repair=repair)
    for one in imports:
        one.raise_if_rejected()
    places = [place for one in imports for place in one.accepted]
    _require_unique(places)
    bounds = [place.geometry.bbox for place in places]
    seed(database)
    learn(database, remote_hrefs(bindings, portfolio.vintages, bounds), progress)
    with transaction(database) as connection:
        company_id = save_company(connection, portfolio.company.key, portfolio.company.name)
        projects = save_projects(connection, company_id, _projects(portfolio))
        changes = save_places(
            connection,
            company_id,
            places,
            projects,
            complete=list(PlaceKind),
            imported_from=path.name,
        )
        register(connection, company_id, bindings, portfolio.vintages, bounds)
        (world,) = load_companies(connection, portfolio.company.key)
        require_computable(connection, world)
    return Loaded(
        company=portfolio.company.key,
        company_id=company_id,
        vintages=tuple(sorted(set(portfolio.vintages))),
        changes=changes,
        overlaps=tuple(find_overlaps([p for p in places if p.kind is PlaceKind.FARM])),
        warnings=tuple(warning for one in imports for warning in one.warnings),
    )


def seed(database: Database) -> None:
    """Bring the database's reference tables in line with this version of the package."""
    seed_reference(
        database,
        metric_types=[m.model_dump(exclude={"confidence"}) for m in load_metric_types().values()],
        biomes=[
            b.model_dump(include={"key", "label", "carbon_fraction", "description", "source"})
            for b in load_biomes().values()
        ],
    )


def bindings_of(portfolio: Portfolio, folder: Path) -> list[Binding]:
    """Return what feeds each slot, with the addresses of its files filled in.

    Args:
        portfolio: The portfolio.
        folder: Folder of its file; relative paths count from there.

    Raises:
        CatalogueError: ``SOURCE_UNKNOWN``, ``VINTAGE_UNAVAILABLE``, ``CATALOGUE_INVALID``.
        PortfolioError: ``HREF_INVALID``.
    """
    catalogue = load_catalogue([folder / file for file in portfolio.catalogue])
    bindings = []
    for slot, section in portfolio.sources.items():
        version = catalogue.get(section.source, section.version)
        try:
            version = version.with_hrefs(section.hrefs, folder) if section.hrefs else version
        except ValidationError as invalid:
            message = invalid.errors()[0]["msg"].removeprefix("Value error, ")
            raise PortfolioError(
                "HREF_INVALID", f"sources.{slot}.hrefs: {message}", do="correct the address"
            ) from invalid
        for vintage in portfolio.vintages:
            version.vintage_for(vintage)
        bindings.append(Binding(slot, version))
    return bindings


def _projects(portfolio: Portfolio) -> Iterable[ProjectEntry]:
    for project in portfolio.projects:
        yield ProjectEntry(
            key=project.key,
            name=project.name,
            vintages=portfolio.vintages,
            staleness_policy=project.staleness_policy,
            settings=project.settings(),
        )


def read_all_places(
    portfolio: Portfolio, folder: Path, *, repair: bool = False
) -> list[PlaceImport]:
    """Read the vector files of a portfolio; nothing is stored.

    Args:
        portfolio: The portfolio.
        folder: Folder of its file.
        repair: Repair invalid polygons.

    Raises:
        PlaceError: If a file as a whole is not usable.
    """
    return [_read(section, folder, repair=repair) for section in portfolio.places]


def _read(section: PlacesSection, folder: Path, *, repair: bool) -> PlaceImport:
    return read_places(
        folder / section.file,
        kind=section.kind.value,
        key=section.key,
        name=section.name,
        project=section.project,
        project_is=section.project_is,
        biome=section.biome,
        layer=section.layer,
        repair=repair or section.repair,
    )


def _require_unique(places: Sequence[Place]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for place in places:
        name = (place.kind.value, place.key)
        if name in seen:
            raise PortfolioError(
                "PLACE_KEY_DUPLICATE",
                f"{place.kind.value} {place.key} stands in two files: "
                f"{seen[name]} and {place.source_file}",
                do="give each place of one kind a key of its own",
            )
        seen[name] = place.source_file
