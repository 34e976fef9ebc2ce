"""The acceptance criteria of a ticket: what it lists itself, else what a model reads from it in one bounded call.

>>> read_criteria("Add a discount\\n\\nAcceptance criteria:\\n- ten items cost a tenth less\\n- nine do not\\n")
('ten items cost a tenth less', 'nine do not')
>>> read_criteria("Given a cart of ten\\nWhen it is totalled\\nThen a tenth is taken off")
('Given a cart of ten When it is totalled Then a tenth is taken off',)
"""

import re
from collections.abc import Iterator

import msgspec

from karkhana.domain.chat import ChatRequest, Format, Message, Role, Text
from karkhana.domain.errors import PromptTooLong
from karkhana.domain.events import Noted
from karkhana.domain.money import ZERO, Money
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.prompting import filled
from karkhana.engineers.llm.rendering import clipped
from karkhana.engineers.llm.telling import tell
from karkhana.ports import ChatModel, Trail

MOST = 12
"""Criteria that are taken; the first ones count."""
_LONGEST = 400
"""Characters of one."""
_ANSWER = 1_000
"""Tokens."""
_HEADING = re.compile(r"^\W*(?:acceptance(?: criteria| tests?)?|success criteria|definition of done)\b\W*$", re.I)
_OTHER_HEADING = re.compile(r"^(?:#{1,6}\s|\*\*[^*]+\*\*:?\s*$|[A-Z][\w ]{2,40}:\s*$)")
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+(?:\[[ xX]\]\s*)?(?P<text>\S.*)$")
_BOX = re.compile(r"^\s*(?:[-*+]\s+)?\[[ xX]\]\s*(?P<text>\S.*)$")
_STEP = re.compile(r"^\W{0,4}(?P<word>given|when|then|and|but)\b(?P<rest>.*)$", re.I)
SCHEMA = {
    "type": "object",
    "properties": {"criteria": {"type": "array", "items": {"type": "string"}}},
    "required": ["criteria"],
    "additionalProperties": False,
}


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold, and where that is known from."""

    texts: tuple[str, ...]
    source: str
    """``ticket``, ``model``, or ``title`` when neither lists any."""
    cost: Money = ZERO

    def listed(self) -> str:
        """Numbered as tests name them.

        >>> Criteria(texts=("it is red",), source="ticket").listed()
        'A1: it is red'
        """
        return "\n".join(f"A{number}: {text}" for number, text in enumerate(self.texts, 1))


class _Answer(msgspec.Struct):
    criteria: list[str]


def criteria_of(ticket: str, title: str, model: ChatModel, trail: Trail, fence: Fence) -> Criteria:
    """Raises what the model raises when it has to be asked."""
    if found := read_criteria(ticket):
        return Criteria(texts=found, source="ticket")
    texts, cost = _asked(ticket, model, trail, fence)
    return Criteria(texts=texts or (title,), source="model" if texts else "title", cost=cost)


def read_criteria(ticket: str) -> tuple[str, ...]:
    """Those that a ticket lists: under a heading, as Given/When/Then, or as boxes to tick."""
    lines = ticket.splitlines()
    found = list(_under_heading(lines)) or list(_scenarios(lines))
    found = found or [box["text"] for line in lines if (box := _BOX.match(line))]
    return tuple(dict.fromkeys(text.strip()[:_LONGEST] for text in found if text.strip()))[:MOST]


def _under_heading(lines: list[str]) -> Iterator[str]:
    within = False
    for index, line in enumerate(lines):
        if _HEADING.match(line):
            within = True
        elif within and (bullet := _BULLET.match(line)):
            yield bullet["text"]
        elif within and _STEP.match(line):
            yield from _scenarios(lines[index:])
            return
        elif within and _OTHER_HEADING.match(line):
            within = False


def _scenarios(lines: list[str]) -> Iterator[str]:
    """A scenario begins with Given, or with When after a Then, and counts if it has a Then."""
    steps: list[str] = []
    done = False
    for line in [*lines, "Given"]:
        step = _STEP.match(line)
        if step is None:
            continue
        word = step["word"].lower()
        if word == "given" or (word == "when" and done):
            if done:
                yield " ".join(steps)
            steps, done = [], False
        elif not steps and word != "when":
            continue
        done |= word == "then"
        steps.append(step[0].strip(" -*>#\t"))


def _asked(ticket: str, model: ChatModel, trail: Trail, fence: Fence) -> tuple[tuple[str, ...], Money]:
    request = ChatRequest(
        model=model.name,
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text=filled("criteria", fence=fence.name, most=MOST)),)),
            Message(role=Role.USER, parts=(Text(text=fence.around(clipped(ticket, 12_000))),)),
        ),
        format=Format(schema=SCHEMA, name="criteria"),
        max_tokens=min(_ANSWER, model.context // 4),
    )
    try:
        said = model.ask(request)
    except PromptTooLong as error:
        trail.record(Noted(text=f"no acceptance criteria were read from the ticket: {error.message}"))
        return (), ZERO
    tell(trail, model, said, purpose="criteria", turn=1)
    text = said.answer.text
    try:
        answer = msgspec.json.decode(text[text.find("{") : text.rfind("}") + 1], type=_Answer)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # The title stands for them then; that they could not be read must be seen.
        trail.record(Noted(text=f"the model's acceptance criteria cannot be read: {error}"))
        return (), said.cost or ZERO
    texts = tuple(dict.fromkeys(" ".join(each.split())[:_LONGEST] for each in answer.criteria if each.strip()))
    return texts[:MOST], said.cost or ZERO
