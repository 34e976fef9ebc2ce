"""What the benchmark scripts share: data folders, small repositories, printing of figures."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GIT = (
    "git",
    "-c",
    "user.name=benchmark",
    "-c",
    "user.email=benchmark@localhost",
    "-c",
    "init.defaultBranch=main",
    "-c",
    "commit.gpgsign=false",
)


def data_folder(path: Path) -> Path:
    """The ignored folder that holds fetched data and virtual environments."""
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def virtual_environment(folder: Path, *packages: str) -> Path:
    """The interpreter of a virtual environment with ``packages`` from the configured index; made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python


def find_source(folder: Path, name: str) -> Path | None:
    """The repository OWNER/NAME in a data folder, as OWNER+NAME or OWNER+NAME/repo, bare or not."""
    place = folder / name.replace("/", "+")
    return next((p for p in (place / "repo", place) if (p / "objects").is_dir() or (p / ".git").is_dir()), None)


def git(folder: Path, *words: str) -> str:
    """Run git in a repository of the benchmark's own."""
    return subprocess.run([*GIT, "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()


def small_repository(folder: Path, files: Mapping[str, str]) -> Path:
    """A git repository with one commit of ``files``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "start")
    return folder


def emit(title: str, figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print figures as a table on stderr, and with ``--json`` as one object on stdout's last line."""
    print(title, file=sys.stderr)
    for name, value in figures.items():
        if not isinstance(value, (list, dict)):
            print(f"  {name:<32} {value}", file=sys.stderr)
    if as_json:
        print(json.dumps(figures))


def run_ticket(
    repository: Path, ticket: str, *, home: Path, test_command: str | None = None, timeout_s: float = 120.0
) -> dict[str, Any]:
    """The object that ``karkhana run --json`` prints for a ticket, by the command line as a user has it."""
    command = [Path(sys.executable).parent / "karkhana", "run", "-", "--repo", repository, "--json"]
    command += ["--timeout", str(timeout_s)]
    if test_command:
        command += ["--test-command", test_command]
    environment = {**os.environ, "KARKHANA_HOME": str(home)}
    done = subprocess.run(command, input=ticket, capture_output=True, text=True, env=environment, check=False)
    if not done.stdout.strip():
        return {"status": "crashed", "reason": done.stderr[-2000:]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def replayed(result: Mapping[str, Any], home: Path) -> bool:
    """Whether the trail of the run is intact and gives its diff, byte for byte."""
    program = Path(sys.executable).parent / "karkhana"
    environment = {**os.environ, "KARKHANA_HOME": str(home)}
    replay, verify = (
        subprocess.run([program, "runs", word, result["run_id"]], capture_output=True, env=environment, check=False)
        for word in ("replay", "verify")
    )
    return verify.returncode == 0 and replay.stdout == result["diff"].encode("utf-8", "surrogateescape")
