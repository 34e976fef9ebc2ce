import subprocess
import sys
from pathlib import Path

from karkhana.workspace.programs import compiled


def test_a_program_is_compiled_once_and_runs(tmp_path: Path) -> None:
    place = compiled(tmp_path, "guest")
    assert place == compiled(tmp_path, "guest")
    assert [path.name for path in (tmp_path / "programs").iterdir()] == [place.name]
    result = subprocess.run([sys.executable, "-I", "-S", place, "0"], capture_output=True, check=False, text=True)
    assert "PID 1" in result.stderr


def test_it_is_made_again_when_the_home_was_cleaned(tmp_path: Path) -> None:
    place = compiled(tmp_path, "launcher")
    place.unlink()
    assert compiled(tmp_path, "launcher").is_file()
