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
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, has_call
from karkhana.engineers.symbolic.reproduction.staging import (
    Scene,
    names_bound,
    names_used,
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
            loose.extend((number, said) for said in shown_alone(block))
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
                scene = msgspec.structs.replace(scene, setup=statements(helpful[-1]))  # noqa: PLW2901
        out.append(scene)
    return out


# -- prose ---------------------------------------------------------------------------------------------------------


def _prose(text: str, number: int, drafts: list[Scene], loose: list[tuple[int, Said]], setups: list[str]) -> None:
    items = sentences.read(text)
    for position, item in enumerate(items):
        if item.kind == "call":
            said = [said_of(i) for i in items if i.link == position]
            drafts.append(Scene(subject=item.text, said=tuple(said), origin=number))
        elif item.kind == "code":
            setups.append(item.text)
            drafts.append(of_statements(statements(item.text), (), number))
    for item in items:
        if item.kind in ("value", "raises"):
            linked = item.link is not None and not items[item.link].text.endswith("()")
            loose.append((number, msgspec.structs.replace(said_of(item), linked=linked)))


# -- scripts -------------------------------------------------------------------------------------------------------


def _script(block: Block, number: int, drafts: list[Scene], loose: list[tuple[int, Said]], setups: list[str]) -> None:
    tree = parsed(block.text)
    if tree is None or not tree.body:
        return
    rows = statements(block.text)
    if len(rows) == 1 and _is_result(tree):
        loose.extend((number, said) for said in shown_alone(block))
        return
    setups.append(block.text)
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
            drafts.append(of_statements(part, said, number))
            told += bool(said)
    if told == 0:
        loose.extend((number, s) for _, text, _ in comments for s in told_by_comment(text))


def _is_result(tree: ast.Module) -> bool:
    """Whether a block shows a value only."""
    node = tree.body[0]
    return isinstance(node, ast.Expr) and not any(
        isinstance(n, ast.Call) and not sentences.is_constructed(n) for n in ast.walk(node)
    )


# -- sessions ------------------------------------------------------------------------------------------------------


def _session(block: Block, number: int, drafts: list[Scene], loose: list[tuple[int, Said]]) -> None:
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
            drafts.append(of_statements((*before, *rows), tuple(said), number))
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


def _trace(text: str, number: int, drafts: list[Scene], loose: list[tuple[int, Said]]) -> None:
    trace = read_trace(text)
    if trace is None:
        return
    raised = Said(kind="raises", text=trace.exception, message=trace.message, role=ACTUAL)
    loose.append((number, raised))
    for source in _calls_shown(trace):
        tree = parsed(source)
        if tree is not None and tree.body:
            drafts.append(of_statements(statements(source), (raised,), number))


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
