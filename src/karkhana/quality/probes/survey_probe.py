"""Lists what a repository holds about its web interface: applications, recordings, descriptions.

A program for the sandbox; ``openapi_probe`` and ``web_probe`` stand before it. It imports nothing of the target and
reads only names, and beginnings of files. Knows nothing of what is done with them.

    survey({"root": "/workspace", "marker": "5f1c…", "most": 8})
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from karkhana.quality.probes.openapi_probe import SIGNS, SKIPPED, candidates
from karkhana.quality.probes.web_probe import WEB_SIGNS

PASSED_OVER = {"node_modules", "site-packages", "__pycache__", "venv"}
DESCRIPTION = re.compile(r"""\s*(?:\{\s*)?(?:#[^\n]*\n\s*)*["']?(?:openapi|swagger)["']?\s*:""")
NAMED = ("openapi.", "swagger.")
FILES_LOOKED_AT = 50_000


def survey(job: Any) -> None:
    """Print one line: ``applications``, ``hars``, ``cassettes`` and ``descriptions``, each a sorted list of paths."""
    root = Path(job["root"])
    hars: Any = []
    cassettes: Any = []
    descriptions: Any = []
    looked = 0
    for folder, folders, names in os.walk(str(root)):
        folders[:] = sorted(f for f in folders if f not in PASSED_OVER and not f.startswith("."))
        for name in sorted(names):
            looked += 1
            path = Path(folder, name)
            shown = str(path.relative_to(root))
            lower = name.lower()
            if lower.endswith(".har"):
                hars.append(shown)
            elif "cassettes" in path.parts and lower.endswith((".yaml", ".yml", ".json")):
                cassettes.append(shown)
            elif lower.endswith((".json", ".yaml", ".yml")) and (lower.startswith(NAMED) or described(root, path)):
                descriptions.append(shown)
        if looked > FILES_LOOKED_AT:
            break
    either = re.compile(SIGNS.pattern + "|" + WEB_SIGNS.pattern)
    applications = [str(path.relative_to(root)) for path, _ in candidates(root, job["most"], either)]
    said = {"applications": applications, "hars": hars, "cassettes": cassettes, "descriptions": descriptions}
    sys.stdout.write("\n" + job["marker"] + json.dumps({kind: paths[:200] for kind, paths in said.items()}) + "\n")


def described(root: Any, path: Any) -> bool:
    """Whether a file outside of tests begins like a description."""
    if SKIPPED & set(path.relative_to(root).parts):
        return False
    try:
        with path.open("rb") as file:
            return DESCRIPTION.match(file.read(2048).decode("utf-8", "replace")) is not None
    except OSError:
        return False
