"""Several searches in one answer of a model: carried out together, against one after the other, in the real sandbox.

Wall-clock milliseconds an answer, medians, taken in turns so that load meets both alike; the answers must be the same.

    python -m benchmarks.looks [--files 500] [--repeats 15] [--json]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import emit, small_repository
from karkhana.domain.chat import ToolCall as Asked
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import Search, SearchResult
from karkhana.engineers.llm.foreseeing import foresee
from karkhana.factory.rehearsal import rehearse
from karkhana.ports import Tools

COUNTS = (1, 2, 4, 8)


def answer_ms(tools: Tools, count: int, *, together: bool) -> tuple[float, list[SearchResult]]:
    """One answer with ``count`` searches, as the loop carries it out."""
    calls = [Search(pattern=f"value_{number}7\\b") for number in range(count)]
    asked = [
        Asked(id=str(number), name="search", arguments=f'{{"pattern": "value_{number}7\\\\b"}}')
        for number in range(count)
    ]
    start = time.perf_counter()
    if together:
        foresee(tools, asked)
    results = [tools.call(call) for call in calls]
    return (time.perf_counter() - start) * 1000, results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines = "".join(f"value_{number} = {number}\n" for number in range(200))
    files = {f"package/part_{number % 20}/module_{number}.py": lines for number in range(options.files)}
    taken: dict[tuple[int, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        repository = small_repository(Path(folder), files)
        with rehearse(repository, Ticket(text="look"), Budget(turns=10**6)) as (_, tools, _trail):
            for _ in range(options.repeats):
                for count in COUNTS:
                    found = {}
                    for together in (True, False):
                        took, found[together] = answer_ms(tools, count, together=together)
                        taken.setdefault((count, together), []).append(took)
                    assert found[True] == found[False]
    figures: dict[str, float] = {}
    for count in COUNTS:
        ms, apart = (statistics.median(taken[count, each]) for each in (True, False))
        figures[f"together_ms_{count}"], figures[f"one_by_one_ms_{count}"] = round(ms, 1), round(apart, 1)
        figures[f"ratio_{count}"] = round(ms / apart, 2)
    emit("Searches of one answer", figures, as_json=options.json)


if __name__ == "__main__":
    main()
