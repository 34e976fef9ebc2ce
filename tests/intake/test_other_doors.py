"""Alertmanager, helpdesks and mail."""

import re
import time

import pytest
from intake_support import NOW, SECRET, from_zendesk, packed

from karkhana.domain.errors import InvalidSetting
from karkhana.domain.settings import IntakeDoor
from karkhana.intake.deliveries import Delivery, Ignored, Refused, TicketDraft
from karkhana.intake.door import Reading, received
from karkhana.intake.helpdesk import mapping_of, text_of
from karkhana.intake.kinds import door_for
from karkhana.intake.mail import read_once, waiting
from karkhana.intake.understanding import priority

ALERTS = IntakeDoor(kind="alertmanager")
ZENDESK = IntakeDoor(kind="helpdesk", mapping="zendesk")
FRESHDESK = IntakeDoor(kind="helpdesk", mapping="freshdesk")
MESSAGE = (
    "Authentication-Results: mx.example.test; spf=pass; dmarc=pass (p=none) header.from=example.test\r\n"
    "From: =?utf-8?q?Ash=C3=A1?= <Asha@example.test>\r\nTo: shop@factory.test\r\nMessage-ID: <m1@example.test>\r\n"
    "Subject: =?utf-8?b?dG90YWwoKSBpcyB3cm9uZw==?=\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIt raises.\r\n\r\nOn Monday Ravi wrote:\r\n> old\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<p>other words</p>\r\n--b--\r\n"
)


def alerts(*firing, status="firing", **more):
    return {
        "version": "4",
        "status": status,
        "commonLabels": {"repository": "shop"},
        "alerts": [
            {
                "status": status,
                "fingerprint": name,
                "startsAt": "2026-05-12T08:30:00Z",
                "labels": {"alertname": f"Slow{name}", "severity": "critical"},
                "annotations": {"summary": "p95 is 1.2 s"},
            }
            for name in firing
        ],
        **more,
    }


def from_alertmanager(payload, secret=SECRET):
    headers = {"content-type": "application/json", "authorization": f"Bearer {secret.decode()}"}
    return Delivery(headers, packed(payload), NOW)


def from_freshdesk(payload, secret=SECRET):
    headers = {"content-type": "application/json", "x-karkhana-secret": secret.decode()}
    return Delivery(headers, packed(payload), NOW)


def read(settings, delivery):
    found = received(door_for(settings), delivery, [SECRET])
    assert isinstance(found, Reading), found
    return found.outcome


def mail(change=lambda text: text):
    settings = IntakeDoor(kind="mail", maildir="/unused", verified_by="mx.example.test")
    return received(door_for(settings), Delivery({}, change(MESSAGE).encode(), NOW), [b"mx.example.test"])


def test_firing_alerts_are_one_ticket():
    outcome = read(ALERTS, from_alertmanager(alerts("a", "b")))
    assert outcome.text.startswith("Alert Slowa, Slowb fires (2)\n\n- alertname=Slowa, severity=critical")
    assert "p95 is 1.2 s" in outcome.text
    assert (outcome.place, outcome.check, outcome.labels) == ("shop", "Slowa", ("critical",))
    assert outcome.subjects == ("a@2026-05-12T08:30:00Z", "b@2026-05-12T08:30:00Z")
    assert priority(outcome.labels).value == "9"


def test_what_is_resolved_is_ignored_and_other_versions_are_refused():
    assert isinstance(read(ALERTS, from_alertmanager(alerts("a", status="resolved"))), Ignored)
    for sent in (alerts("a", version="3"), alerts("a", alerts={}), {}):
        assert isinstance(received(door_for(ALERTS), from_alertmanager(sent), [SECRET]), Refused)
    assert isinstance(received(door_for(ALERTS), from_alertmanager(alerts("a"), b"wrong" * 5), [SECRET]), Refused)


def zendesk(**more):
    detail = {
        "id": "2387",
        "subject": "total() is wrong",
        "description": "It raises.",
        "requester_id": "88",
        "group_id": "12",
        "priority": "HIGH",
        "tags": ["bug"],
    }
    return {"id": "01H", "type": "zen:event-type:ticket.created", "detail": detail, "event": {}, **more}


def test_zendesk_is_read_by_its_mapping():
    found = received(door_for(ZENDESK), from_zendesk(zendesk()), [SECRET])
    assert isinstance(found, Reading)
    assert found.identity == "01H"
    assert found.outcome == TicketDraft(
        text="total() is wrong\n\nIt raises.",
        sender="88",
        place="12",
        subjects=("ticket 2387",),
        reference="2387",
        address="2387",
        labels=("bug", "high"),
    )
    changed = zendesk(type="zen:event-type:ticket.status_changed")
    assert isinstance(read(ZENDESK, from_zendesk(changed)), Ignored)


@pytest.mark.parametrize(
    "delivery",
    [
        from_zendesk(zendesk(), secret=b"another secret of that length"),
        from_zendesk(zendesk(), at=NOW - 301),
        from_zendesk({"id": "01H", "type": "zen:event-type:ticket.created", "detail": []}),
        from_zendesk(b"{"),
    ],
    ids=["secret", "late", "no ticket", "cut"],
)
def test_what_is_not_zendesk_is_refused(delivery):
    assert isinstance(received(door_for(ZENDESK), delivery, [SECRET]), Refused)


def test_freshdesk_sends_html_and_a_secret():
    ticket = {
        "ticket_id": 7,
        "ticket_subject": "total() is wrong",
        "ticket_description": "<div>It <b>raises</b><style>x</style></div><div>always</div>",
        "ticket_contact_email": "asha@example.test",
        "ticket_group_name": "Shop",
        "ticket_url": "https://desk.test/7",
    }
    outcome = read(FRESHDESK, from_freshdesk({"freshdesk_webhook": ticket}))
    assert outcome.text == "total() is wrong\n\nIt raises\nalways"
    assert (outcome.sender, outcome.place, outcome.subjects) == ("asha@example.test", "Shop", ("ticket 7",))
    wrong = from_freshdesk({"freshdesk_webhook": ticket}, b"wrong")
    assert isinstance(received(door_for(FRESHDESK), wrong, [SECRET]), Refused)


def test_a_mapping_of_ones_own_is_checked(tmp_path):
    file = tmp_path / "desk.toml"
    text = 'ticket = "id"\ntitle = "t"\ntext = "b"\nsender = "s"\n[signature]\nscheme = "secret"\nheader = "x-desk"\n'
    file.write_text(text)
    assert mapping_of(str(file)).signature.header == "x-desk"
    for wrong in (text.replace('"secret"', '"none"'), text.replace("x-desk", "Cookie"), text + "more = 1\n", "["):
        file.write_text(wrong)
        with pytest.raises(InvalidSetting):
            mapping_of(str(file))


def test_a_message_is_a_ticket_by_its_text_part():
    found = mail()
    assert isinstance(found, Reading)
    assert found.identity == "<m1@example.test>"
    assert found.outcome == TicketDraft(
        text="total() is wrong\n\nIt raises.",
        sender="asha@example.test",
        place="shop@factory.test",
        subjects=("<m1@example.test>",),
        reference="<m1@example.test>",
        address="asha@example.test <m1@example.test>",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dmarc=pass", "dmarc=fail"),
        ("mx.example.test;", "mx.evil.test;"),
        ("dmarc=pass (p=none)", "dmarc=fail (; dmarc=pass )"),
        ("Authentication-Results:", "Authentication-Results: mx.example.test; dmarc=fail\r\nAuthentication-Results:"),
        ("Authentication-Results:", "X-Results:"),
        ("spf=pass;", "spf=pass; dmarc=fail;"),
        ("dmarc=pass (p=none)", 'smtp.mailfrom="x; dmarc=pass "@evil.test'),
        ("dmarc=pass (p=none)", "smtp.mailfrom= =?utf-8?q?x=3B_dmarc=3Dpass_?= @evil.test"),
        ("dmarc=pass (p=none)", '(a "b); dmarc=fail ("; dmarc=pass'),
    ],
    ids=["fail", "other server", "comment", "below", "none", "two", "quoted", "encoded", "quoted comment"],
)
def test_nobody_writes_as_somebody_else(old, new):
    assert isinstance(mail(lambda text: text.replace(old, new)), Refused)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("From: ", "From: ravi@example.test\r\nFrom: "),
        ("<Asha@example.test>", "<Asha@example.test>, ravi@example.test"),
        ("<Asha@example.test>", "ravi@example.test (<Asha@example.test>"),
        ("<Asha@example.test>", "ravi@example.test <Asha@example.test>"),
        ("To: ", "Auto-Submitted: auto-replied\r\nTo: "),
        ("To: ", "List-Id: all\r\nTo: "),
    ],
    ids=["two headers", "two senders", "comment", "no name", "automatic", "list"],
)
def test_mail_of_nobody_in_particular_is_ignored(old, new):
    found = mail(lambda text: text.replace(old, new, 1))
    assert isinstance(found, Reading)
    assert isinstance(found.outcome, Ignored)


@pytest.mark.parametrize("name", ["ravi=40example.test_=28", "ravi=40example.test=2C", "=3Cravi=40example.test=3E_=22"])
def test_an_encoded_name_is_no_address(name):
    found = mail(lambda text: re.sub("From: .*<", f"From: =?utf-8?q?{name}?= <", text))
    assert isinstance(found, Reading)
    assert isinstance(found.outcome, TicketDraft)
    assert found.outcome.sender == "asha@example.test"


@pytest.mark.parametrize("charset", ["nonsense", "base64", "utf-8\x00", "utf-7"])
def test_odd_charsets_do_no_harm(charset):
    found = mail(lambda text: text.replace("charset=utf-8", f'charset="{charset}"').replace("?utf-8?", f"?{charset}?"))
    assert isinstance(found, Reading | Refused)


def test_a_maildir_is_read_once_and_within_bounds(tmp_path):
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1").write_bytes(b"one")
    (tmp_path / "new" / "2").write_bytes(b"x" * 100)
    (tmp_path / "new" / "3").symlink_to("/etc/hostname")
    assert [(path.name, content) for path, content in waiting(tmp_path, 10)] == [("1", b"one"), ("2", None)]
    read_once(tmp_path / "new" / "1")
    assert (tmp_path / "cur" / "1:2,S").read_bytes() == b"one"
    assert list(waiting(tmp_path / "none", 10)) == []
    # another reader of the folder was first
    read_once(tmp_path / "new" / "1")


@pytest.mark.parametrize("piece", ["<a b='", "<a ", "<!--", "</a ", "<?", "<script ", "<", "<![CDATA["])
def test_no_html_of_a_stranger_takes_long(piece):
    began = time.process_time()
    text_of(piece * (200_000 // len(piece)))
    # 0.2 s at the most; a parser that goes back for each opened tag needs minutes
    assert time.process_time() - began < 5


def test_html_is_read_as_it_is_seen():
    html = (
        "<head><title>no</title></head><P class='a'>It <b>fails</b> &amp; &lt;x&gt;</p><script>if (a<b) x()</script>"
        "<!-- no <p> -->a < b<br/>end<style>p {}</style><!-- cut off"
    )
    assert text_of(html) == "It fails & <x>a < b\nend"
