"""What a ticket says of results: in comments, below a prompt, in blocks of their own. Runs nothing."""

import io
import re
import tokenize
from collections.abc import Iterator

import msgspec

from karkhana.engineers.symbolic.reproduction import sentences
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, EXPECTED, UNKNOWN, Item
from karkhana.engineers.symbolic.reproduction.ticket import Block, parsed
from karkhana.engineers.symbolic.reproduction.traces import read as read_trace

STRUCTURE, SENTENCE, NEAR, FAR = 1.0, 1.0, 0.8, 0.55
"""How surely a result belongs to a call: shown with it, told in its sentence, in the block beside it, elsewhere."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the ticket says about a result."""

    kind: str
    """``value`` or ``raises``."""
    text: str
    """Python, or the exception's name; empty when it is text that is no Python."""
    words: str = ""
    """As it was printed or written."""
    role: str = UNKNOWN
    weight: float = STRUCTURE
    printed: bool = False
    """It is what an interpreter shows: the ``repr``, or what ``print`` writes."""
    message: str = ""
    bare: bool = False
    """Words of the prose itself; only believed when they look like what the call gives."""
    seen: bool = False
    """The reporter says to see it."""
    linked: bool = False
    """Among those that stand apart: it was told of another call."""
    shown: bool = False
    """It stands in a block of its own, and the words before that say what it is."""
    through: tuple[str, ...] = ()
    """For an exception with a traceback: function and source line of its frames."""
    source: int = -1
    """Number among the results that stand apart from any call; -1 when it is shown or told with its call."""


def said_of(item: Item, weight: float = SENTENCE) -> Said:
    """A result of prose."""
    return Said(
        kind=item.kind,
        text=item.text,
        words=item.words,
        role=item.role,
        weight=weight,
        message=item.message,
        bare=item.bare,
        seen=item.seen,
    )


def comments_of(text: str) -> list[tuple[int, str, bool]]:
    """(line, text, stands alone) of each comment."""
    found: list[tuple[int, str, bool]] = []
    lines = text.split("\n")
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                found.append((row, token.string.lstrip("# ").rstrip(), not lines[row - 1][:column].strip()))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return found
    return found


_BARE = re.compile(r"^(?:-+>|=+>|→|=+|:)?\s*(.+?)\s*$", re.DOTALL)
_LEAD = re.compile(
    r"^(?:(?:actual|expected|expect|got|returns?|gives?|prints?|outputs?|output|result|now|should be|should return|want"
    r"|raises?)\b(?:\s+(?:result|output|value|is))?\s*[:=]?\s*)",
    re.I,
)


def told_by_comment(text: str) -> Iterator[Said]:
    """What a comment says of the statement's result."""
    bare = _BARE.match(text)
    body = bare[1] if bare else ""
    lead = _LEAD.match(body)
    role = sentences.role_of(lead[0], UNKNOWN) if lead else UNKNOWN
    rest = body[lead.end() :] if lead else body
    rest = rest.strip().strip("`")
    if rest and sentences.expression(rest) is not None and not re.fullmatch(r"[a-z]\w*", rest):
        if re.fullmatch(r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning|Iteration)(?:\(.*\))?", rest):
            name = rest.split("(")[0]
            yield Said(kind="raises", text=name, role=role or (ACTUAL if not lead else UNKNOWN))
        else:
            yield Said(kind="value", text=rest, words=rest, role=role, printed=True)
        return
    items = [i for i in sentences.read(text) if i.kind in ("value", "raises")]
    yield from (said_of(i, STRUCTURE) for i in items)
    if not items and lead and rest:
        yield Said(kind="value", text="", words=rest, role=role, printed=True)


def shown_below(output: str, role: str) -> list[Said]:
    """What stands below a prompt."""
    trace = read_trace(output) if "Traceback" in output or re.match(r"\s*[\w.]+Error\b", output) else None
    if trace is not None:
        return [
            Said(kind="raises", text=trace.exception, message=trace.message, role=role if role == EXPECTED else ACTUAL)
        ]
    lines = output.strip("\n").split("\n")
    found: list[Said] = []
    shown: list[str] = []
    for line in lines:
        if line.strip().startswith("#"):
            found += told_by_comment(line.strip().lstrip("# "))
        elif shown and not line.strip():
            break
        elif line.strip():
            shown.append(line)
    if shown:
        body = "\n".join(shown)
        value = body.strip()
        own = role
        comments = comments_of(value) if parsed(value) is not None else []
        if comments:
            remark = comments[-1][1]
            value = value[: value.rindex("#")].strip()
            other = [s for s in told_by_comment(remark) if s.kind == "value"]
            found += other
            if any(s.role == EXPECTED for s in other) or re.search(r"wrong|incorrect|\bbug\b|should", remark, re.I):
                own = ACTUAL
            elif re.search(r"expected|correct|right|\bok\b|good", remark, re.I):
                own = EXPECTED
        python = value if sentences.expression(value) is not None else ""
        found.insert(0, Said(kind="value", text=python, words=value, role=own, printed=True))
    return found


def lead_role(lead: str) -> str:
    """What the prose before a block says that it shows: the last cue counts."""
    tail = lead.rstrip()[-160:]
    lines = [line for line in tail.split("\n") if line.strip()]
    for text in ([lines[-1]] if lines else []) + [tail]:
        last = re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip().rstrip("?.!:* "))[-1]
        role = sentences.role_of(last + " ", UNKNOWN)
        if role:
            return role
    return UNKNOWN


def shown_alone(block: Block) -> Iterator[Said]:
    """A block that only shows a result."""
    text = block.text.strip()
    if not text or len(text) > 4000:
        return
    trace = read_trace(text)
    role = lead_role(block.lead)
    if trace is not None and "\n" not in text:
        yield Said(kind="raises", text=trace.exception, message=trace.message, role=role or ACTUAL)
        return
    python = text if sentences.expression(text) is not None else ""
    yield Said(kind="value", text=python, words=text, role=role, printed=True, shown=bool(role))
