"""What Dagster loads."""

from carbon_assets.orchestration.build import build_definitions

defs = build_definitions()
