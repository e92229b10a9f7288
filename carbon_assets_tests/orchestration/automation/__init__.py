"""Sensors and the schedule, on a real database and a real Dagster instance."""
