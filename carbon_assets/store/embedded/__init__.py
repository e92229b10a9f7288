"""The embedded PostgreSQL server: where it lies, who runs it, and how long it lives."""
