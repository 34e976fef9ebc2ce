"""Official clients and agents against the gateway, with the fake provider behind it, all as real processes on loopback.

    python -m benchmarks.conformance --data DIR [--only NAME ...] [--json]

Every client runs in an environment of its own under DIR, which is made once from the configured package index; one
that cannot be made is an error, not a pass. ``benchmarks/conformance_clients/`` holds the programs that run inside. The
model ``via-WIRE`` is answered by a provider that speaks WIRE, by the script ``benchmarks/conformance.toml``. Nothing
leaves the machine: proxies point to a closed port.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import data_folder, emit, virtual_environment

KARKHANA = Path(sys.executable).parent / "karkhana"
PROGRAMS = Path(__file__).parent / "conformance_clients"
SCRIPT = Path(__file__).with_suffix(".toml")
WIRES = {"openai": "/v1", "openai_responses": "/v1", "anthropic": "", "gemini": "", "ollama": ""}
"""Wire → what the base address of a provider ends in."""
LONGEST_S = 900
"""Seconds for all checks of a client."""
_CLOSED = "http://127.0.0.1:9"


def pypi(*packages: str) -> Callable[[Path], Path]:
    """Makes an environment with these packages, named by the first; gives its interpreter."""

    def made(data: Path) -> Path:
        return virtual_environment(data / f"venv-{packages[0]}", *packages)

    return made


def npm(package: str) -> Callable[[Path], Path]:
    """Installs a program of the npm registry; gives the interpreter that runs its checks."""

    def made(data: Path) -> Path:
        folder = data / "npm"
        if not (folder / "node_modules" / package).exists():
            folder.mkdir(parents=True, exist_ok=True)
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), package]
            subprocess.run(command, check=True, capture_output=True)
        return Path(sys.executable)

    return made


class Client(NamedTuple):
    """A program that asks the gateway."""

    name: str
    program: str
    environment: Callable[[Path], Path]


CLIENTS = (
    Client("openai (Chat Completions)", "openai_chat.py", pypi("openai")),
    Client("openai (Responses)", "openai_responses.py", pypi("openai")),
    Client("anthropic", "anthropic_messages.py", pypi("anthropic")),
    Client("google-genai", "google_genai.py", pypi("google-genai")),
    Client("ollama", "ollama_chat.py", pypi("ollama", "pydantic")),
    Client("mini-swe-agent", "mini_swe_agent.py", pypi("mini-swe-agent", "mcp")),
    Client("aider", "aider_chat.py", pypi("aider-chat")),
    Client("Claude Code", "claude_code.py", npm("@anthropic-ai/claude-code")),
    Client("Codex", "codex.py", npm("@openai/codex")),
)


def configuration(provider: str) -> str:
    """The gateway's file: one provider for each wire, one model for each provider, and models that fail."""
    lines = ["[gateway]", "port = 0"]
    for wire, base in WIRES.items():
        lines += [f"[provider.{wire}]", f'wire = "{wire}"', f'base_url = "{provider}{base}"']
        lines += [f"[model.via-{wire}]", f'candidates = ["{wire}/large"]', "output = 4096"]
        lines += [f'[price."{wire}/large"]', 'input = "3"', 'output = "15"', 'cache_read = "0.30"']
    lines += ["[model.failover]", 'candidates = ["openai/down", "anthropic/large"]']
    lines += ["[model.broken]", 'candidates = ["openai/down"]']
    lines += ['[price."openai/down"]', 'input = "3"', 'output = "15"']
    return "\n".join(lines) + "\n"


class House(NamedTuple):
    """A gateway that serves."""

    address: str
    environ: dict[str, str]

    def keys(self, name: str) -> dict[str, str]:
        """A key without limits, one that runs out of tokens, one without money."""
        metered, poor = self._key(f"{name} metered", "--tokens", "12000"), self._key(f"{name} poor")
        budget = ["gateway", "budgets", "set", f"key:{poor['key']['key_id']}", "--hard", "0.000001"]
        _karkhana(self.environ, *budget)
        key = self._key(name)
        return {"key": key["secret"], "metered": metered["secret"], "poor": poor["secret"]}

    def _key(self, name: str, *options: str) -> dict[str, Any]:
        return json.loads(_karkhana(self.environ, "gateway", "keys", "add", name, *options, "--json"))  # type: ignore[no-any-return]


def _karkhana(environ: dict[str, str], *words: str) -> str:
    return subprocess.run([KARKHANA, *words], env=environ, capture_output=True, text=True, check=True).stdout


@contextmanager
def served(environ: dict[str, str], *words: str) -> Iterator[str]:
    """The address of a server of Karkhana's, which is ended afterwards."""
    command: list[Any] = [KARKHANA, *words, "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield json.loads(started.stdout.readline())["address"]
        finally:
            started.terminate()
            started.wait(60)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """The fake provider, and the gateway before it."""
    environ = {**os.environ, "KARKHANA_HOME": str(folder / "home")}
    with served(environ, "provider", "fake", "--script", str(SCRIPT)) as provider:
        file = folder / "gateway.toml"
        file.write_text(configuration(provider))
        with served(environ, "gateway", "--config", str(file)) as address:
            yield House(address, environ)


def environment(client: Client, data: Path) -> Path:
    """The interpreter that runs a client's program. Raises ``SystemExit`` if its environment cannot be made."""
    try:
        return client.environment(data)
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise SystemExit(f"{client.name}: its environment under {data} cannot be made: {said}") from error


def checked(client: Client, data: Path, at: House, folder: Path) -> dict[str, Any]:
    """What a client's program told: its versions and its checks."""
    python = environment(client, data)
    given = {"address": at.address, "wires": list(WIRES), **at.keys(client.name)}
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1", "TERM": "dumb"}
    environ["CLIENT_DATA"] = str(data)
    # An agent mends a file within the second in which it first ran it, and to the same length.
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    environ |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _CLOSED)
    environ |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
    command: list[Any] = ["timeout", str(LONGEST_S), python, PROGRAMS / client.program, json.dumps(given)]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    found: dict[str, Any] = {
        "versions": next((line["versions"] for line in told if "versions" in line), {}),
        "checks": [line for line in told if "feature" in line],
    }
    if done.returncode or not found["checks"]:
        said = f"exit code {done.returncode}: {done.stderr.strip()[-800:] or 'nothing was said'}"
        found["checks"].append({"feature": "the program itself", "wire": "", "ok": False, "said": said})
    return found


def summary(found: dict[str, Any]) -> str:
    """All clients as Markdown: one line each."""
    lines = ["| client | version | checks | failed |", "|---|---|---|---|"]
    for name, client in found.items():
        versions = ", ".join(f"{package} {version}" for package, version in client["versions"].items())
        lines += [f"| {name} | {versions} | {len(client['checks'])} | {_failures(client)} |"]
    return "\n".join([*lines, ""])


def table(name: str, found: dict[str, Any]) -> str:
    """Checks of one client as Markdown: features down, wires across."""
    lines = [f"### {name}", ""]
    columns = [wire for wire in WIRES if any(each["wire"] == wire for each in found["checks"])]
    across: dict[str, dict[str, str]] = {}
    alone = []
    for each in found["checks"]:
        shown = "ok" if each["ok"] else "**failed**"
        if each["wire"]:
            across.setdefault(each["feature"], {})[each["wire"]] = shown
        else:
            alone.append(f"{each['feature']} {shown}")
    if across:
        lines += [f"| | {' | '.join(f'`{wire}`' for wire in columns)} |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {f} | {' | '.join(row.get(wire, '') for wire in columns)} |" for f, row in across.items()]
        lines += [""]
    if alone:
        lines += ["At the gateway: " + "; ".join(alone) + ".", ""]
    return "\n".join(lines)


def _failures(found: dict[str, Any]) -> int:
    return sum(not each["ok"] for each in found["checks"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".benchmarks"), help="holds the virtual environments")
    parser.add_argument("--only", action="append", default=[], help="name of a program, or a part of it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = data_folder(options.data)
    chosen = [c for c in CLIENTS if not options.only or any(part in c.program for part in options.only)]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch, house(Path(scratch)) as at:
        for number, client in enumerate(chosen):
            folder = Path(scratch) / f"client-{number}"
            folder.mkdir()
            found[client.name] = checked(client, data, at, folder)
            told = [each for each in found[client.name]["checks"] if not each["ok"]]
            for each in told:
                print(f"{client.name}: {each['feature']} {each['wire']}: {each['said']}", file=sys.stderr)
    failures = sum(map(_failures, found.values()))
    if not options.json:
        print("\n".join([summary(found), *(table(name, client) for name, client in found.items())]))
    checks = sum(len(client["checks"]) for client in found.values())
    emit("conformance", {"checks": checks, "failures": failures, "clients": found}, as_json=options.json)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
