"""Alembic environment: runs on the connection that the caller hands over."""

from alembic import context

from carbon_assets.store.models import Base

VERSION_TABLE = "carbon_alembic_version"


def run() -> None:
    """Run the migrations inside the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        version_table_schema="public",
    )
    context.run_migrations()


run()
