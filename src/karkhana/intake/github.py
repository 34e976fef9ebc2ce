"""GitHub's webhooks: issues, comments with ``/karkhana …``, labels, and failing checks of the default branch.

Knows the payloads ("Webhook events and payloads" of GitHub's manual), and nothing of who may ask for what. Events of
which nothing is wanted are named in :file:`github.toml`.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from karkhana.intake.commands import spoken
from karkhana.intake.deliveries import Command, Delivery, Ignored, Outcome, Refused, Remark, TicketDraft, Verb
from karkhana.intake.door import media_type
from karkhana.intake.payload import clean, fitted, line, read
from karkhana.intake.signatures import Secrets, github

FAILING = frozenset({"failure", "timed_out", "startup_failure"})
"""Conclusions of a check that mean that something is broken."""
OURS = "<!-- karkhana:"
"""Begins the mark that comments of our own bear."""


class Account(msgspec.Struct):
    login: str


class Place(msgspec.Struct):
    full_name: str
    default_branch: str = ""


class Label(msgspec.Struct):
    name: str


class Issue(msgspec.Struct):
    number: int
    title: str
    html_url: str
    user: Account | None = None
    body: str | None = None
    labels: list[Label] = []
    pull_request: dict[str, Any] | None = None


class Comment(msgspec.Struct):
    html_url: str
    body: str
    user: Account | None = None
    id: int = 0


class Issues(msgspec.Struct):
    """``issues``."""

    action: str
    issue: Issue
    repository: Place
    sender: Account
    label: Label | None = None


class IssueComment(msgspec.Struct):
    """``issue_comment``."""

    action: str
    issue: Issue
    comment: Comment
    repository: Place
    sender: Account


class HeadRepository(msgspec.Struct):
    full_name: str


class Check(msgspec.Struct):
    """What ``check_run``, ``check_suite`` and ``workflow_run`` have in common."""

    head_sha: str
    conclusion: str | None = None
    name: str | None = None
    html_url: str | None = None
    url: str = ""
    head_branch: str | None = None
    head_repository: HeadRepository | None = None
    check_suite: dict[str, Any] | None = None
    output: dict[str, Any] | None = None


class GitHub:
    """Events ``issues``, ``issue_comment``, ``check_run``, ``check_suite`` and ``workflow_run``."""

    def verify(self, delivery: Delivery, secrets: Secrets) -> Refused | None:
        return github(delivery, secrets)

    def identity(self, delivery: Delivery) -> str:
        return delivery.headers.get("x-github-delivery", "")

    def read(self, delivery: Delivery) -> Outcome:
        if media_type(delivery.headers) != "application/json":
            return Refused("choose the content type application/json in the webhook's settings", 415)
        event = delivery.headers.get("x-github-event", "")
        payload = read(delivery.body)
        if event == "issues":
            return _issue(fitted(payload, Issues))
        if event == "issue_comment":
            return _comment(fitted(payload, IssueComment))
        if event in ("check_run", "check_suite", "workflow_run"):
            return _check(event, payload)
        if event in _ignored():
            return Ignored(_ignored()[event])
        return Ignored(f"GitHub's event {line(event, 60)!r} is not known here", known=False)


def subject(place: str, number: int) -> str:
    """Of an issue."""
    return f"{place.lower()}#{number}"


def below(about: str, comment: Comment) -> str:
    """Where a comment is answered: below its issue, with a sign at the comment itself."""
    return f"{about}!{comment.id}" if comment.id > 0 else about


def _issue(given: Issues) -> Outcome:
    labels = tuple(line(label.name) for label in given.issue.labels)
    if given.action == "labeled":
        if given.label is None:
            return Ignored("a label that is gone was put on the issue")
        return _draft(given.issue, given.repository, given.sender.login, (line(given.label.name),), opening=False)
    if given.action not in ("opened", "reopened"):
        return Ignored(f"an issue was {line(given.action, 40)}")
    return _draft(given.issue, given.repository, given.sender.login, labels, opening=True)


def _comment(given: IssueComment) -> Outcome:
    if given.action != "created":
        # whoever may edit a comment is not who wrote it
        return Ignored(f"a comment was {line(given.action, 40)}; only new ones are read")
    command = spoken(given.comment.body)
    if given.comment.user is None or given.comment.user.login != given.sender.login:
        return Ignored("the comment was not sent by who wrote it")
    if command is None:
        if given.sender.login.endswith("[bot]") or OURS in given.comment.body:
            return Ignored("a program wrote the comment")
        about = subject(given.repository.full_name, given.issue.number)
        return Remark(
            sender=given.sender.login,
            place=given.repository.full_name,
            subject=about,
            text=clean(given.comment.body),
            address=below(about, given.comment),
        )
    verb, words = command
    if isinstance(verb, Verb):
        about = subject(given.repository.full_name, given.issue.number)
        return Command(
            verb=verb,
            sender=given.sender.login,
            place=given.repository.full_name,
            subject=about,
            words=clean(words),
            address=below(about, given.comment),
        )
    if given.issue.pull_request is not None:
        return Ignored("a pull request is not worked on; open an issue")
    about = below(subject(given.repository.full_name, given.issue.number), given.comment)
    draft = _draft(given.issue, given.repository, given.sender.login, (), opening=False, more=words)
    return msgspec.structs.replace(draft, address=about)


def _draft(
    issue: Issue, place: Place, sender: str, labels: tuple[str, ...], *, opening: bool, more: str = ""
) -> TicketDraft:
    parts = [line(issue.title), clean(issue.body), clean(more)]
    return TicketDraft(
        text="\n\n".join(part for part in parts if part),
        sender=sender,
        place=place.full_name,
        subjects=(subject(place.full_name, issue.number),),
        reference=issue.html_url,
        address=subject(place.full_name, issue.number),
        labels=labels,
        opening=opening,
    )


def _check(event: str, payload: dict[str, Any]) -> Outcome:
    place = fitted(payload.get("repository"), Place)
    sender = fitted(payload.get("sender"), Account)
    if payload.get("action") != "completed":
        return Ignored("the check is not done")
    check = fitted(payload.get(event), Check)
    if check.conclusion not in FAILING:
        return Ignored(f"the check ended as {line(check.conclusion, 40) or 'nothing'}")
    branch = check.head_branch or (check.check_suite or {}).get("head_branch")
    if not place.default_branch or branch != place.default_branch:
        return Ignored("the check is not of the default branch")
    if check.head_repository is not None and check.head_repository.full_name != place.full_name:
        return Ignored("the check is of a fork")
    name = line(check.name) or "check suite"
    summary = [str((check.output or {}).get(part) or "") for part in ("title", "summary", "text")]
    told = [
        f"{name} fails on {branch}",
        f"Commit {line(check.head_sha, 64)}.",
        *(clean(part, 4000) for part in summary),
    ]
    return TicketDraft(
        text="\n\n".join(part for part in told if part),
        sender=sender.login,
        place=place.full_name,
        # several checks of one commit most often fail of one cause
        subjects=(f"{place.full_name.lower()}@{line(check.head_sha, 64)}",),
        reference=check.html_url or check.url,
        address=f"{place.full_name.lower()}@{line(check.head_sha, 64)}",
        opening=False,
        check=name,
    )


@cache
def _ignored() -> dict[str, str]:
    text = (resources.files("karkhana.intake") / "github.toml").read_text()
    found: dict[str, str] = tomllib.loads(text)["ignored"]
    return found
