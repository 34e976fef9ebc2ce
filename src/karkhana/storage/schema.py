"""Brings a database to the schema that this code knows. Alembic is imported only when there is something to do."""

from pathlib import Path

import sqlalchemy as sa

from karkhana.domain.errors import DatabaseUnavailable
from karkhana.storage.tables import SCHEMA_VERSION

_LOCK = 0x6B61726B68616E61
"""Key of PostgreSQL's advisory lock: "karkhana" in ASCII."""


def is_current(connection: sa.Connection, where: str) -> bool:
    """Whether nothing is to be done. Raises ``DatabaseUnavailable`` when the schema is newer than this code."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and str(version) > SCHEMA_VERSION:
        raise DatabaseUnavailable(
            f"{where} was made by a newer version of Karkhana (schema {version}, known here: {SCHEMA_VERSION})",
            "upgrade Karkhana, or use another KARKHANA_HOME or KARKHANA_DATABASE_URL",
        )
    return version == SCHEMA_VERSION


def migrate(connection: sa.Connection, where: str) -> None:
    """Run what is missing inside the transaction of ``connection``, which no other process may interleave."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if is_current(connection, where):
        return
    # Alembic takes 0.2 s to import, which every other start of the command line is spared
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    command.upgrade(config, "head")
