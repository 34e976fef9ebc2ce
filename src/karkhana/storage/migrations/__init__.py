"""Alembic's migrations. They are run by :mod:`karkhana.storage.schema`, with its connection, and by nothing else."""
