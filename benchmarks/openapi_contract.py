"""How many breaking edits of real OpenAPI descriptions are noticed, and how many harmless ones are blamed.

    python -m benchmarks.openapi_contract --dataset DIR --json [--each 4] [--seed 1] [--only NAME ...]

``DIR`` holds fetched repositories, ``OWNER+NAME/repo``. Every kind of edit is applied ``--each`` times, to
descriptions and places that the seed draws; the label comes from the kind of edit and the direction of the data,
see :mod:`benchmarks.openapi_edits`.
"""

import argparse
import json
import pickle
import random
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source
from benchmarks.openapi_edits import BREAKING, HARMLESS, Edit
from benchmarks.openapi_sites import Sites, find_sites
from karkhana.quality.contracts.openapi import compare
from karkhana.quality.contracts.openapi.documents import load

_DRAWS = 12
"""Descriptions that are tried until one has a place for the edit."""


def descriptions(folder: Path, only: list[str]) -> dict[str, bytes]:
    """The files of ``openapi_contract.toml`` that are there."""
    listed = tomllib.loads((Path(__file__).parent / "openapi_contract.toml").read_text())["files"]
    found = {}
    for name, (repository, path) in listed.items():
        source = find_source(folder, repository)
        if source is not None and (not only or name in only):
            shown = subprocess.run(["git", "-C", source, "show", f"HEAD:{path}"], capture_output=True, check=False)
            if shown.returncode == 0:
                found[name] = shown.stdout
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    texts = descriptions(options.dataset, options.only)
    documents = {name: load(text) for name, text in texts.items()}
    frozen = {name: pickle.dumps(document) for name, document in documents.items()}
    old = {name: json.dumps(document).encode() for name, document in documents.items()}
    sites = {name: find_sites(document) for name, document in documents.items()}
    rng = random.Random(options.seed)
    rows: list[dict[str, Any]] = []
    for expected, kinds in ((True, BREAKING), (False, HARMLESS)):
        for kind, edit in kinds.items():
            for _ in range(options.each):
                row = _seed(kind, edit, frozen, old, sites, rng=rng)
                if row is not None:
                    rows.append({**row, "expected": expected})
                    if row["found"] is not expected:
                        print(f"  {'missed' if expected else 'false alarm'}: {row}", file=sys.stderr)
    _report(rows, sorted(texts), as_json=options.json)


def _seed(
    kind: str,
    edit: Edit,
    frozen: dict[str, bytes],
    old: dict[str, bytes],
    sites: dict[str, Sites],
    *,
    rng: random.Random,
) -> dict[str, Any] | None:
    for _ in range(_DRAWS):
        name = rng.choice(sorted(frozen))
        document = pickle.loads(frozen[name])
        said = edit(document, sites[name], rng)
        new = json.dumps(document).encode()
        if said is None or new == old[name]:
            continue
        started = time.process_time()
        result = compare("openapi.json", old[name], new)
        return {
            "kind": kind,
            "file": name,
            "place": said,
            "found": bool(result.breaking),
            "codes": sorted({c.code for c in result.breaking}),
            "cpu_s": round(time.process_time() - started, 3),
        }
    return None


def _report(rows: list[dict[str, Any]], files: list[str], *, as_json: bool) -> None:
    breaking = [r for r in rows if r["expected"]]
    harmless = [r for r in rows if not r["expected"]]
    seconds = sorted(r["cpu_s"] for r in rows)
    figures = {
        "files": len(files),
        "breaking": len(breaking),
        "harmless": len(harmless),
        "breaking_kinds": len(Counter(r["kind"] for r in breaking)),
        "harmless_kinds": len(Counter(r["kind"] for r in harmless)),
        "recall": round(sum(r["found"] for r in breaking) / max(1, len(breaking)), 4),
        "false_alarms": round(sum(r["found"] for r in harmless) / max(1, len(harmless)), 4),
        "median_cpu_s": seconds[len(seconds) // 2] if seconds else 0.0,
        "highest_cpu_s": seconds[-1] if seconds else 0.0,
        "descriptions": files,
        "wrong": [r for r in rows if r["found"] is not r["expected"]],
    }
    emit("Breaking changes of OpenAPI descriptions", figures, as_json=as_json)


if __name__ == "__main__":
    main()
