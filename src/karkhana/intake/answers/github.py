"""GitHub: comments below issues, signs that something was seen, labels, check runs, pull requests.

Knows the REST API, version 2022-11-28, of github.com and of Enterprise Server. A message goes with a comment of HTML
that nobody sees; it is looked for before a message is sent that may have been sent already. Where a ticket came of a
failing check there is no issue: a check run of our own on that commit tells of it, for which an App is needed.
"""

import re
from typing import Any
from urllib.parse import quote

import msgspec

from karkhana.intake.answers.calling import Answered, Calls
from karkhana.intake.answers.channel import Failed, Hopeless, LockedOut, Post
from karkhana.intake.answers.escaping import fenced, markdown
from karkhana.intake.answers.github_access import Access
from karkhana.intake.answers.message import Decision, Message, Shipped

API = "https://api.github.com"
HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28", "user-agent": "karkhana"}
CHECK = "karkhana"
PAGE = 100
PAGES = 30
LONGEST = 60_000
"""Characters of a comment; GitHub takes 65536."""
GONE = (404, 410)
_REFERENCE = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)(?:#(?P<issue>\d{1,12})(?:!(?P<comment>\d{1,19}))?|@(?P<commit>[0-9a-f]{7,64}))"
)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ticket came from: ``octo/shop#7``, ``octo/shop#7!99`` (a comment below it), ``octo/shop@COMMIT``."""

    repository: str
    issue: int = 0
    comment: int = 0
    commit: str = ""

    @staticmethod
    def parse(text: str) -> "Reference":
        """Raises ``Hopeless`` for anything else."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise Hopeless(f"{text[:80]!r} is no place at GitHub")
        return Reference(
            repository=found["repository"],
            issue=int(found["issue"] or 0),
            comment=int(found["comment"] or 0),
            commit=found["commit"] or "",
        )


class GitHubChannel:
    """One door's repositories."""

    def __init__(
        self, calls: Calls, access: Access, *, pull_requests: bool = False, labels: dict[str, str] | None = None
    ) -> None:
        self._calls = calls
        self._access = access
        self._pull_requests = pull_requests
        self._labels = labels or {}

    async def say(self, message: Message, post: Post) -> dict[str, Any]:
        place = Reference.parse(post.reference)
        external = dict(post.external)
        if message.shipped is not None and message.shipped.remote:
            external |= await self._ship(place.repository, message, message.shipped)
        if place.commit:
            return external | await self._check(place.repository, place.commit, message)
        if message.seen and not post.external:
            await self._seen(place)
        if message.status and self._labels:
            await self._label(place, self._labels.get(message.status, ""))
        body = body_of(message, post.marker, external.get("pull", ""))
        return external | await self._comment(place, body, post, external)

    async def earlier(self, reference: str) -> list[tuple[str, str]]:
        """An issue's text is in the delivery already."""
        del reference
        return []

    async def _comment(self, place: Reference, body: str, post: Post, external: dict[str, Any]) -> dict[str, Any]:
        number = external.get("comment") or (await self._found(place, post.marker) if post.begun else None)
        if number:
            # whoever removed it does not want it
            path = f"/issues/comments/{number}"
            await self._ask("PATCH", place.repository, path, {"body": body}, allow=GONE)
            return {"comment": number}
        made = await self._ask("POST", place.repository, f"/issues/{place.issue}/comments", {"body": body})
        return {"comment": made.data["id"]}

    async def _found(self, place: Reference, marker: str) -> int | None:
        for page in range(1, PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            found = await self._ask("GET", place.repository, f"/issues/{place.issue}/comments", query=query)
            for comment in found.data:
                if hidden(marker) in (comment.get("body") or ""):
                    return int(comment["id"])
            if len(found.data) < PAGE:
                break
        return None

    async def _seen(self, place: Reference) -> None:
        below = f"/issues/comments/{place.comment}" if place.comment else f"/issues/{place.issue}"
        # a second one of the same is answered with the first
        await self._ask("POST", place.repository, f"{below}/reactions", {"content": "eyes"}, allow=GONE)

    async def _label(self, place: Reference, wanted: str) -> None:
        path = f"/issues/{place.issue}"
        issue = await self._ask("GET", place.repository, path)
        borne = {label["name"] if isinstance(label, dict) else label for label in issue.data.get("labels", ())}
        for old in (borne & set(self._labels.values())) - {wanted}:
            await self._ask("DELETE", place.repository, f"{path}/labels/{quote(old, safe='')}", allow=GONE)
        if wanted and wanted not in borne:
            await self._ask("POST", place.repository, f"{path}/labels", {"labels": [wanted]})

    async def _ship(self, repository: str, message: Message, shipped: Shipped) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            if self._access.checks:
                found |= {"shipped": (await self._check(repository, shipped.commit, message))["check"]}
            if self._pull_requests:
                found["pull"] = await self._pull(repository, message, shipped)
        except Hopeless as error:
            # the branch may lie elsewhere than at GitHub, or be merged already; the answer itself is still of use
            found["trouble"] = str(error)[:300]
        return found

    async def _pull(self, repository: str, message: Message, shipped: Shipped) -> str:
        owner = repository.partition("/")[0]
        query = {"head": f"{owner}:{shipped.branch}", "state": "all", "per_page": "1"}
        known = await self._ask("GET", repository, "/pulls", query=query)
        if known.data:
            return str(known.data[0]["html_url"])
        base = (await self._ask("GET", repository, "")).data["default_branch"]
        body = {
            "title": shipped.title[:200] or message.task_id,
            "head": shipped.branch,
            "base": base,
            "body": shipped_text(message, shipped),
            "maintainer_can_modify": True,
        }
        return str((await self._ask("POST", repository, "/pulls", body)).data["html_url"])

    async def _check(self, repository: str, commit: str, message: Message) -> dict[str, Any]:
        """One check run for each task and commit tells how it stands."""
        if not self._access.checks:
            return {"check": 0}
        query = {"check_name": CHECK, "filter": "all", "per_page": str(PAGE)}
        found = await self._ask("GET", repository, f"/commits/{commit}/check-runs", query=query)
        mine = [run["id"] for run in found.data["check_runs"] if run.get("external_id") == message.task_id]
        body = check_of(message)
        if mine:
            await self._ask("PATCH", repository, f"/check-runs/{mine[0]}", body)
            return {"check": mine[0]}
        body |= {"head_sha": commit, "external_id": message.task_id}
        return {"check": (await self._ask("POST", repository, "/check-runs", body)).data["id"]}

    async def _ask(
        self,
        method: str,
        repository: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        allow: tuple[int, ...] = (),
    ) -> Answered:
        try:
            found = await self._calls.call(
                method,
                f"/repos/{repository}{path}",
                body,
                query=query,
                authorization=await self._access.authorization(repository),
                allow=allow,
            )
        except LockedOut:
            self._access.forget(repository)
            raise
        if method in ("GET", "POST") and found.status < 300 and not isinstance(found.data, dict | list):
            raise Failed(f"{method} {repository}{path}: the answer cannot be read")
        return found


def body_of(message: Message, marker: str, pull: str = "") -> str:
    """A comment."""
    parts = [markdown(message.text)]
    if message.shipped is not None:
        parts.append(_where(message.shipped, pull))
    if message.quote:
        parts.append(fenced(message.quote[: LONGEST // 4]))
    if message.decision is not None:
        parts.append(_asked(message.decision))
    return "\n\n".join(part for part in parts if part)[:LONGEST] + f"\n\n{hidden(marker)}"


def hidden(marker: str) -> str:
    """What shows that a comment is ours, to us."""
    return f"<!-- karkhana:{marker} -->"


def shipped_text(message: Message, shipped: Shipped) -> str:
    """Body of a pull request."""
    score = "" if shipped.score is None else f"\n\nScore {shipped.score:.2f}."
    return f"{fenced(shipped.summary[: LONGEST // 4])}\n\nTask {markdown(message.task_id)}.{score}"


def check_of(message: Message) -> dict[str, Any]:
    """How a task stands, as a check run. It is never a failing one: what it is about stands in its text."""
    conclusions = {"delivered": "success", "deployed": "success", "waiting_for_review": "action_required"}
    ended = {"failed": "neutral", "rejected": "neutral", "cancelled": "cancelled", "rolled_back": "neutral"}
    conclusion = (conclusions | ended).get(message.status)
    summary = "\n\n".join(filter(None, [markdown(message.text), fenced(message.quote) if message.quote else ""]))
    if message.decision is not None:
        where = f"Decide at the factory: karkhana runs show {message.decision.run_id}"
        summary += f"\n\n{_effect(message.decision)} {where}"
    found = {
        "name": CHECK,
        "status": "completed" if conclusion else "in_progress",
        "output": {"title": message.text[:200] or message.task_id, "summary": summary[:LONGEST]},
    }
    return found | ({"conclusion": conclusion} if conclusion else {})


def _where(shipped: Shipped, pull: str) -> str:
    at = f"Branch `{shipped.branch.replace('`', '')}`, commit {shipped.commit[:40]}"
    pushed = "" if shipped.remote else " (in the factory's own clone; it has no remote)"
    score = "" if shipped.score is None else f", score {shipped.score:.2f}"
    return f"{at}{score}{pushed}.{f' {pull}' if pull.startswith('https://') else ''}"


def _asked(decision: Decision) -> str:
    short = decision.digest[:12]
    how = f"- `/karkhana approve {short}`\n- `/karkhana reject {short} REASON`"
    return f"{_effect(decision)} Look at the change first (`karkhana runs diff {decision.run_id}`), then write\n\n{how}"


def _effect(decision: Decision) -> str:
    until = f" It goes ahead at {decision.until} unless somebody rejects it." if decision.until else ""
    return f"Approving {markdown(decision.effect)}.{until}"
