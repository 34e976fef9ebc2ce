import subprocess

import msgspec
import pytest

from karkhana.domain.events import ApprovalRequested
from karkhana.domain.settings import IntakeDoor
from karkhana.domain.tasks import Status
from karkhana.factory.admission import Desk
from karkhana.factory.configuration import load_settings
from karkhana.factory.rounds import Rounds
from karkhana.factory.stores import open_stores

MESSAGE = (
    b"Authentication-Results: mx.example.test; dmarc=pass\r\nFrom: asha@example.test\r\n"
    b"Message-ID: <m1@example.test>\r\n"
    b"Subject: total() is wrong\r\n\r\nIt raises a KeyError.\r\n"
)


@pytest.fixture
def stores(tmp_path):
    shop, mail = tmp_path / "shop", tmp_path / "mail"
    for folder in (shop, mail / "new", mail / "cur"):
        folder.mkdir(parents=True)
    (shop / "cart.py").write_text("def total(): ...\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(shop)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    door = IntakeDoor(
        kind="mail",
        maildir=mail,
        verified_by="mx.example.test",
        repositories={"*": str(shop)},
        senders=("*@example.test",),
    )
    settings = msgspec.structs.replace(
        load_settings({}), home=tmp_path / "home", database_url=None, intake={"post": door}
    )
    with open_stores(settings) as opened:
        yield opened


def test_mail_becomes_one_ticket_and_its_progress_is_queued(stores, tmp_path):
    mail = tmp_path / "mail"
    rounds = Rounds(stores, desk := Desk(stores))
    (mail / "new" / "1").write_bytes(MESSAGE)
    (mail / "new" / "2").write_bytes(MESSAGE)
    (mail / "new" / "3").write_bytes(MESSAGE.replace(b"dmarc=pass", b"dmarc=fail").replace(b"m1@", b"m2@"))
    assert [rounds.go(), rounds.go()] == [3, 0]
    (task,) = stores.tasks.list()
    claim = stores.tasks.claim("worker", (), 600.0)
    stores.runs.set_status(claim.run_id, claim.epoch, Status.BUILDING)
    rounds.go()
    stores.events.trail(claim.run_id, claim.epoch).record(ApprovalRequested(patch_sha256="1f2e3d4c" * 8))
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    rounds.go()
    rounds.go()
    assert [answer.text.removeprefix(task.task_id) for answer in desk.store.outbox.due()] == [
        " is in the queue.",
        " waits for a person.",
    ]


def test_mail_stays_while_it_cannot_be_taken(stores, tmp_path):
    (tmp_path / "shop").rename(tmp_path / "moved")
    (tmp_path / "mail" / "new" / "1").write_bytes(MESSAGE)
    rounds = Rounds(stores, Desk(stores))
    assert rounds.go() == 0
    (tmp_path / "moved").rename(tmp_path / "shop")
    assert rounds.go() == 1
    assert len(stores.tasks.list()) == 1


def test_a_folder_that_cannot_be_used_keeps_no_other_door_waiting(stores, tmp_path):
    mail = tmp_path / "mail"
    (mail / "new" / "1").write_bytes(MESSAGE)
    rounds = Rounds(stores, desk := Desk(stores))
    assert rounds.go() == 1
    (task,) = stores.tasks.list()
    stores.tasks.cancel(task.task_id)
    (mail / "new" / "1").unlink(missing_ok=True)
    (mail / "new").rmdir()
    (mail / "new").write_text("a file where a folder was")
    assert rounds.go() == 0
    assert [answer.text.removeprefix(task.task_id) for answer in desk.store.outbox.due()][1:] == [" is cancelled."]
