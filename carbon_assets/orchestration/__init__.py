"""Dagster: assets, checks, sensors, partitions, and the instance that they run in."""
