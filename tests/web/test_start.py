"""The dashboard listens soon: what only the factory's work needs is not loaded on the way."""

import subprocess
import sys

HEAVY = {"alembic", "dbos", "libcst", "numpy", "opentelemetry", "psycopg", "scipy", "sklearn", "yaml"}


def test_what_is_heavy_is_not_loaded_to_serve():
    program = "import sys, karkhana.cli.commands.serve; print(*{name.split('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(told.stdout.split())
    assert {"karkhana", "starlette", "sqlalchemy"} <= loaded
    assert loaded & HEAVY == set()
