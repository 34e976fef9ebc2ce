"""The Slack channel against the fake Slack, and both against Slack's own SDK."""

import asyncio
import json
import time
import urllib.parse

import pytest
from answers_support import DECISION, HOSTILE, SHIPPED, post, told
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement, SectionBlock
from slack_sdk.signature import SignatureVerifier
from slack_sdk.webhook import WebhookClient

from karkhana.intake.answers.channel import Failed, Hopeless, LockedOut, NotNow
from karkhana.intake.answers.slack import SlackChannel, blocks_of
from karkhana.intake.deliveries import Command, Delivery, TicketDraft, Verb
from karkhana.intake.door import Reading, received
from karkhana.intake.rehearsal.serving import Fault
from karkhana.intake.rehearsal.slack import FakeSlack
from karkhana.intake.slack import Slack

TOKEN = "xoxb-1"
SECRET = "a signing secret of Slack"
THREAD = "C1:1600.5"


@pytest.fixture
def fake() -> FakeSlack:
    return FakeSlack(TOKEN)


def channel(calls, **more) -> SlackChannel:
    return SlackChannel(calls, lambda: TOKEN, **more)


def signed(body: str, kind: str) -> Reading:
    """What we read of a body that Slack's SDK has signed."""
    stamp = str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body)
    headers = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    found = received(Slack(), Delivery(headers, body.encode(), time.time()), [SECRET.encode()])
    assert isinstance(found, Reading), found
    return found


def test_one_message_in_the_thread_is_changed_as_it_goes_on(services, fake):
    async def act(calls):
        external = await channel(calls).say(told(seen=True), post(THREAD))
        return await channel(calls).say(told("BUILD-1 failed."), post(THREAD, external=external))

    external = services.ask(fake, act)
    (message,) = fake.messages
    assert (message["text"], message["thread_ts"], message["ts"]) == ("BUILD-1 failed.", "1600.5", external["ts"])
    assert fake.reactions == {("C1", "1600.5", "eyes")}


def test_what_was_sent_before_a_crash_is_found_by_its_metadata(services, fake):
    async def act(calls):
        for number in range(130):
            fake.said("1600.5", f"talk {number}", user="U1")
        fake.faults.append(Fault(status=502, after=True))
        with pytest.raises(Failed):
            await channel(calls).say(told("It is done."), post(THREAD))
        return await channel(calls).say(told("It is done."), post(THREAD, begun=True))

    external = services.ask(fake, act)
    assert [each["ts"] for each in fake.messages if each["text"] == "It is done."] == [external["ts"]]


def test_buttons_are_what_slack_takes_and_what_we_read_back():
    blocks = blocks_of(told("BUILD-1 waits for a person.", quote="a summary", decision=DECISION))
    parsed = Block.parse_all(blocks)
    for block in parsed:
        block.validate_json()
        assert block.to_dict()["type"] == block.type
    assert [type(block) for block in parsed] == [SectionBlock, SectionBlock, SectionBlock, ActionsBlock]
    approve, reject = parsed[-1].elements
    assert isinstance(approve, ButtonElement)
    approve.validate_json()
    reject.validate_json()
    assert "makes the branch karkhana/BUILD-1" in json.dumps(blocks[-1]["elements"][0]["confirm"])
    payload = {
        "type": "block_actions",
        "user": {"id": "U7"},
        "channel": {"id": "C1"},
        "message": {"ts": "1600.9", "thread_ts": "1600.5"},
        "response_url": "https://hooks.slack.com/actions/T1/2/x",
        "actions": [{"action_id": approve.action_id, "value": approve.value}],
    }
    body = urllib.parse.urlencode({"payload": json.dumps(payload)})
    command = signed(body, "application/x-www-form-urlencoded").outcome
    assert isinstance(command, Command)
    assert (command.verb, command.run_id, command.words) == (Verb.APPROVE, "run_1", DECISION.digest)
    assert command.respond == "https://hooks.slack.com/actions/T1/2/x"


def test_what_the_sdk_signs_is_let_in():
    event = {"type": "app_mention", "channel": "C1", "user": "U7", "text": "<@U0BOT> total() is wrong", "ts": "1600.7"}
    body = json.dumps({"type": "event_callback", "event_id": "Ev1", "event": {**event, "thread_ts": "1600.5"}})
    draft = signed(body, "application/json").outcome
    assert isinstance(draft, TicketDraft)
    assert (draft.continues, draft.address) == (True, THREAD)


def test_words_of_strangers_call_nobody(services, fake):
    async def act(calls):
        await channel(calls).say(told(HOSTILE, quote=HOSTILE, decision=DECISION, shipped=SHIPPED), post(THREAD))

    services.ask(fake, act)
    (message,) = fake.messages
    texts = [message["text"], *(block["text"]["text"] for block in message["blocks"] if "text" in block)]
    assert all("<" not in text and ">" not in text for text in texts)
    assert texts[2].count("```") == 2
    (asked,) = [each.body for each in fake.asked if each.path.endswith("chat.postMessage")]
    assert (asked["parse"], asked["link_names"], asked["unfurl_links"]) == ("none", False, False)


def test_the_press_of_a_button_takes_the_buttons_away(services, fake):
    async def act(calls):
        host = services.address.removeprefix("http://")
        respond = f"{services.address}/respond/1"
        pressed = channel(calls, responds=host)
        await pressed.say(told("asha approved it.", respond=respond), post(THREAD))
        await pressed.say(told("You may not.", respond=respond, to="U9"), post(THREAD))

    services.ask(fake, act)
    done, refused = fake.responses
    assert (done["replace_original"], [block["type"] for block in done["blocks"]]) == (True, ["section"])
    assert (refused["response_type"], refused["replace_original"]) == ("ephemeral", False)
    assert fake.messages == []


def test_nobody_can_choose_where_a_press_is_answered(services, fake):
    async def act(calls):
        await channel(calls).say(told(respond=f"{services.address}/respond/1"), post(THREAD))

    services.ask(fake, act)
    assert fake.responses == []
    assert len(fake.messages) == 1


def test_the_address_of_a_press_is_in_no_error(services, fake):
    async def act(calls):
        fake.faults.append(Fault(status=500, path="/respond"))
        host = services.address.removeprefix("http://")
        respond = f"{services.address}/respond/kept-by-slack"
        with pytest.raises(Failed) as caught:
            await channel(calls, responds=host).say(told(respond=respond), post(THREAD))
        return str(caught.value)

    said = services.ask(fake, act)
    assert "500" in said
    assert "kept-by-slack" not in said


def test_when_the_time_for_a_press_is_over_it_is_said_in_the_thread(services, fake):
    async def act(calls):
        fake.faults.append(Fault(status=404, path="/respond"))
        host = services.address.removeprefix("http://")
        told_alone = told("You may not.", respond=f"{services.address}/respond/1", to="U9")
        await channel(calls, responds=host).say(told_alone, post(THREAD))

    services.ask(fake, act)
    assert [(each["user"], each["text"]) for each in fake.alone] == [("U9", "You may not.")]


def test_a_thread_is_read_as_it_was_said(services, fake):
    async def act(calls):
        fake.said("1600.5", "<https://x.test|total()> raises &amp; more", user="U2", ts="1600.5")
        await channel(calls).say(told("a program"), post(THREAD))
        fake.said("1600.5", "<@U0BOT> fix it", user="U7")
        return await channel(calls).earlier(THREAD), await channel(calls).earlier("C1:1700.1")

    heard, nothing = services.ask(fake, act)
    assert heard == [("U2", "total() (https://x.test) raises & more"), ("U7", "fix it")]
    assert nothing == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ratelimited", NotNow),
        ("invalid_auth", LockedOut),
        ("missing_scope", LockedOut),
        ("internal_error", Failed),
        ("channel_not_found", Hopeless),
    ],
)
def test_refusals_are_told_apart(services, fake, error, kind):
    async def act(calls):
        fake.faults.append(Fault(status=200, body={"ok": False, "error": error}))
        with pytest.raises(kind, match=error):
            await channel(calls).say(told(), post(THREAD))
        fake.faults.append(Fault(status=429, headers={"retry-after": "30"}))
        with pytest.raises(NotNow) as caught:
            await channel(calls).say(told(), post(THREAD))
        return caught.value.wait_s

    assert services.ask(fake, act) == 31


def test_the_fake_is_one_that_slacks_own_client_understands(services, fake):
    """What the SDK asks the fake for is what we ask it for, and gets the same."""

    def drive() -> None:
        client = WebClient(token=TOKEN, base_url=f"{services.address}/")
        made = client.chat_postMessage(
            channel="C1",
            thread_ts="1600.5",
            text="waits",
            blocks=blocks_of(told(decision=DECISION)),
            metadata={"event_type": "karkhana_answer", "event_payload": {"marker": "m1"}},
        )
        assert client.chat_update(channel="C1", ts=made["ts"], text="approved")["ok"]
        replies = client.conversations_replies(channel="C1", ts="1600.5", include_all_metadata=True)
        assert [(each["text"], each["metadata"]["event_payload"]) for each in replies["messages"]] == [
            ("approved", {"marker": "m1"})
        ]
        assert client.reactions_add(channel="C1", timestamp="1600.5", name="eyes")["ok"]
        assert client.chat_postEphemeral(channel="C1", user="U9", text="no")["ok"]
        assert (
            WebhookClient(f"{services.address}/respond/1").send(text="done", replace_original=True).status_code == 200
        )
        with pytest.raises(SlackApiError, match="already_reacted"):
            client.reactions_add(channel="C1", timestamp="1600.5", name="eyes")
        with pytest.raises(SlackApiError, match="invalid_auth"):
            WebClient(token="xoxb-2", base_url=f"{services.address}/").auth_test()

    async def act(calls):
        await asyncio.to_thread(drive)
        # and our own finds what the SDK has sent
        return await channel(calls).say(told("again"), post(THREAD, begun=True))

    assert services.ask(fake, act) == {"ts": fake.messages[0]["ts"]}
    assert fake.messages[0]["text"] == "again"
