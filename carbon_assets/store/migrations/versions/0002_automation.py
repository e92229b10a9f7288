"""Automation: remote rasters, uploads, project × vintage assets, upkeep.

The statements stand in ``automation/*.sql``.
"""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0002_automation"
down_revision = "0001_land_chain"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The driver's own connection runs a script of many statements in one go.
    driver: Any = op.get_bind().connection.driver_connection
    for script in sorted((Path(__file__).parent / "automation").glob("*.sql")):
        driver.execute(script.read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("restore a backup: recorded numbers are not migrated back")
