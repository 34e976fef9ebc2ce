import json

import pytest
from intake_support import SECRET, check, comment, from_github, issues

from karkhana.intake.deliveries import Command, Delivery, Ignored, Refused, Remark, TicketDraft, Verb
from karkhana.intake.door import Reading, received
from karkhana.intake.github import GitHub

SECRETS = [b"the next secret, unused", SECRET]


def read(event, payload):
    found = received(GitHub(), from_github(event, payload), SECRETS)
    assert isinstance(found, Reading), found
    return found.outcome


def test_an_opened_issue_is_a_ticket():
    outcome = read("issues", issues(issue={"labels": [{"name": "bug"}]}))
    assert outcome == TicketDraft(
        text="total() ignores the discount\n\nExpected 90, got 100.",
        sender="asha",
        place="octo/shop",
        subjects=("octo/shop#7",),
        reference="https://forge.test/octo/shop/issues/7",
        address="octo/shop#7",
        labels=("bug",),
    )


def test_a_label_is_put_on_by_somebody():
    outcome = read("issues", issues("labeled", by="ravi", label={"name": "karkhana"}))
    assert (outcome.sender, outcome.labels, outcome.opening) == ("ravi", ("karkhana",), False)


@pytest.mark.parametrize("action", ["closed", "edited", "deleted", "unlabeled", "transferred"])
def test_other_events_of_issues_are_ignored(action):
    assert isinstance(read("issues", issues(action)), Ignored)


def test_a_comment_is_a_command():
    outcome = read("issue_comment", comment("Fine.\r\n/karkhana approve 1f2e3d4c thanks\r\n"))
    assert isinstance(outcome, Command)
    assert (outcome.verb, outcome.words, outcome.subject) == (Verb.APPROVE, "1f2e3d4c thanks", "octo/shop#7")


def test_a_comment_asks_for_work_on_its_issue():
    outcome = read("issue_comment", comment("/karkhana fix the sum as well", by="ravi"))
    assert outcome.text.endswith("Expected 90, got 100.\n\nthe sum as well")
    assert (outcome.sender, outcome.opening) == ("ravi", False)


@pytest.mark.parametrize(
    "payload",
    [
        comment("nothing for a machine"),
        comment("> /karkhana approve 1f2e3d4c"),
        comment("```\n/karkhana approve 1f2e3d4c\n```"),
        comment("~~~~\n```\n/karkhana approve 1f2e3d4c\n~~~~"),
        comment("  ```sh\n/karkhana approve 1f2e3d4c"),
        comment("/karkhana approve 1f2e3d4c", action="edited"),
        comment("/karkhana approve 1f2e3d4c", sender={"login": "mallory"}),
        {**comment("/karkhana fix"), "issue": {**issues()["issue"], "pull_request": {}}},
    ],
    ids=["none", "quoted", "code", "other code", "open code", "edited", "not the author", "pull request"],
)
def test_what_is_no_command_is_ignored(payload):
    assert isinstance(read("issue_comment", payload), Ignored | Remark)


@pytest.mark.parametrize("kind", ["check_run", "check_suite", "workflow_run"])
def test_a_failing_check_of_the_default_branch_is_a_ticket(kind):
    outcome = read(kind, check(kind))
    assert (outcome.check, outcome.subjects) == ("tests", ("octo/shop@c0ffee",))
    for other in (
        check(kind, "success"),
        check(kind, head_branch="feature"),
        check(kind, head_repository={"full_name": "mallory/shop"}),
        {**check(kind), "action": "created"},
    ):
        assert isinstance(read(kind, other), Ignored)


def test_events_of_no_interest_say_why_and_unknown_ones_that_they_are():
    assert read("star", {"action": "created"}).known
    assert not read("supernova", {}).known


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda d: Delivery({**d.headers, "x-hub-signature-256": "sha256=" + "0" * 64}, d.body, d.at), 401),
        (lambda d: Delivery({**d.headers, "x-hub-signature-256": "sha256=é"}, d.body, d.at), 401),
        (lambda d: Delivery({}, d.body, d.at), 401),
        (lambda d: Delivery(d.headers, d.body + b" ", d.at), 401),
        (lambda d: Delivery({**d.headers, "content-type": "text/plain"}, d.body, d.at), 415),
    ],
    ids=["wrong", "no ascii", "none", "body", "type"],
)
def test_a_delivery_that_is_not_in_order_is_refused(change, status):
    found = received(GitHub(), change(from_github("issues", issues())), SECRETS)
    assert isinstance(found, Refused)
    assert found.status == status


def test_a_door_without_a_secret_lets_nothing_in():
    found = received(GitHub(), from_github("issues", issues(), secret=b""), [])
    assert isinstance(found, Refused)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\xfe{}",
        b'{"action": "opened", "action": "closed"}',
        b'{"action": NaN}',
        b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}",
        b"[" * 100_000,
        b'{"number": ' + b"9" * 5000 + b"}",
        json.dumps(issues()).encode()[:-9],
        json.dumps(issues(issue={"number": "7"})).encode(),
        json.dumps(issues(issue={"title": None})).encode(),
        json.dumps({**issues(), "sender": None}).encode(),
    ],
    ids=["empty", "list", "utf16", "twice", "nan", "deep", "deeper", "long", "cut", "number", "title", "sender"],
)
def test_what_is_signed_but_cannot_be_read_is_refused(body):
    found = received(GitHub(), from_github("issues", body), SECRETS)
    assert isinstance(found, Refused)
    assert found.status == 422


def test_a_comment_without_a_command_is_a_remark_unless_a_program_or_another_wrote_it():
    said = read("issue_comment", comment("It shows 3,\n\n```\n4\n```"))
    assert isinstance(said, Remark)
    assert (said.sender, said.subject, said.text) == ("asha", "octo/shop#7", "It shows 3,\n\n```\n4\n```")
    for other in (
        comment("fine", by="karkhana[bot]"),
        comment("Which call?\n<!-- karkhana:abc -->"),
        comment("changed", action="edited"),
    ):
        assert isinstance(read("issue_comment", other), Ignored)


def test_an_answer_by_command_has_all_its_lines():
    said = read("issue_comment", comment("/karkhana answer\nIt shows 3\n```\nf(1)\n```"))
    assert (said.verb, said.words) == (Verb.ANSWER, "It shows 3\n```\nf(1)\n```")
