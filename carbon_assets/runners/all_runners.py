"""Every runner there is. A new one is added here, and nowhere else."""

from __future__ import annotations

from carbon_assets.runners.biomass import BIOMASS
from carbon_assets.runners.declaration import Runner
from carbon_assets.runners.deforestation import DEFORESTATION
from carbon_assets.runners.fire import FIRE
from carbon_assets.runners.land_cover import LAND_COVER

RUNNERS: tuple[Runner, ...] = (LAND_COVER, BIOMASS, DEFORESTATION, FIRE)
"""In the order in which their assets are shown."""


def runner_named(name: str) -> Runner:
    """Return a runner by name.

    Raises:
        KeyError: If there is none.
    """
    return {runner.name: runner for runner in RUNNERS}[name]
