"""``karkhana provider fake``: prints its address, answers, ends on a signal; refuses a bad script."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

KARKHANA = Path(sys.executable).parent / "karkhana"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_it_serves_until_a_signal_comes(tmp_path: Path, number: signal.Signals, words: tuple[str, ...]) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[answer]]\ntext = "good day"')
    command = [KARKHANA, "provider", "fake", "--script", script, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = json.loads(line)["address"] if words else line.split()[0]
            request = urllib.request.Request(f"{address}/v1/chat/completions", BODY)
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert json.load(answer)["choices"][0]["message"]["content"] == "good day"
        finally:
            process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("text", "code", "said", "exit_code"),
    [
        ('[[fault]]\nkind = "smoke"\nevery = 1', "invalid_setting", "line 2: fault.0.kind", 4),
        ("seed = = 1", "invalid_setting", "line 1", 4),
        (None, "invalid_input", "cannot be read", 2),
    ],
)
def test_a_bad_script_is_refused(tmp_path: Path, text: str | None, code: str, said: str, exit_code: int) -> None:
    script = tmp_path / "script.toml"
    if text is not None:
        script.write_text(text)
    command = [KARKHANA, "provider", "fake", "--script", script, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    error = json.loads(done.stdout or done.stderr)["error"]
    assert (done.returncode, error["code"]) == (exit_code, code)
    assert said in error["message"]
    assert error["next"]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text("")
    command = [KARKHANA, "provider", "fake", "--script", script]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["address"].rpartition(":")[2]
            done = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=60, check=False)
        finally:
            process.terminate()
    assert done.returncode == 2
    assert f"port {port} cannot be used" in done.stderr
