"""The units, the image and the Compose file that ship: what tools say of them, and what they promise."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components import need
from karkhana.cli.main import app
from karkhana.domain.settings import Settings
from karkhana.factory.configuration import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("karkhana-serve.service", "karkhana-worker@.service")
ANALYZE = Path("/usr/bin/systemd-analyze")
HADOLINT = Path(sys.executable).parent / "hadolint"
NEEDED_BY_THE_SANDBOX = (
    *("RestrictNamespaces", "ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelLogs"),
    *("ProtectControlGroups", "MemoryDenyWriteExecute", "PrivateUsers"),
)


def unit(name: str) -> list[tuple[str, str]]:
    lines = (DEPLOY / "systemd" / name).read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return [(key, value) for key, _, value in pairs]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def understood(words: list[str]) -> None:
    """The command line takes these words: with --help it ends well, and without it knows each option."""
    shown = CliRunner().invoke(app, [words[0], "--help"]).output
    for word in words[1:]:
        assert not word.startswith("--") or word in shown, f"{words[0]} has no {word}"


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit_and_finds_it_tight(name: str, tmp_path: Path) -> None:
    need(ANALYZE.exists(), "the Debian package systemd")
    copy = tmp_path / name.replace("@.", "@1.")
    copy.write_text((DEPLOY / "systemd" / name).read_text().replace("/opt/karkhana/bin/karkhana", "/bin/true"))
    done = subprocess.run([ANALYZE, "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    scored = subprocess.run(
        [ANALYZE, "security", "--offline=yes", copy], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"Overall exposure level.*: ([0-9.]+)", scored)
    assert found is not None
    assert float(found[1]) <= 3.5


@pytest.mark.parametrize("name", UNITS)
def test_units_call_what_exists_and_leave_the_sandbox_its_namespaces(name: str) -> None:
    found = unit(name)
    command = next(value for key, value in found if key == "ExecStart").replace("%i", "1")
    understood(shlex.split(command)[1:])
    assert not {key for key, _ in found} & set(NEEDED_BY_THE_SANDBOX)
    assert all(
        "@mount" not in value and "@privileged" not in value for key, value in found if key == "SystemCallFilter"
    )
    assert ("NoNewPrivileges", "yes") in found
    assert ("User", "karkhana") in found


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    need(HADOLINT.exists(), "hadolint, of the development dependencies")
    done = subprocess.run([HADOLINT, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", text, re.M) == ["10001:10001"]
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["${BASE}", "${BASE}"]
    assert not re.search(r"(?i)(ENV|ARG).*(secret|token|password|key)", text)
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*", "only what is named is sent to the builder"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        assert {f"!{name}" for name in copied.split()} <= set(ignored)


def test_the_compose_file_calls_what_exists_and_holds_no_secret() -> None:
    services = compose()["services"]
    assert services.keys() == {"database", "serve", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 2
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|URL", key):
                assert re.search(r"\$\{[A-Z_]+:\?", value), f"{name}: {key} is to come from outside"
    for name in ("serve", "worker"):
        understood(services[name]["command"])
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"]
        assert "privileged" not in services[name]
    assert [port.partition(":")[0] for port in services["serve"]["ports"]] == ["127.0.0.1"]
    image = services["database"]["image"]
    assert re.fullmatch(r"postgres:15[a-z0-9.-]*", image)


def test_the_health_checks_are_programs() -> None:
    for name in ("serve", "worker"):
        program = compose()["services"][name]["healthcheck"]["test"][3]
        compile(program, name, "exec")


def test_the_example_of_a_configuration_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / "config" / "config.toml").read_text()
    folder = tmp_path / "karkhana"
    folder.mkdir()
    shutil.copy(DEPLOY / "config" / "config.toml", folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = load_settings({}, environ={"KARKHANA_HOME": str(tmp_path / "home")})
    assert isinstance(settings, Settings)
    assert settings.access.team
    gateway = compose()["networks"]["inside"]["ipam"]["config"][0]["gateway"]
    assert tomllib.loads(text)["access"]["proxies"] == [gateway]
