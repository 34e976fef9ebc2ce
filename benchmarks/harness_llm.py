"""What the loop around a model costs: own CPU a turn with a scripted model, its import, and its memory.

The model asks for the same command as in :mod:`benchmarks.harness`, each time in other words; command, sandbox and
trail are the real ones, in a home that is there already (to make a new one takes Alembic into memory, which is told
apart). *Share of the loop*: what comes on top of the same commands from a script without a model. The durable engine,
the gates and the other engineers are not part of it.

    python -m benchmarks.harness --data .benchmarks --json      # runs this as well
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import RunCommand
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.scripted import ScriptedModel, calls
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.rehearsal import rehearse
from karkhana.ports import Assignment, Said, Tools, Trail

IMPORT = (
    "import time; start = time.process_time(); import karkhana.engineers.llm; "
    "print(time.process_time() - start); print(open('/proc/self/status').read())"
)
Work = Callable[[Assignment, Tools, Trail], None]


class Model(ScriptedModel):
    """Counts the requests instead of keeping them, which no real model does."""

    asked = 0

    def ask(self, request: ChatRequest) -> Said:
        self.asked += 1
        said = super().ask(request)
        self.requests.clear()
        return said


def script(turns: int) -> list[ChatAnswer]:
    """So many answers that ask for a command, and one that ends the work."""
    commands = [calls(("run_command", {"command": f"cat notes.txt # {turn}"})) for turn in range(turns)]
    return [*commands, calls(("give_up", {"reason": "over"}))]


def child(turns: int, folder: Path, home: Path) -> dict[str, float]:
    """CPU milliseconds a turn with the loop and with the same commands alone, and this process's MiB."""
    model = Model(script(turns))

    def with_loop(assignment: Assignment, tools: Tools, trail: Trail) -> None:
        handover = LlmEngineer().work(msgspec.structs.replace(assignment, model=model), tools, trail)
        assert handover.reason == "over", handover

    def alone(assignment: Assignment, tools: Tools, trail: Trail) -> None:
        commands = [RunCommand(argv=("sh", "-c", f"cat notes.txt # {turn}")) for turn in range(turns)]
        ScriptedEngineer(commands).work(assignment, tools, trail)

    whole = _cpu_ms(with_loop, turns, folder, home)
    assert model.asked == turns + 1
    rss = peak_mib(Path("/proc/self/status").read_text())
    return {"ms": whole, "loop_ms": whole - _cpu_ms(alone, turns, folder, home), "rss_mib": rss}


def peak_mib(status: str) -> float:
    """Peak memory of a process; ``getrusage`` would tell that of its parent if it was larger.

    >>> peak_mib("VmPeak: 9 kB\\nVmHWM:\\t  2048 kB\\n")
    2.0
    """
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _cpu_ms(work: Work, turns: int, folder: Path, home: Path) -> float:
    with rehearse(folder, Ticket(text="scripted"), Budget(turns=turns + 9), home=home) as (assignment, tools, trail):
        start = time.process_time()
        work(assignment, tools, trail)
        return (time.process_time() - start) * 1000 / turns


def measure(turns: int, folder: Path, home: Path) -> dict[str, float]:
    """The same, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.harness_llm", str(turns), str(folder), str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure_import() -> tuple[float, float]:
    """CPU seconds and MiB of ``import karkhana.engineers.llm``, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    seconds, _, status = done.stdout.partition("\n")
    return float(seconds), peak_mib(status)


if __name__ == "__main__":
    print(json.dumps(child(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))
