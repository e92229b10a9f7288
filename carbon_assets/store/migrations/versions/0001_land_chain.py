"""The land chain: places, raster sources, receipts, farm metrics, partition state.

The statements stand in ``land_chain/*.sql`` and are frozen: a change of the models needs a
new revision.
"""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0001_land_chain"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The driver's own connection runs a script of many statements in one go.
    driver: Any = op.get_bind().connection.driver_connection
    for script in sorted((Path(__file__).parent / "land_chain").glob("*.sql")):
        driver.execute(script.read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("restore a backup: recorded numbers are not migrated back")
