"""The dashboard listens soon: what a start for one person seldom needs is not loaded until somebody asks for it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

SELDOM = {
    "alembic": "a schema that is not current",
    "cryptography": "sealed secrets, certificates",
    "dbos": "a worker",
    "docker": "a sandbox",
    "genai_prices": "a gateway",
    "httpx": "nothing here",
    "joserfc": "sign-in by OpenID Connect",
    "jsonschema": "tools of models",
    "libcst": "changes to code",
    "numpy": "pages of figures",
    "opentelemetry": "traces",
    "psycopg": "PostgreSQL",
    "pytest": "a test run",
    "scipy": "learning",
    "sklearn": "learning",
    "yaml": "descriptions of APIs",
}
"""What waits → what it is for."""
ROOMS = {"engineers", "learning", "recording", "routing"}
"""Rooms of Karkhana that no start needs."""


def test_what_is_seldom_needed_is_not_loaded_until_it_listens(tmp_path: Path, sqlite_template: Path):
    (tmp_path / sqlite_template.name).write_bytes(sqlite_template.read_bytes())
    program = ["-X", "importtime", "-c", "from karkhana.cli.main import main; main()", "serve", "--port", "0", "--json"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("KARKHANA_", "OTEL_"))}
    environment = {**bare, "KARKHANA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with (tmp_path / "imports").open("w+") as told:
        process = subprocess.Popen(
            [sys.executable, *program], stdout=subprocess.PIPE, stderr=told, env=environment, text=True
        )
        try:
            assert json.loads(process.stdout.readline())["address"]
            told.seek(0)
            names = re.findall(r"^import time:.*\| +([\w.]+)$", told.read(), re.M)
        finally:
            process.terminate()
            process.communicate(timeout=30)
    loaded = {name.partition(".")[0] for name in names}
    assert {"karkhana", "sqlalchemy", "starlette", "uvicorn"} <= loaded
    assert loaded & SELDOM.keys() == set()
    assert {name.split(".")[1] for name in names if name.startswith("karkhana.")} & ROOMS == set()
