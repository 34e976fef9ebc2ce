"""Own CPU per turn of the harness around an engineer, against mini-swe-agent in the same run.

Both carry out the same commands, scripted, with their audit trail on: ours in the sandbox with every call in the
hash-chained trail, mini-swe-agent's ``DefaultAgent`` with its ``LocalEnvironment`` and its trajectory file. Own CPU is
the harness process's user and system time (commands are children and not counted); ours also lists what the
sandbox's own first process costs per command.

    python -m benchmarks.harness --data .benchmarks [--json]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import harness_codex, harness_llm
from benchmarks.common import data_folder, emit, small_repository, virtual_environment
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import RunCommand
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.rehearsal import rehearse

TURNS = (50, 200, 400)

MINI = """
import json, sys, tempfile, time, logging
from pathlib import Path
from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.test_models import DeterministicModel, make_output
turns, folder = int(sys.argv[1]), sys.argv[2]
outputs = [make_output("", [{"command": "cat notes.txt"}], cost=0.0) for _ in range(turns)]
outputs.append(make_output("", [{"command": "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"}], cost=0.0))
agent = DefaultAgent(
    DeterministicModel(outputs=outputs, cost_per_call=0.0), LocalEnvironment(cwd=folder),
    system_template="s", instance_template="{{task}}", cost_limit=0, output_path=Path(folder) / "trajectory.json",
)
start = time.process_time()
agent.run("scripted")
print(json.dumps({"ms": (time.process_time() - start) * 1000 / turns}))
"""


def measure_own(turns: int, folder: Path) -> dict[str, float]:
    """CPU milliseconds per turn, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.harness", "--child", str(turns), "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def child(turns: int, folder: Path) -> dict[str, float]:
    """One scripted run of ``turns`` calls through the real toolbox, workspace and trail."""
    engineer = ScriptedEngineer([RunCommand(argv=("cat", "notes.txt"))] * turns)
    with rehearse(folder, Ticket(text="scripted"), Budget(turns=turns + 1)) as (assignment, tools, trail):
        start = time.process_time()
        engineer.work(assignment, tools, trail)
        own = time.process_time() - start
    refused = [result for result in engineer.results if isinstance(result, Exception)]
    assert not refused, refused[0]
    assert all(result.stdout == b"notes\n" for result in engineer.results)
    return {"ms": own * 1000 / turns}


def measure_mini(turns: int, python: Path) -> float:
    """mini-swe-agent's CPU milliseconds per turn, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "notes.txt").write_text("notes\n")
        environment = {"PATH": "/usr/bin:/bin", "MSWEA_SILENT_STARTUP": "1", "HOME": folder}
        done = subprocess.run(
            [python, "-c", MINI, str(turns), folder], check=True, capture_output=True, text=True, env=environment
        )
    return float(json.loads(done.stdout.splitlines()[-1])["ms"])


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options.folder)))
        return
    python = virtual_environment(data_folder(options.data) / "mini", "mini-swe-agent")
    codex_python = virtual_environment(data_folder(options.data) / "codex", harness_codex.PACKAGE)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        repository = small_repository(Path(folder) / "repository", {"notes.txt": "notes\n"})
        home = Path(folder) / "home"
        figures["llm_rss_mib_new_home"] = round(harness_llm.measure(1, repository, home)["rss_mib"], 1)
        own: dict[int, list[float]] = {turns: [] for turns in TURNS}
        mini: dict[int, list[float]] = {turns: [] for turns in TURNS}
        codex: dict[int, list[float]] = {turns: [] for turns in TURNS}
        llm: dict[int, list[dict[str, float]]] = {turns: [] for turns in TURNS}
        for _ in range(options.repeats):
            for turns in TURNS:
                own[turns].append(measure_own(turns, repository)["ms"])
                llm[turns].append(harness_llm.measure(turns, repository, home))
                mini[turns].append(measure_mini(turns, python))
                codex[turns].append(harness_codex.measure(turns, codex_python))
    for turns in TURNS:
        figures[f"own_cpu_ms_per_turn_{turns}"] = round(median(own[turns]), 3)
        for name in ("ms", "loop_ms"):
            figures[f"llm_{name}_per_turn_{turns}"] = round(median([each[name] for each in llm[turns]]), 3)
        figures[f"llm_rss_mib_{turns}"] = round(median([each["rss_mib"] for each in llm[turns]]), 1)
        figures[f"mini_cpu_ms_per_turn_{turns}"] = round(median(mini[turns]), 3)
        figures[f"codex_cpu_ms_per_turn_{turns}"] = round(median(codex[turns]), 3)
    figures["flatness_400_to_50"] = round(median(own[400]) / median(own[50]), 2)
    seconds, mebibytes = zip(*(harness_llm.measure_import() for _ in range(options.repeats)), strict=True)
    figures["llm_import_cpu_s"], figures["llm_import_rss_mib"] = median(list(seconds)), median(list(mebibytes))
    figures["help_cpu_s"] = round(median([_help_cpu() for _ in range(options.repeats)]), 3)
    emit("Harness: own CPU per turn", figures, as_json=options.json)


def _help_cpu() -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([Path(sys.executable).parent / "karkhana", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
