import json
import time
import urllib.parse

import pytest
from intake_support import NOW, SECRET, from_slack

from karkhana.intake.deliveries import Challenge, Command, Delivery, Ignored, Refused, TicketDraft, Verb
from karkhana.intake.door import Reading, received
from karkhana.intake.slack import Slack, plain


def mention(text, **more):
    event = {"type": "app_mention", "channel": "C1", "user": "U7", "text": text, "ts": "1700.1", **more}
    return {"type": "event_callback", "event_id": "Ev1", "event": event}


def pressed(**more):
    usual = {"type": "block_actions", "user": {"id": "U7"}, "channel": {"id": "C1"}, "message": {"ts": "1700.1"}}
    return ("payload=" + urllib.parse.quote_plus(json.dumps({**usual, **more}))).encode()


def read(payload, **more):
    found = received(Slack(), from_slack(payload, **more), [SECRET])
    assert isinstance(found, Reading), found
    return found


def test_a_mention_is_a_ticket_of_its_thread():
    found = read(mention("<@U0BOT> total() is <https://x.test/a|wrong> &amp; raises", thread_ts="1600.5"))
    assert found.identity == "Ev1"
    assert found.outcome == TicketDraft(
        text="total() is wrong (https://x.test/a) & raises",
        sender="U7",
        place="C1",
        subjects=("C1:1600.5",),
        reference="C1:1600.5",
        address="C1:1600.5",
        continues=True,
    )


@pytest.mark.parametrize(
    ("text", "verb", "words"),
    [
        ("<@U0BOT> status", Verb.STATUS, ""),
        ("<@U0BOT> approve 1f2e3d4c", Verb.APPROVE, "1f2e3d4c"),
        ("<@U0BOT> reject 1f2e3d4c it is too slow", Verb.REJECT, "1f2e3d4c it is too slow"),
    ],
)
def test_a_mention_may_be_a_command(text, verb, words):
    outcome = read(mention(text)).outcome
    assert isinstance(outcome, Command)
    assert (outcome.verb, outcome.words, outcome.subject) == (verb, words, "C1:1700.1")


def test_a_sentence_that_begins_like_a_command_is_a_ticket():
    assert isinstance(read(mention("<@U0BOT> cancel twice and it raises")).outcome, TicketDraft)


@pytest.mark.parametrize("change", [{"bot_id": "B1"}, {"subtype": "message_changed"}, {"type": "message"}])
def test_what_programs_write_is_ignored(change):
    assert isinstance(read(mention("<@U0BOT> fix it now", **change)).outcome, Ignored)


def test_a_shortcut_takes_the_message_over():
    body = pressed(type="message_action", callback_id="karkhana", message={"ts": "1700.2", "text": "total() is wrong"})
    outcome = read(body, form=True).outcome
    assert (outcome.text, outcome.subjects, outcome.sender) == ("total() is wrong", ("C1:1700.2",), "U7")


def test_a_button_names_run_and_change():
    body = pressed(actions=[{"action_id": "karkhana_approve", "value": "run-1 1f2e3d4c"}])
    outcome = read(body, form=True).outcome
    assert (outcome.verb, outcome.run_id, outcome.words, outcome.place) == (Verb.APPROVE, "run-1", "1f2e3d4c", "C1")
    assert isinstance(read(pressed(actions=[{"action_id": "other"}]), form=True).outcome, Ignored)


def test_the_challenge_is_answered_only_when_it_is_signed():
    payload = {"type": "url_verification", "challenge": "c-1"}
    assert read(payload).outcome == Challenge("c-1")
    assert isinstance(received(Slack(), from_slack(payload, secret=b"another secret!!"), [SECRET]), Refused)


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301])
def test_what_is_replayed_later_is_refused(at):
    found = received(Slack(), from_slack(mention("<@U0> fix"), at=at), [SECRET])
    assert isinstance(found, Refused)
    assert found.status == 401


@pytest.mark.parametrize("stamp", ["", "x", "-5", "1e9", "٣", "9" * 40])
def test_a_time_that_is_none_is_refused(stamp):
    sent = from_slack(mention("<@U0> fix"))
    found = received(Slack(), Delivery({**sent.headers, "x-slack-request-timestamp": stamp}, sent.body, NOW), [SECRET])
    assert isinstance(found, Refused)


@pytest.mark.parametrize(
    "body", [b"payload=%7B", b"payload=1&payload=2", b"other=1", b"", b"payload=%ff%fe", b"payload=" + b"[" * 5000]
)
def test_a_form_that_cannot_be_read_is_refused(body):
    found = received(Slack(), from_slack(body, form=True), [SECRET])
    assert isinstance(found, Refused)
    assert found.status == 422


@pytest.mark.parametrize("piece", ["<@A|", "<http://a|", "<@", "<http://a"])
def test_no_text_of_a_stranger_takes_long(piece):
    began = time.process_time()
    plain(piece * (48_000 // len(piece)))
    # 0.1 s at the most
    assert time.process_time() - began < 1
