import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import SMALL

from karkhana.domain.errors import RunCancelled
from karkhana.workspace.layout import Bind
from karkhana.workspace.plain import PlainBox
from karkhana.workspace.sandbox import SandboxSpec


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PlainBox]:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "file").write_text("shown")
    binds = (Bind(str(tmp_path / "shown"), "/opt/karkhana/probes"),)
    env = {"PYTHONPATH": "/workspace/src:/opt/karkhana/probes"}
    with PlainBox(SandboxSpec(home=tmp_path / "home", settings=SMALL, binds=binds, env=env)) as opened:
        yield opened


def test_a_command_tells_how_it_went(box: PlainBox) -> None:
    result = box.run(("sh", "-c", "cat; echo err >&2; exit 5"), stdin=b"in")
    assert (result.exit_code, result.stdout, result.stderr) == (5, b"in", b"err\n")
    assert box.run(("sh", "-c", "kill -TERM $$")).exit_code == 128 + 15
    assert box.run(("no-such-program",)).exit_code == 127


def test_limits_of_time_and_output(box: PlainBox) -> None:
    result = box.run(("sh", "-c", "yes"), timeout_s=0.5)
    assert (result.timed_out, result.truncated) == (True, True)
    assert result.exit_code == 128 + signal.SIGKILL
    assert len(result.stdout) == SMALL.output_mb << 20


def test_places_of_a_sandbox_are_translated(box: PlainBox, tmp_path: Path) -> None:
    assert box.run(("cat", "/opt/karkhana/probes/file")).stdout == b"shown"
    assert box.run(("sh", "-c", "echo $PYTHONPATH")).stdout.decode().strip() == f"{box.root}/src:{tmp_path / 'shown'}"


def test_the_environment_is_cleared(box: PlainBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    assert b"SECRET" not in box.run(("env",), env={"A": "1"}).stdout


def test_home_and_temporary_folder_are_its_own(box: PlainBox) -> None:
    folders = box.run(("sh", "-c", "echo $HOME; echo $TMPDIR; touch $HOME/a $TMPDIR/b")).stdout.decode().split()
    assert folders == [f"{Path(box.root).parent}/home", f"{Path(box.root).parent}/tmp"]


def test_cancelling(box: PlainBox) -> None:
    timer = threading.Timer(0.3, box.cancel)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(RunCancelled):
        box.run(("sleep", "100"))
    assert time.monotonic() - begun < 60
    timer.join()
    with pytest.raises(RunCancelled):
        box.run(("true",))


def test_closing_removes_the_folder(tmp_path: Path) -> None:
    box = PlainBox(SandboxSpec(home=tmp_path, settings=SMALL))
    place = Path(box.root)
    assert place.is_dir()
    box.close()
    box.close()
    assert not place.exists()
