"""The risk of a change that is not committed yet, on top of a real history."""

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from karkhana.domain.events import RiskAssessed
from karkhana.domain.risks import Risk
from karkhana.factory.risk import change_risk, moved, risk_rules, without_history
from karkhana.git import Repository
from karkhana.quality.history.features import NAMES
from karkhana.quality.history.places import folder_for

DAY = 86_400
START = 1_700_000_000
CART = "".join(f"def price_{n}(x):\n    return x + {n}\n\n\n" for n in range(60))


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """Ten commits, a month apart; each third one mends the one before."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, 0, "init", "--quiet")
    for number in range(10):
        (folder / "cart.py").write_text(CART.replace(f"x + {number // 3}", f"x * {number}"))
        (folder / "README.md").write_text(f"{number}\n")
        git(folder, number, "add", "--all")
        git(
            folder,
            number,
            "commit",
            "--quiet",
            "--message",
            "Fix the missing value" if number % 3 == 2 else "Change prices",
        )
    return Repository.open(folder)


def git(folder: Path, month: int, *words: str) -> None:
    at = f"{START + month * 30 * DAY} +0000"
    who = {f"GIT_{role}_{key}": "t@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} | who
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=env)


def risk(source: Repository, home: Path, path: str, after: bytes, **more: Any) -> Risk:
    base = source.head()
    files = source.files(base)
    before = source.read_blobs([files[path][1]])[files[path][1]] if path in files else None
    now = START + 400 * DAY
    return change_risk(source, base, {path: (before, after)}, message="Change it", now=now, home=home, **more)


def test_a_large_change_is_riskier_and_says_why(source: Repository, tmp_path: Path) -> None:
    small = risk(source, tmp_path, "cart.py", (source.root / "cart.py").read_bytes().replace(b"x + 9\n", b"x - 9\n"))
    large = risk(source, tmp_path, "cart.py", (CART + CART.replace("price", "cost") * 5).encode())
    assert 0 < small.chance < large.chance < 1
    assert "its size raises the risk" in large.reasons
    assert "its size raises the risk" not in small.reasons


def test_what_touches_no_code_has_none(source: Repository, tmp_path: Path) -> None:
    found = risk(source, tmp_path, "README.md", b"new\n")
    assert (found.chance, found.reasons) == (0.0, ("it touches no code",))


def test_a_history_that_is_too_long_says_nothing(source: Repository, tmp_path: Path) -> None:
    rules = msgspec.structs.replace(risk_rules(), longest_history=9)
    found = risk(source, tmp_path, "cart.py", b"x = 1\n", rules=rules)
    assert found.chance is None
    assert "10 commits" in found.reasons[0]


def test_the_same_from_what_was_kept(source: Repository, tmp_path: Path) -> None:
    first = risk(source, tmp_path, "cart.py", b"x = 1\n")
    assert list((tmp_path / "history").iterdir())
    assert risk(source, tmp_path, "cart.py", b"x = 1\n") == first


def test_every_group_is_made_of_features() -> None:
    named = [name for names in risk_rules().groups.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= {*NAMES, "size"}


def test_words_for_each_change_the_most_first() -> None:
    small, large = moved({"la": [1.0, 900.0], "ld": [0.0, 400.0], "lt": [400.0, 400.0], "nf": [1.0, 1.0]})
    assert large[0] == "its size raises the risk"
    assert "its size lowers the risk" in small


CLOCK = """import datetime


def late(due):
    when = datetime.datetime.utcnow()
    return when - due > datetime.timedelta(days=1)
"""


def test_kinds_that_the_change_speaks_for_ask_for_checks_and_advise(source: Repository, tmp_path: Path) -> None:
    found = risk(source, tmp_path, "clock.py", CLOCK.encode())
    (time,) = [kind for kind in found.kinds if kind.kind == "time"]
    assert time.asks
    assert time.share > 1.25 * time.usual
    assert ("clock.py", 5) in {(line.path, line.line) for line in time.evidence}
    assert "differential" in found.checks
    assert any("time zone" in one for one in found.advice)


def test_what_is_merely_usual_asks_for_nothing(source: Repository, tmp_path: Path) -> None:
    found = risk(source, tmp_path, "plain.py", b"shop = other\n")
    assert found.kinds
    assert not any(kind.asks for kind in found.kinds)
    assert (found.checks, found.advice) == ((), ())


def test_past_repairs_of_the_file_are_named(source: Repository, tmp_path: Path) -> None:
    cart = (source.root / "cart.py").read_bytes()
    found = risk(source, tmp_path, "cart.py", cart.replace(b"x + 1\n", b"round(x) // 1\n"))
    repaired = {commit for kind in found.kinds for commit in kind.repaired_here}
    fixes = source.git.run("log", "--format=%H", "--grep=Fix the missing").decode().split()
    assert repaired
    assert repaired <= set(fixes)


def test_without_a_history_the_lines_still_speak() -> None:
    found = without_history({"clock.py": (None, CLOCK.encode())}, "it is broken")
    assert (found.chance, found.reasons) == (None, ("it is broken",))
    assert "time" in {kind.kind for kind in found.kinds if kind.asks}


def test_bytes_that_are_no_text_do_not_end_in_the_trail() -> None:
    found = without_history({"clock.py": (None, CLOCK.encode() + b"name = datetime.now('\xff')\n")}, "")
    event = RiskAssessed(risk=found)
    assert msgspec.json.decode(msgspec.json.encode(event), type=RiskAssessed) == event


def test_each_repository_has_its_own_folder(source: Repository, tmp_path: Path) -> None:
    assert folder_for(tmp_path, source) == folder_for(tmp_path, Repository.open(source.root))
    assert folder_for(tmp_path, source).parent == tmp_path / "history"
