"""``karkhana gateway`` as its users have it: a process of its own, a key, a client, an answer, a budget."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

KARKHANA = Path(sys.executable).parent / "karkhana"
QUESTION = {"model": "smart", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


@contextmanager
def serving(*words: str | Path, home: Path) -> Iterator[str]:
    """The address of a server that is started by a command, and ended by SIGTERM."""
    command = [KARKHANA, *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(home)) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def environment(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "KARKHANA_HOME": str(home / "karkhana")}


def said(home: Path, *words: str) -> Any:
    done = subprocess.run(
        [KARKHANA, *words, "--json"], capture_output=True, text=True, env=environment(home), check=True
    )
    return json.loads(done.stdout)


def ask(address: str, key: str) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(QUESTION).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


@pytest.mark.slow
def test_a_client_with_a_key_is_answered_until_its_budget_is_reached(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[answer]]\ntext = "good day"\nusage = {input = 1000, output = 10}')
    with serving("provider", "fake", "--script", script, home=tmp_path) as provider:
        file = tmp_path / "gateway.toml"
        file.write_text(
            f'[gateway]\nport = 0\n[provider.p]\nwire = "openai"\nbase_url = "{provider}/v1"\n'
            '[model.smart]\ncandidates = ["p/m"]\n[price."p/m"]\ninput = "1"\noutput = "1"\n'
        )
        made = said(tmp_path, "gateway", "keys", "add", "ci")
        with serving("gateway", "--config", file, home=tmp_path) as address:
            assert ask(address, "kk_nobodys")[0] == 401
            status, answer = ask(address, made["secret"])
            assert (status, answer["choices"][0]["message"]["content"]) == (200, "good day")
            said(tmp_path, "gateway", "budgets", "set", f"key:{made['key']['key_id']}", "--hard", "0.001")
            status, answer = ask(address, made["secret"])
            assert status == 402, answer
            assert "raise the limit" in answer["error"]["message"]
        assert made["secret"] not in json.dumps(said(tmp_path, "gateway", "keys", "list"))
        said(tmp_path, "gateway", "keys", "remove", made["key"]["key_id"])
        assert said(tmp_path, "gateway", "keys", "list") == {"keys": []}
        entries = said(tmp_path, "audit", "list")
        assert [entry["action"] for entry in entries] == ["key.remove", "budget.set", "key.add"]
        assert entries[1]["details"] == {"hard": "0.001", "soft": ""}
        assert made["secret"] not in json.dumps(entries)


def test_a_wrong_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[provider.p]\nwire = "smoke"\nbase_url = "http://127.0.0.1:1"\n')
    command = [KARKHANA, "gateway", "--config", file, "--check", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), check=False)
    error = json.loads(done.stdout or done.stderr)["error"]
    assert (done.returncode, error["code"]) == (4, "invalid_setting")
    assert "line 2: provider.p.wire" in error["message"]
