"""The GitHub channel against the fake GitHub."""

import re

import pytest
from answers_support import DECISION, HOSTILE, SHIPPED, post, told
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from karkhana.intake.answers.channel import Failed, Hopeless, LockedOut, NotNow
from karkhana.intake.answers.escaping import APART
from karkhana.intake.answers.github import GitHubChannel, Reference
from karkhana.intake.answers.github_access import App, Token
from karkhana.intake.rehearsal.github import FakeGitHub
from karkhana.intake.rehearsal.serving import Fault

TOKEN = "github_pat_1"


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    """A private key and its public one, in PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def fake(key) -> FakeGitHub:
    return FakeGitHub(app="Iv1", public_key=key[1], token=TOKEN)


def by_token(calls, **more) -> GitHubChannel:
    return GitHubChannel(calls, Token(lambda: TOKEN), **more)


def test_one_comment_tells_how_it_stands_and_is_changed(services, fake):
    async def act(calls):
        channel = by_token(calls)
        external = await channel.say(told(seen=True), post("octo/shop#7"))
        return await channel.say(told("BUILD-1 failed."), post("octo/shop#7", external=external))

    assert services.ask(fake, act) == {"comment": next(iter(fake.comments))}
    assert [body.splitlines()[0] for body in fake.bodies()] == ["BUILD\\-1 failed."]
    assert fake.reactions == {("/repos/octo/shop/issues/7", "eyes")}


def test_what_was_sent_before_a_crash_is_found_and_not_sent_again(services, fake):
    async def act(calls):
        channel = by_token(calls)
        for number in range(101):
            await channel.say(told(), post("octo/shop#7", marker=f"other-{number}"))
        fake.faults.append(Fault(status=502, after=True))
        with pytest.raises(Failed):
            await channel.say(told("It is done."), post("octo/shop#7"))
        return await channel.say(told("It is done."), post("octo/shop#7", begun=True))

    found = services.ask(fake, act)
    assert sum("It is done" in body for body in fake.bodies()) == 1
    assert "karkhana:m1" in fake.comments[found["comment"]]["body"]


def test_a_comment_that_somebody_removed_is_left_alone(services, fake):
    async def act(calls):
        return await by_token(calls).say(told(), post("octo/shop#7", external={"comment": 999}))

    assert services.ask(fake, act) == {"comment": 999}
    assert fake.comments == {}


def test_words_of_strangers_call_nobody_and_link_nothing(services, fake):
    async def act(calls):
        await by_token(calls).say(told(HOSTILE, quote=HOSTILE, decision=DECISION), post("octo/shop#7"))

    services.ask(fake, act)
    (body,) = fake.bodies()
    outside = body.partition("````text")[0] + body.rpartition("````")[2].partition("<!-- karkhana")[0]
    assert "````text\n" + HOSTILE + "\n````" in body
    for live in ("@octo", "#12", "shop#1", "https://evil"):
        assert live not in outside
    assert not re.search(r"(?<!\\)[<`\[]", outside.partition("Approving")[0])
    assert f"@{APART}octo" in outside
    assert "/karkhana approve 1f2e3d4c1f2e`" in outside


def test_an_app_asks_for_a_token_per_repository_and_keeps_it(services, key):
    now = [1_780_000_000.0]
    fake = FakeGitHub(app="Iv1", public_key=key[1], clock=lambda: now[0])

    async def act(calls):
        app = App("Iv1", lambda: key[0], calls, clock=lambda: now[0])
        channel = GitHubChannel(calls, app)
        for place in ("octo/shop#7", "octo/shop#8", "octo/bank#1"):
            await channel.say(told(), post(place))
        before = fake.count("POST", "access_tokens")
        now[0] += 3600 - 300 + 1
        await channel.say(told(), post("octo/shop#9"))
        return before

    assert services.ask(fake, act) == 2
    assert fake.count("POST", "access_tokens") == 3
    assert [each.body for each in fake.asked if "access_tokens" in each.path][:2] == [
        {"repositories": ["shop"]},
        {"repositories": ["bank"]},
    ]


def test_an_app_without_installation_or_with_a_wrong_key_is_locked_out(services, fake, key):
    async def act(calls):
        with pytest.raises(LockedOut, match="401"):
            await GitHubChannel(calls, App("Iv2", lambda: key[0], calls)).say(told(), post("octo/shop#7"))
        with pytest.raises(LockedOut, match="private key"):
            await GitHubChannel(calls, App("Iv1", lambda: "no key", calls)).say(told(), post("octo/shop#7"))
        fake.missing.add("/repos/octo/shop/installation")
        with pytest.raises(LockedOut, match="not installed"):
            await GitHubChannel(calls, App("Iv1", lambda: key[0], calls)).say(told(), post("octo/shop#7"))

    services.ask(fake, act)
    assert fake.comments == {}


def test_a_delivered_change_gets_a_check_and_one_pull_request(services, fake, key):
    async def act(calls):
        channel = GitHubChannel(calls, App("Iv1", lambda: key[0], calls), pull_requests=True)
        message = told("BUILD-1 is delivered.", status="delivered", shipped=SHIPPED)
        external = await channel.say(message, post("octo/shop#7"))
        # as after a crash that lost where everything stands
        assert await channel.say(message, post("octo/shop#7", begun=True)) == external
        return external

    external = services.ask(fake, act)
    (check,) = fake.checks.values()
    assert (check["head_sha"], check["conclusion"], check["external_id"]) == (SHIPPED.commit, "success", "BUILD-1")
    assert [(pull["head"]["ref"], pull["base"]["ref"]) for pull in fake.pulls] == [("karkhana/BUILD-1", "main")]
    (body,) = fake.bodies()
    assert SHIPPED.commit in body
    assert "score 0.91" in body
    assert external["pull"] == fake.pulls[0]["html_url"]


def test_a_change_that_github_does_not_have_is_told_nevertheless(services, fake, key):
    async def act(calls):
        fake.faults.append(Fault(status=422, body={"message": "No commit found"}, path="/check-runs"))
        channel = GitHubChannel(calls, App("Iv1", lambda: key[0], calls))
        return await channel.say(told("It is delivered.", shipped=SHIPPED), post("octo/shop#7"))

    assert "No commit found" in services.ask(fake, act)["trouble"]
    assert len(fake.comments) == 1


def test_a_ticket_of_a_failing_check_is_answered_by_a_check(services, fake, key):
    async def act(calls):
        channel = GitHubChannel(calls, App("Iv1", lambda: key[0], calls))
        for status, conclusion in (
            ("building", None),
            ("waiting_for_review", "action_required"),
            ("failed", "neutral"),
        ):
            await channel.say(told(status=status), post("octo/shop@c0ffee0"))
            assert [check["conclusion"] for check in fake.checks.values()] == [conclusion]
        return await by_token(calls).say(told(), post("octo/shop@c0ffee0"))

    assert services.ask(fake, act) == {"check": 0}
    assert len(fake.checks) == 1


def test_labels_follow_the_status(services, fake):
    async def act(calls):
        fake.labels["octo/shop/issues/7"] = {"bug"}
        channel = by_token(calls, labels={"queued": "taken", "delivered": "done: at last"})
        seen = []
        for status in ("queued", "queued", "building", "delivered", "queued"):
            await channel.say(told(status=status), post("octo/shop#7"))
            seen.append(sorted(fake.labels["octo/shop/issues/7"]))
        return seen

    assert services.ask(fake, act) == [
        ["bug", "taken"],
        ["bug", "taken"],
        ["bug"],
        ["bug", "done: at last"],
        ["bug", "taken"],
    ]


@pytest.mark.parametrize(
    ("fault", "kind", "wait"),
    [
        (Fault(status=429, headers={"retry-after": "17"}), NotNow, 18),
        (Fault(status=403, headers={"retry-after": "30"}), NotNow, 31),
        (Fault(status=403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}), NotNow, 3601),
        (Fault(status=403, body={"message": "You have exceeded a secondary rate limit"}), NotNow, 121),
        (Fault(status=403, body={"message": "Resource not accessible"}), LockedOut, 0),
        (Fault(status=401), LockedOut, 0),
        (Fault(status=502), Failed, 0),
        (Fault(status=404), Hopeless, 0),
        (Fault(status=422), Hopeless, 0),
    ],
)
def test_refusals_are_told_apart(services, fake, fault, kind, wait):
    async def act(calls):
        fake.faults.append(fault)
        with pytest.raises(kind) as caught:
            await by_token(calls).say(told(), post("octo/shop#7"))
        return caught.value

    found = services.ask(fake, act)
    assert TOKEN not in str(found)
    assert getattr(found, "wait_s", 0) == wait


@pytest.mark.parametrize(
    "text", ["", "octo/shop", "octo/shop#7/../..", "https://evil.test#7", "a/b/c#7", "octo/shop#7\n"]
)
def test_nothing_else_is_a_place(text):
    with pytest.raises(Hopeless):
        Reference.parse(text)
