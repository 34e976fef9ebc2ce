"""What repositories say of the changes that wait: a commit once, remotes and the user's settings after a while."""

import subprocess

import pytest

from karkhana.domain.errors import NotARepository
from karkhana.domain.tasks import Order, Ticket
from karkhana.web import grounds as module
from karkhana.web.grounds import FRESH_S, Grounds


@pytest.fixture
def order(line) -> Order:
    return Order(ticket=Ticket(text="one"), repository=str(line.root), commit=line.commit)


def test_a_remote_is_seen_after_a_while_and_a_commit_is_read_once(order, monkeypatch):
    now = [0.0]
    found, read = Grounds(lambda: now[0]), []
    own = module.own_settings
    monkeypatch.setattr(module, "own_settings", lambda *of: read.append(of) or own(*of))
    assert (found.of(order).remote, found.of(order).four_eyes) == ("", False)
    subprocess.run(["git", "-C", order.repository, "remote", "add", "origin", "/nowhere"], check=True)
    assert found.of(order).remote == ""
    now[0] += FRESH_S
    assert found.of(order).remote == "origin"
    assert len(read) == 1


def test_what_a_commit_asks_for_holds(order, line):
    (line.root / "karkhana.toml").write_text("[policy]\nfour_eyes = true\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", order.repository]
    for step in (["add", "--all"], ["commit", "--quiet", "--message", "two"]):
        subprocess.run([*words, *step], check=True)
    head = subprocess.run([*words, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    found = Grounds()
    later = Order(ticket=order.ticket, repository=order.repository, commit=head)
    assert (found.of(order).four_eyes, found.of(later).four_eyes) == (False, True)


def test_a_repository_that_is_gone_is_told_each_time(tmp_path):
    found = Grounds()
    gone = Order(ticket=Ticket(text="one"), repository=str(tmp_path / "gone"), commit="a" * 40)
    for _ in range(2):
        with pytest.raises(NotARepository):
            found.of(gone)
