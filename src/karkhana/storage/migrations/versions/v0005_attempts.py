"""What a provider was told as the name of a request, so that its own account can be compared with the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("ledger_entries", sa.Column("attempt", sa.Text, nullable=False, server_default=""))
