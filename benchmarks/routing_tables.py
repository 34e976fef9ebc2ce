"""Response tables of the form that RouteLLM publishes: prompts, and whether a weak and a strong model were right.

A folder is a checkout or a bare git directory of ``lm-sys/RouteLLM``, or a folder of repositories that has it. Prompts
that RouteLLM names as contaminated are left out, as its own evaluation does.
"""

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import find_source, git

REPOSITORY = "lm-sys/RouteLLM"
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
_ROOT = "routellm/evals"
TABLES = {"mmlu": f"{_ROOT}/mmlu/responses/", "gsm8k": f"{_ROOT}/gsm8k/gsm8k_responses.csv"}


class Table(NamedTuple):
    """Prompts with the answers' verdicts, 0 or 1."""

    prompts: list[str]
    weak: NDArray[np.float64]
    strong: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64]) -> "Table":
        return Table([self.prompts[row] for row in rows], self.weak[rows], self.strong[rows])


def table(folder: Path, name: str) -> Table:
    """``mmlu`` or ``gsm8k``. Raises ``SystemExit`` if the folder does not hold it."""
    files = _Files(folder)
    contaminated = files.read(f"{_ROOT}/{name}/contaminated_prompts.jsonl").split("\n")
    bad = {json.loads(line)["eval_prompt"] for line in contaminated if line}
    found = []
    for path in files.below(TABLES[name]):
        rows = csv.DictReader(io.StringIO(files.read(path), newline=""))
        found += [(row["prompt"], row[WEAK] == "True", row[STRONG] == "True") for row in rows]
    found = [row for row in found if row[0] not in bad]
    if not found:
        raise SystemExit(f"no rows of {name} in {folder}")
    prompts, weak, strong = zip(*found, strict=True)
    return Table(list(prompts), np.array(weak, dtype=float), np.array(strong, dtype=float))


class _Files:
    """The files of a plain folder, or of the last commit of a git directory."""

    def __init__(self, folder: Path) -> None:
        csv.field_size_limit(1 << 24)
        self._folder = folder if (folder / _ROOT).is_dir() else find_source(folder, REPOSITORY) or folder
        self._plain = (self._folder / _ROOT).is_dir()
        if not self._plain and not (self._folder / "objects").is_dir() and not (self._folder / ".git").exists():
            raise SystemExit(f"{folder} has no {REPOSITORY}: clone it there")

    def below(self, path: str) -> list[str]:
        if not path.endswith("/"):
            return [path]
        if self._plain:
            return sorted(str(p.relative_to(self._folder)) for p in (self._folder / path).glob("*.csv"))
        return git(self._folder, "ls-tree", "--name-only", "HEAD", path).splitlines()

    def read(self, path: str) -> str:
        if self._plain:
            return (self._folder / path).read_text("utf-8")
        return git(self._folder, "show", f"HEAD:{path}")
