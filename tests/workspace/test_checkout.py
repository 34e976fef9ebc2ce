import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from abuse_support import make_repository

from karkhana.domain.errors import InfrastructureFailure, InvalidInput, NotARepository
from karkhana.workspace.checkout import Checkouts


def test_a_checkout_holds_the_files_and_is_made_once(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "shop")
    checkouts = Checkouts(tmp_path / "home")
    with checkouts.hold(str(tmp_path / "shop"), commit) as folder:
        assert (folder / "cart.py").read_text().startswith("def total")
        assert os.access(folder / "run.sh", os.X_OK)
        assert not (folder / ".git").exists()
        inode = folder.stat().st_ino
    with checkouts.hold(str(tmp_path / "gone"), commit) as folder:  # the cache needs no repository
        assert folder.stat().st_ino == inode


def test_a_name_of_a_commit_is_resolved(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "shop")
    with Checkouts(tmp_path / "home").hold(str(tmp_path / "shop"), "main") as folder:
        assert folder.name == commit
    with pytest.raises(InvalidInput), Checkouts(tmp_path / "home").hold(str(tmp_path / "shop"), "../../etc"):
        pass


def test_a_folder_without_a_repository_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotARepository), Checkouts(tmp_path / "home").hold(str(tmp_path), "0" * 40):
        pass
    assert list((tmp_path / "home" / "tmp").iterdir()) == []


def test_threads_that_want_the_same_checkout(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "shop")
    seen: list[int] = []

    def hold() -> None:
        with Checkouts(tmp_path / "home").hold(str(tmp_path / "shop"), commit) as folder:
            assert (folder / "tests/test_cart.py").is_file()
            seen.append(folder.stat().st_ino)

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    assert len(set(seen)) == 1
    assert list((tmp_path / "home" / "tmp").iterdir()) == []


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "shop")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / "home" / "tmp" / f"checkout-{dead.pid}-1-abcd"
    other = tmp_path / "home" / "tmp" / "something else"
    for folder in (left, other):
        folder.mkdir(parents=True)
    with Checkouts(tmp_path / "home").hold(str(tmp_path / "shop"), commit):
        assert not left.exists()
        assert other.exists()


def test_old_checkouts_go_unless_they_are_held(tmp_path: Path) -> None:
    home = tmp_path / "home"
    commits = [make_repository(tmp_path / f"r{n}", {"n": str(n)}) for n in range(6)]
    checkouts = Checkouts(home, kept=3)
    with checkouts.hold(str(tmp_path / "r0"), commits[0]) as held:
        for number, commit in enumerate(commits):
            with checkouts.hold(str(tmp_path / f"r{number}"), commit) as folder:
                os.utime(folder, (number, number))  # the order of use, whatever the clock's resolution
        assert (held / "n").read_text() == "0"
        left = {path.name for path in (home / "checkouts").iterdir()}
        assert commits[0] in left
        assert commits[-1] in left
        assert len(left) == 4
    assert list((home / "tmp").iterdir()) == []


def test_a_disk_that_cannot_be_written_is_an_infrastructure_failure(tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "shop")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "checkouts").mkdir()
    (tmp_path / "home" / "checkouts" / commit).write_text("in the way")
    with pytest.raises(InfrastructureFailure), Checkouts(tmp_path / "home").hold(str(tmp_path / "shop"), commit):
        pass
    assert list((tmp_path / "home" / "tmp").iterdir()) == []
