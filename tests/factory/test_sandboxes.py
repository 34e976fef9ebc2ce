import subprocess
import sys

HEAVY = {"alembic", "click", "dbos", "libcst", "numpy", "scipy", "sklearn", "uvicorn", "sqlalchemy.dialects.postgresql"}


def test_a_workspace_and_a_trail_bring_in_no_other_room():
    names = "sys, karkhana.factory.stores, karkhana.factory.sandboxes, karkhana.engineers.llm"
    program = f"import {names}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "karkhana.workspace.local" in loaded
    assert not HEAVY & loaded
