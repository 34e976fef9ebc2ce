from pathlib import Path

import pytest

from karkhana.workspace.environment_python import Python, make_empty, write_script


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    path = tmp_path / "host-python"
    path.write_text("the host's interpreter")
    return path


@pytest.fixture
def folder(tmp_path: Path, interpreter: Path) -> Path:
    prefix = str(tmp_path)
    make_empty(tmp_path / "venv", Python(str(interpreter), "3.11.7", (prefix, prefix), "cpython-311"), ())
    return tmp_path / "venv"


@pytest.mark.parametrize("name", ["python", "python3", "python3.11"])
def test_a_script_of_a_repository_cannot_overwrite_the_hosts_interpreter(
    folder: Path, interpreter: Path, name: str
) -> None:
    write_script(folder, name, "os", "system")
    assert interpreter.read_text() == "the host's interpreter"
    assert (folder / "bin" / name).is_symlink()


@pytest.mark.parametrize("name", ["../evil", "..", "", ".", "a/b", "a\0b", "a\nb"])
def test_odd_names_of_scripts_are_left_out(folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*"))
    write_script(folder, name, "os", "system")
    assert sorted(folder.rglob("*")) == before


def test_a_script_calls_its_function(folder: Path) -> None:
    write_script(folder, "shop", "my_shop.cli", "app.run")
    text = (folder / "bin" / "shop").read_text()
    assert "from my_shop.cli import app" in text
    assert "app.run()" in text
