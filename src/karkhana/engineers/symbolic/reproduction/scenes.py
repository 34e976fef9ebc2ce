"""From the blocks of a ticket to scenes: some statements, the expression that matters, and what is said of its result.

Knows how people show examples; knows nothing of the repository. Nothing is run.

>>> from karkhana.engineers.symbolic.reproduction.ticket import blocks
>>> scene = scenes(blocks(">>> add(1, 1)\\n3\\n"))[0]
>>> scene.subject, [said.text for said in scene.said]
('add(1, 1)', ['3'])
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import msgspec

from karkhana.engineers.symbolic.reproduction import sentences
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, EXPECTED, UNKNOWN, Item, has_call
from karkhana.engineers.symbolic.reproduction.ticket import Block, parsed
from karkhana.engineers.symbolic.reproduction.traces import Trace
from karkhana.engineers.symbolic.reproduction.traces import read as read_trace

SCENES_MAX = 30
_SAID_MAX = 24
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
    linked: bool = False
    """Among those that stand apart: it was told of another call."""
    shown: bool = False
    """It stands in a block of its own, and the words before that say what it is."""
    source: int = -1
    """Number among the results that stand apart from any call; -1 when it is shown or told with its call."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be run."""

    setup: tuple[str, ...] = ()
    subject: str
    """An expression; a statement when ``statement``."""
    statement: bool = False
    printed: bool = False
    """The subject stood in a ``print``."""
    said: tuple[Said, ...] = ()
    origin: int = 0
    """Number of the block."""


def scenes(found: tuple[Block, ...]) -> tuple[Scene, ...]:
    """What can be run, each with everything that is said of its result, nearest first."""
    drafts: list[Scene] = []
    loose: list[tuple[int, Said]] = []
    setups: list[str] = []
    for number, block in enumerate(found):
        if block.kind == "prose":
            _prose(block.text, number, drafts, loose, setups)
        elif block.kind == "session":
            _session(block, number, drafts, loose)
        elif block.kind == "code":
            _script(block, number, drafts, loose, setups)
        elif block.kind == "trace":
            _trace(block.text, number, drafts, loose)
        else:
            loose.extend((number, said) for said in _output(block))
    drafts = _spread(drafts, setups)
    return tuple(_with_loose(scene, loose) for scene in drafts[:SCENES_MAX])


def _with_loose(scene: Scene, loose: list[tuple[int, Said]]) -> Scene:
    numbered = [(number, source, said) for source, (number, said) in enumerate(loose)]
    ranked = sorted(numbered, key=lambda row: (abs(row[0] - scene.origin), row[0] < scene.origin, row[1]))
    more = [
        msgspec.structs.replace(
            said, weight=NEAR if said.shown or abs(number - scene.origin) <= 2 else FAR, source=source
        )
        for number, source, said in ranked
    ]
    return msgspec.structs.replace(scene, said=(*scene.said, *more)[:_SAID_MAX])


def _spread(drafts: list[Scene], setups: list[str]) -> list[Scene]:
    """Scenes that lack a name which a code block of the ticket defines get that block as their setup."""
    out = []
    for scene in drafts:
        if not scene.setup and setups:
            wanted = names_used(scene.subject)
            helpful = [text for text in setups if wanted & names_bound(text)]
            if helpful:
                statements = tuple(s for text in helpful[-1:] for s in _statements(text))
                scene = msgspec.structs.replace(scene, setup=statements)  # noqa: PLW2901
        out.append(scene)
    return out


def names_used(text: str) -> set[str]:
    tree = parsed(text)
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} if tree else set()


def names_bound(text: str) -> set[str]:
    """Names that a piece of code assigns, defines or imports at its top."""
    tree = parsed(text)
    found: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return found


# -- prose ---------------------------------------------------------------------------------------------------------


def _said(item: Item, weight: float = SENTENCE) -> Said:
    return Said(
        kind=item.kind,
        text=item.text,
        words=item.words,
        role=item.role,
        weight=weight,
        message=item.message,
        bare=item.bare,
    )


def _prose(text: str, number: int, drafts: list[Scene], loose: list[tuple[int, Said]], setups: list[str]) -> None:
    items = sentences.read(text)
    for position, item in enumerate(items):
        if item.kind == "call":
            said = [_said(i) for i in items if i.link == position]
            drafts.append(Scene(subject=item.text, said=tuple(said), origin=number))
        elif item.kind == "code":
            setups.append(item.text)
            statements = _statements(item.text)
            drafts.append(_of_statements(statements, (), number))
    for item in items:
        if item.kind in ("value", "raises"):
            linked = item.link is not None and not items[item.link].text.endswith("()")
            loose.append((number, msgspec.structs.replace(_said(item), linked=linked)))


# -- scripts -------------------------------------------------------------------------------------------------------


def _statements(text: str) -> tuple[str, ...]:
    tree = parsed(text)
    lines = text.split("\n")
    found = []
    for node in tree.body if tree else ():
        top = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        if top == (node.end_lineno or top) and any(
            o is not node and o.lineno == top for o in (tree.body if tree else ())
        ):
            found.append(ast.unparse(node))  # several statements on one line
        else:
            found.append("\n".join(lines[top - 1 : node.end_lineno]))
    return tuple(found)


def _of_statements(statements: tuple[str, ...], said: tuple[Said, ...], number: int) -> Scene:
    """The scene whose subject is the last statement."""
    setup, last = statements[:-1], statements[-1]
    tree = parsed(last)
    node = tree.body[0] if tree and tree.body else None
    if isinstance(node, ast.Expr):
        value = node.value
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in ("print", "pprint", "repr")
        ):
            if len(value.args) == 1 and not value.keywords and not isinstance(value.args[0], ast.Starred):
                inner = ast.unparse(value.args[0])
                return Scene(setup=setup, subject=inner, printed=value.func.id == "print", said=said, origin=number)
            return Scene(setup=setup, subject=last, statement=True, said=said, origin=number)
        source = last.split("#")[0].strip() if "\n" not in last and "'" not in last and '"' not in last else ""
        subject = source if source and parsed(source) is not None else ast.unparse(value)
        return Scene(setup=setup, subject=subject, said=said, origin=number)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        assigned = ast.get_source_segment(last, node.value)
        if assigned and parsed(assigned) is not None:
            return Scene(setup=setup, subject=assigned, said=said, origin=number)
    return Scene(setup=setup, subject=last, statement=True, said=said, origin=number)


def _script(block: Block, number: int, drafts: list[Scene], loose: list[tuple[int, Said]], setups: list[str]) -> None:
    tree = parsed(block.text)
    if tree is None or not tree.body:
        return
    statements = _statements(block.text)
    if len(statements) == 1 and _is_result(tree):
        loose.extend((number, said) for said in _output(block))
        return
    setups.append(block.text)
    comments = _comments(block.text)
    told = 0
    for position, node in enumerate(tree.body):
        following = tree.body[position + 1].lineno if position + 1 < len(tree.body) else 10**9
        said = tuple(
            s
            for line, text, alone in comments
            if node.lineno <= line < following and (line <= (node.end_lineno or line) or alone)
            for s in _comment(text)
        )
        last = position == len(tree.body) - 1
        interesting = isinstance(node, ast.Expr) and has_call(node.value)
        if (
            isinstance(node, ast.Assert)
            or (said and (interesting or isinstance(node, ast.Assign | ast.AnnAssign)))
            or last
            or interesting
        ):
            part = statements[: position + 1]
            if (
                isinstance(node, ast.Assign)
                and said
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                part = (*part, node.targets[0].id)
            drafts.append(_of_statements(part, said, number))
            told += bool(said)
    if told == 0:
        loose.extend((number, s) for _, text, _ in comments for s in _comment(text))


def _is_result(tree: ast.Module) -> bool:
    """Whether a block shows a value only."""
    node = tree.body[0]
    return isinstance(node, ast.Expr) and not any(
        isinstance(n, ast.Call) and not sentences._is_constructed(n) for n in ast.walk(node)
    )


def _comments(text: str) -> list[tuple[int, str, bool]]:
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


def _comment(text: str) -> Iterator[Said]:
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
    yield from (_said(i, STRUCTURE) for i in items)
    if not items and lead and rest:
        yield Said(kind="value", text="", words=rest, role=role, printed=True)


# -- sessions ------------------------------------------------------------------------------------------------------


def _session(block: Block, number: int, drafts: list[Scene], loose: list[tuple[int, Said]]) -> None:
    before: list[str] = []
    role = lead_role(block.lead)
    for source, output in _turns(block.text):
        comments = _comments(source)
        said = [s for _, text, _ in comments for s in _comment(text)]
        if output.strip():
            said += _shown(output, role)
        statements = _statements(source)
        if not statements:
            continue
        tree = parsed(source)
        shows = bool(tree and tree.body and isinstance(tree.body[-1], ast.Expr))
        if said or shows:
            drafts.append(_of_statements((*before, *statements), tuple(said), number))
        before += statements


def _turns(text: str) -> Iterator[tuple[str, str]]:
    """(source, output) of each prompt."""
    source: list[str] = []
    output: list[str] = []
    for line in text.split("\n"):
        plain = line.lstrip()
        if plain.startswith(">>>"):
            if source:
                yield "\n".join(source), "\n".join(output)
            source, output = [plain[4:]], []
        elif source and not output and (plain.startswith("... ") or plain.rstrip() == "..."):
            source.append(plain[4:])
        elif source:
            output.append(line)
    if source:
        yield "\n".join(source), "\n".join(output)


def _shown(output: str, role: str) -> list[Said]:
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
            found += _comment(line.strip().lstrip("# "))
        elif shown and not line.strip():
            break
        elif line.strip():
            shown.append(line)
    if shown:
        body = "\n".join(shown)
        value = body.strip()
        own = role
        comments = _comments(value) if parsed(value) is not None else []
        if comments:
            remark = comments[-1][1]
            value = value[: value.rindex("#")].strip()
            other = [s for s in _comment(remark) if s.kind == "value"]
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


# -- tracebacks and output -----------------------------------------------------------------------------------------


def _trace(text: str, number: int, drafts: list[Scene], loose: list[tuple[int, Said]]) -> None:
    trace = read_trace(text)
    if trace is None:
        return
    raised = Said(kind="raises", text=trace.exception, message=trace.message, role=ACTUAL)
    loose.append((number, raised))
    for source in _calls_shown(trace):
        tree = parsed(source)
        if tree is not None and tree.body:
            drafts.append(_of_statements(_statements(source), (raised,), number))


def _calls_shown(trace: Trace) -> list[str]:
    """Source lines of the outermost frames that a user wrote: module level, outside of any library."""
    found = []
    for frame in trace.frames[:3]:
        if frame.function in ("<module>", "main", "") or frame.path.startswith("<") or frame.path.endswith("repro.py"):
            if frame.source:
                found.append(frame.source)
        else:
            break
    return found


def _output(block: Block) -> Iterator[Said]:
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
