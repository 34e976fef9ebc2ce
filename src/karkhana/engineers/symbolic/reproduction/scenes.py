"""From the blocks of a ticket to scenes: some statements, the expression that matters, and what is said of its result.

Knows how people show examples; knows nothing of the repository. Nothing is run.

>>> from karkhana.engineers.symbolic.reproduction.ticket import blocks
>>> scene = scenes(blocks(">>> add(1, 1)\\n3\\n"))[0]
>>> scene.subject, [said.text for said in scene.said]
('add(1, 1)', ['3'])
"""

import ast
from collections.abc import Iterator

import msgspec

from karkhana.engineers.symbolic.reproduction import sentences
from karkhana.engineers.symbolic.reproduction.completing import completed
from karkhana.engineers.symbolic.reproduction.names import missing
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, has_call
from karkhana.engineers.symbolic.reproduction.staging import (
    Scene,
    names_assigned,
    of_statements,
    statements,
)
from karkhana.engineers.symbolic.reproduction.ticket import Block, parsed
from karkhana.engineers.symbolic.reproduction.told import (
    FAR,
    NEAR,
    Said,
    comments_of,
    lead_role,
    said_of,
    shown_alone,
    shown_below,
    told_by_comment,
)
from karkhana.engineers.symbolic.reproduction.traces import Trace
from karkhana.engineers.symbolic.reproduction.traces import read as read_trace

SCENES_MAX = 30
_SAID_MAX = 24


class _Drafts:
    """What was read so far."""

    def __init__(self, bound: frozenset[str]) -> None:
        self.bound = bound
        """Names that code in the ticket gives a value."""
        self.scenes: list[Scene] = []
        self.loose: list[tuple[int, Said]] = []
        self.setups: list[str] = []

    def add(self, rows: tuple[str, ...], said: tuple[Said, ...], number: int) -> None:
        """The scene of some statements, while there is room for it: a ticket may hold thousands."""
        if len(self.scenes) < SCENES_MAX:
            self.scenes.append(of_statements(rows, said, number))


def scenes(found: tuple[Block, ...]) -> tuple[Scene, ...]:
    """What can be run, each with everything that is said of its result, nearest first."""
    drafts = _Drafts(frozenset(name for b in found if b.kind == "code" for name in names_assigned(b.text)))
    for number, block in enumerate(found):
        if block.kind == "prose":
            _prose(block.text, number, drafts)
        elif block.kind == "session":
            _session(block, number, drafts)
        elif block.kind == "code":
            _script(block, number, drafts)
        elif block.kind == "trace":
            _trace(block.text, number, drafts)
        else:
            drafts.loose.extend((number, said) for said in shown_alone(block))
    complete = [completed(scene, drafts.setups, found) for scene in drafts.scenes[:SCENES_MAX]]
    return tuple(_with_loose(scene, drafts.loose) for scene in complete)


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


# -- prose ---------------------------------------------------------------------------------------------------------


def _prose(text: str, number: int, drafts: _Drafts) -> None:
    items = sentences.read(text, drafts.bound)
    story: list[str] = []
    for position, item in enumerate(items):
        if item.kind == "call":
            said = [said_of(i) for i in items if i.link == position]
            setup = tuple(story) if missing(item.text) & names_assigned("\n".join(story)) else ()
            drafts.scenes.append(Scene(setup=setup, subject=item.text, said=tuple(said), origin=number))
            if setup and not said:
                story.append(item.text)  # "and do `x.pop()`": what follows is told of what it leaves
        elif item.kind == "code":
            drafts.setups.append(item.text)
            drafts.add((*story, *statements(item.text)), (), number)
            story += statements(item.text)
    own = drafts.bound | {name for item in items if item.kind == "code" for name in names_assigned(item.text)}
    for item in items:
        if item.kind in ("value", "raises"):
            about = items[item.link].text if item.link is not None else ""
            # "total()" only names the function; "cart.total()" of a cart that the ticket makes is a call.
            linked = bool(about) and (not about.endswith("()") or about.split(".")[0] in own)
            drafts.loose.append((number, msgspec.structs.replace(said_of(item), linked=linked)))


# -- scripts -------------------------------------------------------------------------------------------------------


def _script(block: Block, number: int, drafts: _Drafts) -> None:
    tree = parsed(block.text)
    if tree is None or not tree.body:
        return
    rows = statements(block.text)
    if len(rows) == 1 and _is_result(tree):
        drafts.loose.extend((number, said) for said in shown_alone(block))
        return
    drafts.setups.append(block.text)
    comments = comments_of(block.text)
    told = 0
    for position, node in enumerate(tree.body):
        following = tree.body[position + 1].lineno if position + 1 < len(tree.body) else 10**9
        said = tuple(
            s
            for line, text, alone in comments
            if node.lineno <= line < following and (line <= (node.end_lineno or line) or alone)
            for s in told_by_comment(text)
        )
        last = position == len(tree.body) - 1
        interesting = isinstance(node, ast.Expr) and has_call(node.value)
        if (
            isinstance(node, ast.Assert)
            or (said and (interesting or isinstance(node, ast.Assign | ast.AnnAssign)))
            or last
            or interesting
        ):
            part = rows[: position + 1]
            if (
                isinstance(node, ast.Assign)
                and said
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                part = (*part, node.targets[0].id)
            drafts.add(part, said, number)
            told += bool(said)
    if told == 0:
        drafts.loose.extend((number, s) for _, text, _ in comments for s in told_by_comment(text))


def _is_result(tree: ast.Module) -> bool:
    """Whether a block shows a value only."""
    node = tree.body[0]
    return isinstance(node, ast.Expr) and not any(
        isinstance(n, ast.Call) and not sentences.is_constructed(n) for n in ast.walk(node)
    )


# -- sessions ------------------------------------------------------------------------------------------------------


def _session(block: Block, number: int, drafts: _Drafts) -> None:
    before: list[str] = []
    role = lead_role(block.lead)
    for source, output in _turns(block.text):
        comments = comments_of(source)
        said = [s for _, text, _ in comments for s in told_by_comment(text)]
        if output.strip():
            said += shown_below(output, role)
        rows = statements(source)
        if not rows:
            continue
        tree = parsed(source)
        shows = bool(tree and tree.body and isinstance(tree.body[-1], ast.Expr))
        if said or shows:
            drafts.add((*before, *rows), tuple(said), number)
        before += rows


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


# -- tracebacks and output -----------------------------------------------------------------------------------------


def _trace(text: str, number: int, drafts: _Drafts) -> None:
    trace = read_trace(text)
    if trace is None:
        return
    passed = tuple(f"{frame.function} {frame.source}" for frame in trace.frames)
    raised = Said(kind="raises", text=trace.exception, message=trace.message, role=ACTUAL, through=passed)
    drafts.loose.append((number, raised))
    for source in _calls_shown(trace):
        for part in _parts(source):
            drafts.add(statements(part), (raised,), number)


def _calls_shown(trace: Trace) -> list[str]:
    """Source lines of the outermost frames, those that a user wrote: up to the first in another file."""
    found = []
    for frame in trace.frames[:3]:
        users = frame.function in ("<module>", "main", "") or frame.path.startswith("<")
        if not users and frame.path != trace.frames[0].path:
            break
        if frame.source:
            found.append(frame.source)
    return found


def _parts(source: str) -> Iterator[str]:
    """What a line of a traceback runs: the line, or the condition of ``if f(x):`` and the first call in it."""
    if statements(source):
        yield source
        return
    tree = parsed(f"{source.removeprefix('el')}\n    pass") if source.endswith(":") else None
    node = tree.body[0] if tree and tree.body else None
    head = node.test if isinstance(node, ast.If | ast.While) else node.iter if isinstance(node, ast.For) else None
    if head is None:
        return
    yield ast.unparse(head)
    call = next((n for n in ast.walk(head) if isinstance(n, ast.Call)), None)
    if call is not None and call is not head:
        yield ast.unparse(call)
