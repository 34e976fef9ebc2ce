"""Gives a scene the names that it lacks, from what the ticket says elsewhere: its code, its prose, its input.

>>> bindings("Here `cart` is a `Cart([1])`.")
['cart = Cart([1])']
"""

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from karkhana.engineers.symbolic.reproduction.names import missing
from karkhana.engineers.symbolic.reproduction.sentences import UNKNOWN, role_of
from karkhana.engineers.symbolic.reproduction.spans import literal
from karkhana.engineers.symbolic.reproduction.staging import Scene, names_bound, statements
from karkhana.engineers.symbolic.reproduction.ticket import Block, parsed

_BINDING = re.compile(
    r"(?P<tick>`?)\b(?P<name>[A-Za-z_]\w*)(?P=tick)\s+"
    r"(?:is|was|being|=|contains|holds|comes (?:from|out of)"
    r"|is (?:made|built|created|returned|given) (?:by|with|from))\s+"
    r"(?:an? |the |just |simply |set to )*"
    r"(?:`(?P<code>[^`\n]{1,300})`|(?P<literal>-?\d+(?:\.\d+)?\b|'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"))"
)
_INPUT = re.compile(r"\b(?:inputs?|source|given|text|document|sample|this string)\b[^.\n]{0,40}$", re.I)
"""The last words before a block that shows what goes in."""


def completed(scene: Scene, setups: Sequence[str], found: Sequence[Block]) -> Scene:
    """The scene with a setup for names that it uses and does not bind.

    ``setups``: pieces of code in the ticket's order. Code goes before prose, and the nearest thing that binds a name is
    taken. Names that remain may still be the repository's.
    """
    lacking = _lacking(scene)
    code = [text for text in setups if lacking & names_bound(text)]
    if code:
        scene = _after(scene, statements(code[-1]))
    lacking = _lacking(scene)
    told = [line for block in found if block.kind == "prose" for line in bindings(block.text)] if lacking else []
    for line in reversed(told):
        if names_bound(line) & lacking:
            scene = _after(scene, (line,))
            lacking = _lacking(scene)
    return _with_input(scene, lacking, found)


def _lacking(scene: Scene) -> set[str]:
    return missing("\n".join((*scene.setup, scene.subject)))


def _after(scene: Scene, rows: tuple[str, ...]) -> Scene:
    """The scene with ``rows`` before it; none twice."""
    return msgspec.structs.replace(scene, setup=(*(r for r in rows if r not in scene.setup), *scene.setup))


def bindings(prose: str) -> list[str]:
    """Assignments that prose tells: ``where x is 'abc'``."""
    found = []
    for match in _BINDING.finditer(prose):
        value = match["code"] or match["literal"]
        tree = parsed(f"{match['name']} = {value}")
        if tree is not None and len(tree.body) == 1 and (literal(value) or _is_call(tree.body[0])):
            found.append(f"{match['name']} = {value}")
    return found


def _is_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)


def _with_input(scene: Scene, lacking: set[str], found: Sequence[Block]) -> Scene:
    """A bare argument that nothing binds is the block that the ticket calls the input."""
    inputs = [b.text for b in found if b.kind == "output" and _is_input(b.lead)]
    arguments = [name for name in _bare_arguments(scene.subject) if name in lacking]
    if len(inputs) != 1 or len(arguments) != 1:
        return scene
    return _after(scene, (f"{arguments[0]} = {inputs[0]!r}",))


def _is_input(lead: str) -> bool:
    last = lead.strip().rpartition("\n")[2].rstrip(":*` ")
    return bool(_INPUT.search(last)) and not role_of(last + " ", UNKNOWN)


def _bare_arguments(code: str) -> Iterator[str]:
    tree = parsed(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call):
            yield from (a.id for a in node.args if isinstance(a, ast.Name))
