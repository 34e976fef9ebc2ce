"""A second look at a change before it is handed over: another call of a model reads the diff and objects.

What rules found in the diff is shown to it, and told to the author with its own objections. The author mends or answers
each of them, at most twice; what the model still objects to goes on with the change, for the score and for the person
who approves. Knows nothing of how the author works.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from karkhana.domain.chat import ChatRequest, Format, Message, Role, Text
from karkhana.domain.errors import PromptTooLong
from karkhana.domain.events import Noted
from karkhana.domain.evidence import Finding, Severity
from karkhana.domain.money import ZERO, Money
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.prompting import filled, told
from karkhana.engineers.llm.rendering import clipped
from karkhana.engineers.llm.telling import tell
from karkhana.ports import ChatModel, Trail

ROUNDS = 2
MOST = 10
"""Findings of one round; the first ones count."""
_ANSWER = 2_000
"""Tokens."""
_DIFF = 40_000
"""Characters."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "severity": {"type": "string", "enum": ["error", "warning"]},
                    "path": {"type": "string"},
                    "line": {"type": "integer"},
                    "message": {"type": "string"},
                },
                "required": ["severity", "path", "line", "message"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["findings"],
    "additionalProperties": False,
}
RULE = "critique"


class _Found(msgspec.Struct):
    message: str
    severity: str = "warning"
    path: str = ""
    line: int = 0


class _Answer(msgspec.Struct):
    findings: list[_Found]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is about to be handed over."""

    title: str
    summary: str
    diff: str
    tests: str
    """What the newest run of tests said, and whether it was before the last edit."""


class Critic:
    """Of one run."""

    def __init__(
        self,
        model: ChatModel,
        trail: Trail,
        ticket: str,
        fence: Fence,
        checks: Callable[[], tuple[Finding, ...]] | None = None,
    ) -> None:
        """``checks``: what rules object to in the change as it stands."""
        self.rounds = 0
        self.standing: tuple[Finding, ...] = ()
        """What the newest round objected to."""
        self.spent = ZERO
        self._model, self._trail, self._ticket, self._fence = model, trail, ticket, fence
        self._checks = checks or tuple
        self._told: tuple[Finding, ...] = ()
        """What the author was told in the round before."""

    def objections(self, proposal: Proposal) -> str:
        """What the author is told to mend or to answer; empty when the change may be handed over.

        Raises what the model raises.
        """
        if self.rounds >= ROUNDS:
            return ""
        checked = self._checks()[:MOST]
        if checked:
            self._trail.record(Noted(text=f"rules object to the diff: {', '.join(each.rule for each in checked)}"))
        self.standing = self._look(proposal, checked)
        before, self._told = self._told, (*checked, *self.standing)
        self.rounds += 1
        if not self._told or (before and self.rounds == ROUNDS):
            return ""
        listed = "\n".join(f"{number}. {_line(each)}" for number, each in enumerate(self._told, 1))
        return told("review", "objections", count=len(self._told), listed=self._fence.around(listed))

    def _look(self, proposal: Proposal, checked: tuple[Finding, ...]) -> tuple[Finding, ...]:
        around = self._fence.around
        asked = filled(
            "change",
            ticket=around(clipped(self._ticket, 12_000)),
            diff=around(clipped(proposal.diff, min(_DIFF, self._model.context))),
            title=proposal.title,
            summary=around(clipped(proposal.summary, 4_000)),
            tests=around(clipped(proposal.tests, 4_000)),
            checked=around("\n".join(map(_line, checked))) if checked else "",
            answered=around("\n".join(map(_line, self._told))) if self._told else "",
        )
        request = ChatRequest(
            model=self._model.name,
            messages=(
                Message(role=Role.SYSTEM, parts=(Text(text=filled("review", fence=self._fence.name)),)),
                Message(role=Role.USER, parts=(Text(text=asked),)),
            ),
            format=Format(schema=SCHEMA, name="review"),
            max_tokens=min(_ANSWER, self._model.context // 4),
        )
        try:
            said = self._model.ask(request)
        except PromptTooLong as error:
            self._trail.record(Noted(text=f"the change was not reviewed by a model: {error.message}"))
            return ()
        self.spent = Money(self.spent + (said.cost or ZERO))
        tell(self._trail, self._model, said, purpose="review", turn=self.rounds + 1)
        return self._read(said.answer.text)

    def _read(self, text: str) -> tuple[Finding, ...]:
        start, end = text.find("{"), text.rfind("}")
        try:
            answer = msgspec.json.decode(text[start : end + 1], type=_Answer, strict=False)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            # A review that cannot be read finds nothing; that it could not be read must be seen.
            self._trail.record(Noted(text=f"the model's review cannot be read: {error}"))
            return ()
        found = [each for each in answer.findings if each.message.strip()][:MOST]
        return tuple(
            Finding(
                rule=RULE,
                message=each.message.strip()[:1_000],
                severity=Severity.ERROR if each.severity == "error" else Severity.WARNING,
                path=each.path[:300],
                line=max(0, each.line),
            )
            for each in found
        )


def _line(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}: " if finding.path else ""
    return f"{place}{finding.severity.value}: {finding.message}"
