"""What assets share: the database, the companies as they stand, and who is told of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.partitions import PlaceVintage, ProjectVintage
from carbon_assets.provenance.graph import Level
from carbon_assets.provenance.materialize import Compute
from carbon_assets.provenance.parallel import configured_compute
from carbon_assets.provenance.world import CompanyWorld, Place, ProjectSpace, load_companies
from carbon_assets.store.copying import copy_rows
from carbon_assets.store.database import Database, open_database
from carbon_assets.store.engines import transaction
from carbon_assets.store.models import Farm, Project, WorkList, WorkListItem

Progress = Callable[[str, int, int], None]
"""Called with asset key, partitions done and partitions to do."""


def _silent(_asset: str, _done: int, _total: int) -> None:
    pass


@dataclass
class CarbonStore:
    """Dagster resource ``store``.

    Attributes:
        database: The database; opened on first use when none is given.
        progress: Who is told how far an asset is.
        compute: How a chunk's places are computed; by default as ``CARBON_WORKERS`` says.
        errors: User-facing errors that struck assets of this process, the newest last.
    """

    database: Database | None = None
    progress: Progress = _silent
    compute: Compute = field(default_factory=configured_compute)
    errors: list[CarbonAssetsError] = field(default_factory=list)
    _view: tuple[str, list[CompanyWorld]] | None = field(default=None, init=False, repr=False)

    def opened(self) -> Database:
        """The database, opened if need be."""
        if self.database is None:
            self.database = open_database()
        return self.database

    def companies(self, run_id: str | None = None) -> list[CompanyWorld]:
        """Every company as it stands now, or as a run has found it.

        All assets of a run work on one view: loaded once, and what one computes from is what
        the next derives from. A raster that changes meanwhile is refused before anything is
        committed (:func:`carbon_assets.intake.files.require_unchanged`).

        Args:
            run_id: Dagster run; without it the view is loaded anew.

        Raises:
            RasterError: As :func:`carbon_assets.provenance.world.load_companies`.
        """
        if run_id is None:
            return self._load()
        if self._view is None or self._view[0] != run_id:
            self._view = run_id, self._load()
        return self._view[1]

    def _load(self) -> list[CompanyWorld]:
        with transaction(self.opened()) as connection:
            return load_companies(connection)

    def vintages(self) -> list[int]:
        """Calendar years that some project asks for, in order."""
        query = select(func.unnest(Project.vintages)).distinct()
        with transaction(self.opened()) as connection:
            return sorted(connection.execute(query).scalars())

    def work_list(self, number: int) -> list[PlaceVintage]:
        """Partitions of a stored work list of places."""
        query = (
            select(Farm.partition_key, WorkListItem.vintage)
            .join(Farm, Farm.id == WorkListItem.subject_id)
            .where(WorkListItem.work_list_id == number)
        )
        with transaction(self.opened()) as connection:
            rows = connection.execute(query).all()
        return [PlaceVintage(key, vintage) for key, vintage in rows if key is not None]

    def project_work_list(self, number: int) -> list[ProjectVintage]:
        """Partitions of a stored work list of projects."""
        query = (
            select(Project.partition_key, WorkListItem.vintage)
            .join(Project, Project.id == WorkListItem.subject_id)
            .where(WorkListItem.work_list_id == number)
        )
        with transaction(self.opened()) as connection:
            return [ProjectVintage(*row) for row in connection.execute(query)]

    def save_work_list(
        self, purpose: str, items: Iterable[tuple[int, int]], *, level: Level = "place"
    ) -> int:
        """Store (place or project, vintage) pairs as a work list and return its number."""
        values = {"purpose": purpose, "level": level}
        with transaction(self.opened()) as connection:
            row = WorkList.__table__.insert().values(values)  # type: ignore[attr-defined]
            number = int(connection.execute(row.returning(WorkList.id)).scalar_one())
            rows = [(number, subject, vintage) for subject, vintage in sorted(set(items))]
            copy_rows(connection, WorkListItem, ["work_list_id", "subject_id", "vintage"], rows)
        return number


def projects_by_partition(companies: Sequence[CompanyWorld]) -> dict[str, ProjectSpace]:
    """Projects by their permanent partition key."""
    return {project.partition_key: project for o in companies for project in o.projects.values()}


def places_by_partition(companies: Sequence[CompanyWorld]) -> dict[str, Place]:
    """Active places by their permanent partition key."""
    return {place.partition_key: place for one in companies for place in one.places.values()}
