"""A changed file in place of the one on disk."""

import subprocess
import sys
from pathlib import Path

import karkhana.behaviour

PROBES = Path(karkhana.behaviour.__file__).parent
PROGRAM = """\
import json, sys
sys.path[:0] = [{root!r}, {probes!r}]
import user
assert user.VALUE == 1
from probes.fresh import overlay
overlay({root!r}, {root!r} + "/base.py", "VALUE = 2\\n")
kept = sys.modules.get("json") is json
import user
print(user.VALUE, kept)
"""


def test_what_imported_the_old_file_is_imported_anew(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("VALUE = 1\n")
    (tmp_path / "user.py").write_text("from base import VALUE\n")
    program = PROGRAM.format(root=str(tmp_path.resolve()), probes=str(PROBES))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["2", "True"]
