"""A farm edit with a known effect, to show what becomes stale and what does not.

The eastern 20 columns of one farm, which hold its oldest clearing, are left out. Nothing else
in the farms file changes. The answers for the edited farm are those of
`carbon_assets.demo.truth` for `edited_farm()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from carbon_assets.demo.design import Place, load_design
from carbon_assets.demo.landscape import FARMS
from carbon_assets.demo.publish import published
from carbon_assets.demo.truth import area_ha
from carbon_assets.demo.vectors import write_places


@dataclass(frozen=True)
class Edit:
    """What a farm edit did.

    Attributes:
        farm_key: The only farm whose polygon changed.
        before_ha: Its area before, hectares.
        after_ha: Its area after, hectares.
    """

    farm_key: str
    before_ha: float
    after_ha: float


def edited_farm() -> Place:
    """Return the farm that `apply_edit` changes, as it is after the edit."""
    return load_design().edited


def apply_edit(folder: Path) -> Edit:
    """Replace the farms file of a landscape by one in which one polygon is smaller.

    Args:
        folder: Folder of a written landscape.

    Returns:
        Which farm changed, and its area before and after.
    """
    edited = edited_farm()
    places = [edited if farm.key == edited.key else farm for farm in load_design().farms()]
    _replace(folder, places)
    return Edit(edited.key, area_ha(edited.key), area_ha(edited))


def undo_edit(folder: Path) -> Edit:
    """Put the farms file of a landscape back, byte for byte.

    Args:
        folder: Folder of a written landscape.

    Returns:
        Which farm changed, and its area before and after.
    """
    _replace(folder, list(load_design().farms()))
    edited = edited_farm()
    return Edit(edited.key, area_ha(edited), area_ha(edited.key))


def _replace(folder: Path, places: list[Place]) -> None:
    with published(folder) as scratch:
        write_places(scratch / FARMS, places)
