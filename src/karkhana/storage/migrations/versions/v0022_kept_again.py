"""When the content of a trail was last kept: what was kept lately is not removed with the runs that it is old in."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("blobs", sa.Column("kept_at", sa.Double))
