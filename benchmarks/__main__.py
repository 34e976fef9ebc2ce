"""Runs every benchmark whose data is there, one after the other: ``python -m benchmarks --data .benchmarks``.

A data set is fetched by hand into the data folder (see docs/benchmarks.md); what is missing is named and left out.
"""

import argparse
import subprocess
import sys
from pathlib import Path

SCRIPTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("harness", ("--data", "{data}"), ""),
    ("sandbox", (), ""),
    ("trail", (), ""),
    ("durability", ("--kills", "50"), ""),
    ("task_queue", (), ""),
    ("validation", (), ""),
    ("hopeless", (), ""),
    ("strategies", (), ""),
    ("misbehaving", (), ""),
    ("gateway_faults", (), ""),
    ("conformance", ("--data", "{data}/clients"), "clients"),
    ("gateway_hostile", (), ""),
    ("gateway_streams", (), ""),
    ("dashboard_scale", ("--data", "{data}"), ""),
    ("dashboard_paint", ("--data", "{data}"), ""),
    ("dashboard_start", (), ""),
    ("dashboard_live", ("--data", "{data}", "--browser"), ""),
    ("quixbugs", ("--dataset", "{data}/repositories"), "repositories/jkoppel+QuixBugs"),
    ("humanevalfix", ("--dataset", "{data}/repositories"), "repositories/bigcode-project+octopack"),
    ("history", ("--dataset", "{data}/repositories", "--half", "blind"), "repositories"),
    ("seeded", ("--dataset", "{data}/repositories", "--count", "300"), "repositories"),
    ("learning", ("--dataset", "{data}/repositories"), "repositories"),
    ("reproduce", ("--dataset", "{data}/repositories"), "repositories"),
    ("replay", ("--dataset", "{data}/repositories", "--every", "4"), "repositories/nus-apr+auto-code-rover"),
    ("change_risk", ("--dataset", "{data}/repositories"), "repositories/ZZR0+ISSTA21-JIT-DP"),
    ("bug_kinds", ("--dataset", "{data}/repositories"), "repositories"),
    ("guarantee", ("--dataset", "{data}/repositories"), "repositories/ZZR0+ISSTA21-JIT-DP"),
    ("routing", ("--dataset", "{data}/repositories"), "repositories/lm-sys+RouteLLM"),
)
"""(script, arguments, what must be in the data folder)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    failed = []
    for script, arguments, needed in SCRIPTS:
        if needed and not (options.data / needed).exists():
            print(f"{script}: left out, {options.data / needed} is not there", file=sys.stderr)
            continue
        words = [word.format(data=options.data) for word in arguments] + (["--json"] if options.json else [])
        if subprocess.run([sys.executable, "-m", f"benchmarks.{script}", *words], check=False).returncode:
            failed.append(script)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
