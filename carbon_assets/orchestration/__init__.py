"""Dagster: assets, checks, sensors, partitions, and the instance that they run in."""

import warnings

from dagster_shared.utils.warnings import BetaWarning

# Marked beta by Dagster and used on purpose: single-run backfills, partition mappings and
# observed sources. The versions are pinned, so nobody needs to be warned at every start.
warnings.filterwarnings("ignore", category=BetaWarning)
