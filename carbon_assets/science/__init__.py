"""Pure functions and their types: no database, no files, no clock, no Dagster."""
