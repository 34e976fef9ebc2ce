import subprocess
import sys
import threading
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from karkhana.workspace.instruments import Instruments


@pytest.fixture(scope="module")
def instruments(tmp_path_factory: pytest.TempPathFactory) -> Instruments:
    return Instruments(tmp_path_factory.mktemp("home"))


def test_pytest_and_coverage_work_from_the_folder_alone(instruments: Instruments) -> None:
    code = (
        f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(instruments.folder())!r}];"
    )
    code += "import pytest, coverage, karkhana_report; print(pytest.__file__, coverage.__file__)"
    code += "; import coverage.tracer; import importlib.metadata as m; print(m.version('pytest'))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == str(instruments.folder() / "pytest/__init__.py")
    assert done.stdout.split()[2] == pytest.__version__


def test_nothing_of_our_own_installation_but_instruments_is_in_it(instruments: Instruments) -> None:
    names = {path.name.split("-")[0].lower() for path in instruments.folder().iterdir()}
    assert {"pytest", "_pytest", "coverage", "pluggy", "iniconfig", "packaging", "karkhana_report.py"} <= names
    assert not names & {"karkhana", "msgspec", "sqlalchemy", "ruff", "bin"}


def test_it_is_made_once(instruments: Instruments) -> None:
    assert instruments.folder() == instruments.folder()
    assert instruments.folder().name == instruments.version


def test_several_may_make_it_at_once(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(Instruments(tmp_path).folder())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert [p.name for p in (tmp_path / "instruments").iterdir() if p.is_dir()] == [found[0].name]


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("pytest", True),
        ("pytest>=7", True),
        ("PyTest>=7", True),
        ("pytest<5", False),
        ("coverage", True),
        ("coverage[toml]", False),
        ("pytest-cov", False),
        ("pytest @ https://x.invalid/p.whl", False),
    ],
)
def test_which_requirements_they_meet(instruments: Instruments, text: str, met: bool) -> None:
    assert instruments.satisfies(Requirement(text)) is met


def test_everything_that_pytest_loads_is_compiled(instruments: Instruments) -> None:
    """The sandbox writes no bytecode, so what is not compiled would be compiled at every start."""
    code = f"import sys; sys.path.insert(0, {str(instruments.folder())!r}); import pytest, coverage, karkhana_report"
    code += "; print(*(p for m in list(sys.modules.values()) if (p := getattr(m, '__cached__', None))), sep='\\n')"
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=True)
    compiled = [path for path in done.stdout.splitlines() if path.startswith(str(instruments.folder()))]
    assert len(compiled) > 50
    assert [path for path in compiled if not Path(path).exists()] == []
