"""schemathesis asks every operation of the API's own description, of a real ``karkhana serve`` with data and a token.

All checks and all phases (examples, coverage, fuzzing, stateful). Prints operations, cases and failures by kind; exits
with 1 when there is any failure. Also says how many operations were ever answered with success, as a description whose
every answer is "not found" would pass too.

>>> # python -m benchmarks.api_fuzz_own --examples 100 --json
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit
from benchmarks.dashboard_world import PRODUCTS, fill
from karkhana.domain.access import Role
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.workspace.local import fuzzer_folder

PHASES = "examples,coverage,fuzzing,stateful"
DECLARED = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Methods of operations; the fuzzer also tries others, and these on paths that have them not."""
RUNS, EVENTS = 300, 6_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="Not used: the data is made.")
    parser.add_argument("--examples", type=int, default=50, help="Cases of an operation in the phases that draw them.")
    parser.add_argument("--phases", default=PHASES)
    parser.add_argument("--keep", type=Path, help="Folder for the report and what was printed.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        token = world(folder)
        with served(folder) as address:
            code = fuzz(folder, address, token, examples=asked.examples, phases=asked.phases)
        figures = {**told(folder / "report.ndjson"), "exit_code": code, "phases": asked.phases}
    emit("The API's own description, fuzzed", figures, as_json=asked.json)
    return int(code != 0)


def world(folder: Path) -> str:
    """A home with runs of many kinds; the secret of a token that may do everything."""
    home = folder / "home"
    settings = msgspec.structs.replace(load_settings({}), home=home, database_url=None)
    with open_stores(settings) as stores:
        fill(stores.database, folder / "world", runs=RUNS, events=EVENTS)
        _, secret = stores.tokens.create("fuzz", {"*": Role.ADMIN}, seconds=86_400, owner="asha")
    return secret


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of that home, until the end of the block."""
    environment = {
        **os.environ,
        "KARKHANA_HOME": str(folder / "home"),
        "KARKHANA_SECRETS_KEY_FILE": str(folder / "secrets.key"),
        "KARKHANA_ACCESS_TOKEN_APPROVALS": "true",
        "KARKHANA_ACCESS_REQUESTS_PER_MINUTE": "1000000",
    }
    words = [sys.executable, "-m", "karkhana.cli.main"] if not _command() else [_command()]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*words, "serve", "--port", "0", "--json"], env=environment, stdout=subprocess.PIPE, stderr=log
        )
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            if process.stdout is not None:
                process.stdout.close()


def _command() -> str:
    found = Path(sys.prefix) / "bin" / "karkhana"
    return str(found) if found.exists() else ""


def fuzz(folder: Path, address: str, token: str, *, examples: int, phases: str, only: str = ".") -> int:
    """Lets schemathesis ask the paths that ``only`` matches; its exit code."""
    start = (
        f"import sys; sys.path.insert(0, {str(fuzzer_folder())!r});"
        " from schemathesis.cli import schemathesis; schemathesis()"
    )
    words = [
        *(sys.executable, "-I", "-S", "-c", start, "run", f"{address}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--phases", phases),
        *("--workers", "1", "--no-color", "--generation-deterministic", "--continue-on-failure"),
        *("--max-examples", str(examples), "--request-timeout", "90", "--suppress-health-check", "all"),
        *("--include-path-regex", only),
        *("--report", "ndjson", "--report-ndjson-path", str(folder / "report.ndjson")),
    ]
    # names that exist, which nothing in the description could tell
    (folder / "schemathesis.toml").write_text(f'[parameters]\n"path.product" = "{PRODUCTS[0]}"\n')
    with (folder / "printed.txt").open("wb") as printed:
        return subprocess.run(words, cwd=folder, stdout=printed, stderr=printed, check=False).returncode


def told(report: Path) -> dict[str, Any]:
    """What the report says: operations, cases, checks, statuses, and failures by kind."""
    counted: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    operations, succeeded = set[str](), set[str]()
    with report.open() as lines:
        for line in lines:
            _take(json.loads(line), counted, statuses, failures, operations, succeeded)
    return {
        "operations": len(operations),
        "operations_with_success": len(succeeded),
        "without_success": sorted(operations - succeeded),
        **counted,
        "statuses": dict(sorted(statuses.items())),
        "failures": sum(failures.values()),
        "failures_by_kind": dict(failures),
    }


def _take(
    line: Any,
    counted: Counter[str],
    statuses: Counter[str],
    failures: Counter[str],
    *seen: set[str],
) -> None:
    operations, succeeded = seen
    scenario = line.get("ScenarioFinished")
    if scenario is None:
        return
    recorder = {"cases": {}, "interactions": {}, "checks": {}, **scenario["recorder"]}
    for number, case in recorder["cases"].items():
        value = case["value"]
        name = f"{value['method']} {value['path']}"
        response = recorder["interactions"].get(number, {}).get("response")
        if value["method"] in DECLARED and (response is None or response["status_code"] != 405):
            operations.add(name)
        counted["cases"] += 1
        if response is not None:
            statuses[str(response["status_code"])] += 1
            if response["status_code"] < 300 and value["method"] in DECLARED:
                succeeded.add(name)
    for checks in recorder["checks"].values():
        for check in checks:
            counted["checks"] += 1
            if check["status"] == "failure":
                failures[check["name"]] += 1


if __name__ == "__main__":
    raise SystemExit(main())
