"""What a project decides about its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from carbon_assets.errors import PortfolioError
from carbon_assets.reference.legend import Group
from carbon_assets.reference.yaml_files import suggestion

FOREST_CHOICES: tuple[str, ...] = tuple(
    group for group in get_args(Group) if group not in ("aggregate", "not_observed")
)
"""Groups that a forest definition may name: those that say what the land is."""


@dataclass(frozen=True)
class MetricSettings:
    """A project's forest definition and its threshold for missing data.

    Attributes:
        forest_groups: Legend groups that count as forest. MapBiomas files savanna under
            forest as well; whether it is forest depends on the national definition (height,
            crown cover), so the project says so, and the default is the narrow reading.
        min_valid_share: A metric with a smaller share of valid area is flagged, 0 to 1. The
            default is the limit that metered series have here: up to a fifth may be missing.

    Raises:
        PortfolioError: ``FOREST_GROUPS_INVALID``, ``MIN_VALID_SHARE_INVALID``.
    """

    forest_groups: tuple[str, ...] = ("natural_forest",)
    min_valid_share: float = 0.8

    def __post_init__(self) -> None:
        _require_groups(self.forest_groups)
        _require_share(self.min_valid_share)

    @classmethod
    def from_project(cls, settings: Mapping[str, Any]) -> Self:
        """Read ``forest_groups`` and ``min_valid_share`` from a project's settings.

        Other keys (biome, ecological zone) are not for metrics and are left alone; a key
        that is missing takes its default.

        Raises:
            PortfolioError: ``FOREST_GROUPS_INVALID``, ``MIN_VALID_SHARE_INVALID``.
        """
        given = {key: settings[key] for key in cls.__dataclass_fields__ if key in settings}
        groups = given.get("forest_groups")
        if isinstance(groups, list):
            given["forest_groups"] = tuple(groups)
        return cls(**given)

    def as_document(self) -> dict[str, Any]:
        """Return what of it enters a fingerprint; the order of the groups does not."""
        return {
            "forest_groups": sorted(self.forest_groups),
            "min_valid_share": repr(float(self.min_valid_share)),
        }


def _require_groups(groups: object) -> None:
    if not isinstance(groups, tuple) or not groups:
        problem = f"a forest definition is a list of legend groups, not {groups!r}"
    elif unknown := [group for group in groups if group not in FOREST_CHOICES]:
        problem = f"no legend group {unknown[0]!r}{suggestion(unknown[0], FOREST_CHOICES)}"
    elif len(set(groups)) < len(groups):
        problem = f"a legend group is named twice: {', '.join(groups)}"
    else:
        return
    raise PortfolioError(
        "FOREST_GROUPS_INVALID",
        problem,
        where="project settings: forest_groups",
        do="name the groups that the project's forest definition takes in, e.g. "
        "[natural_forest, savanna]",
    )


def _require_share(share: object) -> None:
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if is_number and 0.0 <= float(share) <= 1.0:  # type: ignore[arg-type]
        return
    raise PortfolioError(
        "MIN_VALID_SHARE_INVALID",
        f"the smallest valid share is a number from 0 to 1, not {share!r}",
        where="project settings: min_valid_share",
        do="write 0.8 to flag metrics with more than a fifth of their area without data",
    )
