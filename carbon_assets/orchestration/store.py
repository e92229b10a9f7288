"""What assets share: the database, the companies as they stand, and who is told of progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dagster import DagsterRun
from sqlalchemy import func, select, text

from carbon_assets.errors import CarbonAssetsError
from carbon_assets.orchestration.event_storage import WORK_LIST_TAG
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


_ON_LIST = text(
    "SELECT c.key FROM companies AS c WHERE EXISTS (SELECT FROM work_lists AS w"
    " JOIN work_list_items AS i ON i.work_list_id = w.id"
    " LEFT JOIN farms AS f ON w.level = 'place' AND f.id = i.subject_id"
    " LEFT JOIN projects AS p ON w.level = 'project' AND p.id = i.subject_id"
    " WHERE w.id = :number AND c.id IN (f.company_id, p.company_id)) ORDER BY c.id"
)


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

    def companies(self, run: DagsterRun) -> list[CompanyWorld]:
        """The companies that a run is about, as it has found them.

        All assets of a run work on one view: loaded once, and what one computes from is what
        the next derives from. A raster that changes meanwhile is refused before anything is
        committed (:func:`carbon_assets.intake.files.require_unchanged`). A run with a work list
        loads the companies on it alone: a raster that another company misses is not its concern.

        Args:
            run: Dagster run.

        Raises:
            RasterError: As :func:`carbon_assets.provenance.world.load_companies`.
        """
        if self._view is None or self._view[0] != run.run_id:
            number = run.tags.get(WORK_LIST_TAG)
            self._view = run.run_id, self._load(None if number is None else int(number))
        return self._view[1]

    def _load(self, work_list: int | None) -> list[CompanyWorld]:
        with transaction(self.opened()) as connection:
            if work_list is None:
                return load_companies(connection)
            keys = connection.execute(_ON_LIST, {"number": work_list}).scalars().all()
            return [world for key in keys for world in load_companies(connection, key)]

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
