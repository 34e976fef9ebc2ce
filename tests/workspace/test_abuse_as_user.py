"""The whole abuse suite once more, as an ordinary user without any privilege, when the tests are run by root."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UID = 54321


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.geteuid() != 0, reason="the suite already runs as an ordinary user")
def test_the_abuse_suite_as_an_ordinary_user() -> None:
    with tempfile.TemporaryDirectory(prefix="karkhana-user-") as home:
        os.chown(home, UID, UID)
        suites = sorted(str(path) for path in HERE.glob("test_abuse_*.py") if path.name != Path(__file__).name)
        pytest_arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={home}/t"]
        result = subprocess.run(
            [sys.executable, str(HERE / "as_user.py"), str(UID), home, sys.executable, *pytest_arguments, *suites],
            capture_output=True,
            text=True,
            cwd=HERE.parents[1],
            check=False,
        )
    output = result.stdout + result.stderr
    passed = re.search(r"(\d+) passed", output)
    assert result.returncode == 0, output[-8000:]
    assert passed is not None
    assert int(passed[1]) >= 100, output[-2000:]
