"""A runner joined with the rasters that feed it, and what makes two places differ for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from carbon_assets.errors import CatalogueError
from carbon_assets.rasters.reader import RasterFile
from carbon_assets.rasters.registered import Bounds, RegisteredSource
from carbon_assets.reference.catalogue import Band
from carbon_assets.reference.change_legend import ChangeLegend, load_change_legend
from carbon_assets.reference.documents import as_document
from carbon_assets.reference.legend import Legend, load_legend
from carbon_assets.reference.strata_map import load_strata
from carbon_assets.runners.class_ids import Numbers
from carbon_assets.runners.declaration import Occurrence, Quantity, Runner, Setting
from carbon_assets.runners.strata import Strata, strata_of


@dataclass(frozen=True)
class Zone:
    """Places of one zone have the same inputs but for their polygon.

    Attributes:
        setting: Biome and ecological zone, blank where the runner does not use them.
        tiles: Tiles by slot, blank for untiled sources.
    """

    setting: Setting
    tiles: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class BandRule:
    """How raw values of a band become values or no data.

    Attributes:
        band: Catalogue entry.
        nodata: Raw values that mean no data, the header's tag included, ascending.
    """

    band: Band
    nodata: tuple[float, ...]

    def as_document(self) -> dict[str, Any]:
        """Return what of it enters a fingerprint."""
        uncertainty = self.band.uncertainty
        return {
            "nodata": [repr(v) for v in self.nodata],
            "scale": repr(self.band.scale),
            "offset": repr(self.band.offset),
            "unit": self.band.unit,
            "uncertainty": uncertainty.model_dump(mode="json") if uncertainty else None,
        }


@dataclass(frozen=True)
class BoundRunner:
    """A runner and its registered sources, by slot."""

    runner: Runner
    sources: Mapping[str, RegisteredSource]

    def __post_init__(self) -> None:
        source = self.value_source.version
        if source.quantity not in self.runner.accepts:
            raise CatalogueError(
                "SOURCE_UNFIT",
                f"runner {self.runner.name} cannot use {source.label}, a {source.quantity}",
                do=f"bind a source of kind {' or '.join(sorted(self.runner.accepts))}",
            )
        known = {event for event, _ in self.changes.events} if self.changes else set()
        if self.runner.events and not known & self.runner.events:
            raise CatalogueError(
                "SOURCE_UNFIT",
                f"legend {source.legend} of {source.label} knows no event of runner "
                f"{self.runner.name}: {', '.join(sorted(self.runner.events))}",
                do="bind a map of that kind of change",
            )

    @property
    def value_source(self) -> RegisteredSource:
        """The source that is aggregated."""
        return self.sources[self.runner.value_slot]

    @property
    def strata_source(self) -> RegisteredSource | None:
        """The class map whose strata slice the receipts."""
        return self.sources[self.runner.strata_slot] if self.runner.strata_slot else None

    @property
    def runner_key(self) -> str:
        """Key on the receipts, e.g. ``biomass.hgb``."""
        return f"{self.runner.name}.{self.value_source.version.family}"

    def zone(self, setting: Setting, bounds: Bounds) -> Zone:
        """Zone of a place with this setting and these bounds."""
        used = setting if self.runner.uses_setting(self.value_source.version) else Setting()
        tiles = ((slot, source.tiles_at(bounds)) for slot, source in self.sources.items())
        return Zone(used, tuple((slot, found) for slot, found in tiles if found))

    def files(self, slot: str, band: str, vintage: int, zone: Zone) -> tuple[RasterFile, ...]:
        """Files of a slot's band for a vintage in a zone."""
        tiles = dict(zone.tiles).get(slot, ())
        return tuple(f.file for f in self.sources[slot].files_for(band, vintage, tiles))

    def quantities(self, zone: Zone) -> tuple[Quantity, ...]:
        """What is computed per cell in a zone."""
        return self.runner.quantities(self.value_source.version, zone.setting)

    def rule(self, slot: str, band: str) -> BandRule:
        """Nodata, scale and unit of a band, header tags included."""
        if (slot, band) not in self._rules:
            self._rules[slot, band] = self._rule(self.sources[slot], band)
        return self._rules[slot, band]

    @cached_property
    def _rules(self) -> dict[tuple[str, str], BandRule]:
        return {}

    @staticmethod
    def _rule(source: RegisteredSource, band: str) -> BandRule:
        entry = source.version.band(band)
        tags = {f.file.nodata for f in source.files if f.band == band} - {None}
        values = {float(v) for v in entry.nodata} | {float(v) for v in tags if v is not None}
        return BandRule(entry, tuple(sorted(values)))

    @cached_property
    def legend(self) -> Legend | None:
        """Legend of the value source, if it is a class map."""
        version = self.value_source.version
        is_class_map = version.quantity == "class_map"
        return load_legend(version.legend) if is_class_map and version.legend else None

    @cached_property
    def changes(self) -> ChangeLegend | None:
        """Legend of the value source, if it is a map of change."""
        version = self.value_source.version
        is_change_map = version.quantity == "change_map"
        return load_change_legend(version.legend) if is_change_map and version.legend else None

    def struck(self, occurrence: Occurrence, vintage: int) -> tuple[ChangeLegend, Numbers]:
        """Turn the class ids of a map of change into 1 struck, 0 not, 2 no data.

        A map without a class for such an event in that year says nothing of it: all is no data,
        which is not the same as an area of zero.

        Args:
            occurrence: The event.
            vintage: Its year in the publisher's count.

        Raises:
            CatalogueError: ``LEGEND_MISSING``.
        """
        legend, version = self.changes, self.value_source.version
        if legend is None:
            raise self._no_legend()
        year = None if version.epoch is None else vintage
        hit = legend.ids_of(occurrence.events, year, occurrence.forest)
        rule = self.rule(self.runner.value_slot, class_band(self.value_source))
        missing = ({*legend.ids} - legend.observed_ids) | {int(value) for value in rule.nodata}
        ids = sorted({*legend.ids} | missing)
        if not hit:
            missing = set(ids)
        return legend, tuple((i, 2 if i in missing else int(i in hit)) for i in ids)

    @cached_property
    def class_ids(self) -> tuple[tuple[int, ...], frozenset[int]]:
        """Class ids that a class map may hold, ascending, and those that mean no data."""
        rule = self.rule(self.runner.value_slot, class_band(self.value_source))
        missing = unobserved(self.required_legend, rule)
        return tuple(sorted({*self.required_legend.ids} | missing)), frozenset(missing)

    @property
    def required_legend(self) -> Legend:
        """Legend of a value source that is a class map.

        Raises:
            CatalogueError: ``LEGEND_MISSING``.
        """
        if self.legend is None:
            raise self._no_legend()
        return self.legend

    def _no_legend(self) -> CatalogueError:
        return CatalogueError(
            "LEGEND_MISSING",
            f"{self.value_source.version.label} has no legend",
            do="name the legend of this source version in the catalogue",
        )

    def context(self, vintage: int) -> dict[str, Any]:
        """Facts for every receipt of a vintage: source, and the epoch of a static product."""
        version = self.value_source.version
        facts: dict[str, Any] = {"source": version.label}
        if (period := version.period(vintage)) is not None:
            facts["period"] = [day.isoformat() for day in period]
        if version.epoch is not None and version.events is None:
            facts["epoch"] = version.epoch
            facts["static"] = f"one map of {version.epoch}, used for vintage {vintage}"
        return facts

    @cached_property
    def strata(self) -> Strata | None:
        """Strata of the class map in the strata slot."""
        source = self.strata_source
        if source is None or self.runner.strata_slot is None or self.runner.strata_axis is None:
            return None
        legend_name, map_name = source.version.legend, source.version.strata
        if legend_name is None or map_name is None:
            raise CatalogueError(
                "STRATA_MAP_MISSING",
                f"{source.version.label} has no legend or no map from its classes to strata",
                do="name both in the catalogue: `legend` and `strata`",
            )
        legend = load_legend(legend_name)
        missing = unobserved(legend, self.rule(self.runner.strata_slot, class_band(source)))
        strata_map = load_strata(map_name, legend_name)
        return strata_of(legend, strata_map, self.runner.strata_axis, missing)

    def document(self, vintage: int, zone: Zone) -> dict[str, Any]:
        """Everything but polygon and code that a partition's numbers follow from.

        The keys are the causes of staleness: ``rasters``, ``reference``, ``parameters``.
        """
        tiles = dict(zone.tiles)
        rasters = {
            slot: source.manifest(vintage, tiles.get(slot, ()))
            for slot, source in self.sources.items()
        }
        return {
            "runner": self.runner_key,
            "vintage": vintage,
            "rasters": rasters,
            "reference": self._reference(zone),
            "parameters": self._parameters(zone),
        }

    def _reference(self, zone: Zone) -> dict[str, Any]:
        reference = dict(self.runner.reference(self.value_source.version, zone.setting))
        if legend := self.legend or self.changes:
            reference["legend"] = as_document(legend)
        source = self.strata_source
        if source is not None and source.version.strata:
            strata_map = load_strata(source.version.strata, source.version.legend)
            reference["strata"] = as_document(strata_map)
        return reference

    def _parameters(self, zone: Zone) -> dict[str, Any]:
        grids = {
            slot: [repr(getattr(lattice, name)) for name in _GRID_FIELDS] + [lattice.crs]
            for slot, source in self.sources.items()
            for lattice in [source.files[0].file.lattice]
        }
        bands = {
            slot: {b.name: self.rule(slot, b.name).as_document() for b in source.version.bands}
            for slot, source in self.sources.items()
        }
        return {
            "quantities": [q.as_document() for q in self.quantities(zone)],
            "strata_axis": self.runner.strata_axis,
            "grids": grids,
            "bands": bands,
        }


def unobserved(legend: Legend, rule: BandRule) -> set[int]:
    """Class ids that mean no data: by the legend, the catalogue, or the header's tag."""
    return ({*legend.ids} - legend.observed_ids) | {int(value) for value in rule.nodata}


_GRID_FIELDS = ("cell_width", "cell_height", "phase_x", "phase_y")


@lru_cache(maxsize=64)
def _only_band(names: tuple[str, ...]) -> str:
    if len(names) != 1:
        raise CatalogueError(
            "CLASS_BAND_AMBIGUOUS",
            f"a class map has one value band, not {len(names)}: {', '.join(names)}",
            do="describe each class map as a source version of its own",
        )
    return names[0]


def class_band(source: RegisteredSource) -> str:
    """Name of the band that holds a class map's ids."""
    return _only_band(tuple(b.name for b in source.version.value_bands))
