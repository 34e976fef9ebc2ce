"""What templates know besides the text: how it failed, the types seen, the words at hand.

>>> idea = Idea(line=3, edits=(Edit(0, 1, "b"),))
"""

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources

import libcst as cst
import msgspec

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.declarations import Declaration
from karkhana.engineers.symbolic.generation.source import BUILTINS, FunctionView
from karkhana.engineers.symbolic.generation.surroundings import Donor, Surroundings, surroundings
from karkhana.engineers.symbolic.generation.told import Told

_SIZED = frozenset({"list", "dict", "set", "str", "tuple", "deque", "bytes", "frozenset", "defaultdict", "Counter"})


class Idea(msgspec.Struct, frozen=True):
    """One way to change a function."""

    line: int
    """Where in the file: what the suspicion is looked up for."""
    edits: tuple[Edit, ...]
    weight: float = 1.0
    """Multiplies the prior of the template."""
    fresh: bool = False
    """It changes more than the function's body."""


class Scene:
    """A function under suspicion and the facts of its failure."""

    def __init__(
        self,
        view: FunctionView,
        *,
        types: Mapping[str, frozenset[str]] | None = None,
        failures: tuple[Failure, ...] = (),
        literals: tuple[str, ...] = (),
        expected: tuple[str, ...] = (),
        path: str = "",
        told: Told | None = None,
    ) -> None:
        self.view = view
        self._bound_at: dict[tuple[int, int], frozenset[str]] = {}
        self.types = {**written_types(view), **(types or {})}
        """Variable → names of the types it was seen with; ``NoneType`` included."""
        self.failures = failures
        self.literals = literals
        """Literals of the failing tests and the ticket, as Python text."""
        self.expected = expected
        """Exceptions that failing tests expect to be raised."""
        self.path = path
        self.told = told or Told()
        """What the ticket and the tests talk about."""

    @functools.cached_property
    def around(self) -> Surroundings:
        """The rest of the file."""
        return surroundings(self.view.module_text)

    @functools.cached_property
    def raisable(self) -> tuple[str, ...]:
        """The expected exceptions by names that this file knows, called with the expected message when there is one."""
        known = {e.rpartition(".")[2]: e for e in self.around.exceptions}
        found: dict[str, None] = {}
        for error in self.expected:
            name, bracket, message = error.partition("(")
            last = name.rpartition(".")[2]
            if last in BUILTINS or last in self.view.globals:
                found.setdefault(last + bracket + message)
            elif last in known or name.partition(".")[0] in self.view.globals:
                found.setdefault(known.get(last, name) + bracket + message)
            else:
                found.setdefault(last + bracket + message)
        return tuple(found)

    @functools.cached_property
    def seen_types(self) -> tuple[str, ...]:
        """Names of types that failing tests saw in the function and that can be written there."""
        kinds = {k for seen in self.types.values() for k in seen}
        return tuple(sorted(k for k in kinds if k in BUILTINS or k in self.view.globals))

    @functools.cached_property
    def self_attributes(self) -> tuple[str, ...]:
        """Attributes that the methods of the function's class use on ``self``."""
        if "self" not in self.view.parameters or not self.view.classes:
            return ()
        return self.around.attributes.get(self.view.classes[-1], ())

    def fitting(self, donors: list[Donor], limit: int) -> list[tuple[str, frozenset[str], float, bool]]:
        """(text, variables, weight, first) of donors that this function can take over, at most ``limit``.

        Where one name of a donor means nothing here, variables of this function stand in for it.
        """
        known = self.variable_set | BUILTINS | set(self.view.globals) | {"self", "cls"} & set(self.view.parameters)
        found: dict[str, tuple[str, frozenset[str], float, bool]] = {}
        for donor in donors:
            if len(found) >= limit:
                break
            strange = donor.names - known
            if not strange:
                found.setdefault(donor.text, (donor.text, donor.names, donor.kinship, donor.first))
            elif len(strange) == 1:
                (name,) = strange
                for other in [v for v in self.variables if v not in ("self", "cls")][:4]:
                    text = re.sub(rf"(?<![\w.]){name}\b", other, donor.text)
                    names = donor.names - strange | {other}
                    found.setdefault(text, (text, names, donor.kinship * 0.5, donor.first))
        return [row for row in found.values() if "super(" not in row[0] or row[3]]

    def might_be(self, name: str, *kinds: str) -> bool:
        """Whether a variable may hold one of these types: it was seen with one, or never seen."""
        seen = self.types.get(name)
        return not seen or bool(seen & set(kinds))

    def known(self, name: str, *kinds: str) -> bool:
        """Whether a variable was seen with one of these types."""
        return bool(self.types.get(name, frozenset()) & set(kinds))

    def sized(self, name: str) -> bool:
        """Whether ``len`` may work on a variable."""
        seen = self.types.get(name)
        return not seen or bool(seen & _SIZED) or not seen & {"int", "float", "bool", "NoneType", "function"}

    def alike(self, one: str, other: str) -> bool:
        """Whether two variables may hold values of the same type."""
        first, second = self.types.get(one), self.types.get(other)
        if not first or not second:
            return True
        numbers = {"int", "float", "bool"}
        return bool(first & second) or bool(first & numbers and second & numbers)

    @functools.cached_property
    def variables(self) -> tuple[str, ...]:
        """Parameters and local variables that hold values."""
        inner = {n.name.value for n in self.view.all(cst.FunctionDef) if n is not self.view.root}
        return tuple(n for n in self.view.locals if n not in inner and n != "_")

    @functools.cached_property
    def unused(self) -> frozenset[str]:
        """Variables whose value nobody looks at: a hint of what was forgotten."""
        read = {n.value for n in self.view.all(cst.Name) if self.view.is_load(n)}
        return frozenset(n for n in self.variables if n not in read and not n.startswith("_"))

    @functools.cached_property
    def never_filled(self) -> frozenset[str]:
        """Variables that start as empty containers and that nothing is ever put into."""
        view = self.view
        empty = {
            view.text_of(a.targets[0].target)
            for a in view.all(cst.Assign)
            if view.text_of(a.value) in ("[]", "{}", "set()", "dict()", "list()", "deque()", "Counter()")
        }
        touched = {view.text_of(a.value) for a in view.all(cst.Attribute)}
        touched |= {view.text_of(s.value) for s in view.all(cst.Subscript) if view.is_store(s)}
        touched |= {view.text_of(a.target) for a in view.all(cst.AugAssign)}
        passed = {view.text_of(a.value) for c in view.all(cst.Call) for a in c.args}
        return frozenset(empty - touched - passed)

    def before(self, node: cst.CSTNode) -> tuple[str, ...]:
        """Variables that may be bound when ``node`` runs: parameters, those bound above, and those of its loops."""
        return tuple(n for n in self.variables if self._first_bound.get(n, -1) < self.view.span(node)[1])

    @functools.cached_property
    def _first_bound(self) -> dict[str, int]:
        return {name: -1 if name in self.view.parameters else place for name, place in self._first_place.items()}

    def bound_at(self, offset: int, node: cst.CSTNode) -> frozenset[str]:
        """Variables that are bound above an offset of the text, and in scope at ``node``."""
        key = (offset, id(node))
        if key not in self._bound_at:
            self._bound_at[key] = frozenset(
                n for n in self.variables if self._first_bound.get(n, -1) < offset and self.reachable(n, node)
            )
        return self._bound_at[key]

    def nearness(self, names: frozenset[str], node: cst.CSTNode) -> float:
        """Below 1 when a variable of an enclosing function is used where the inner one has its own."""
        inner = next((a for a in self.view.ancestors(node) if isinstance(a, cst.FunctionDef)), None)
        if inner is None or inner is self.view.root or not names & self.variable_set:
            return 1.0
        start, end = self.view.span(inner)
        own = {n for n in names if start <= self._first_place.get(n, -1) < end}
        return 1.0 if own else 0.6

    @functools.cached_property
    def _first_place(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for node in self.view.all(cst.Name):
            if self.view.is_store(node):
                found.setdefault(node.value, self.view.span(node)[0])
        return found

    @functools.cached_property
    def variable_set(self) -> frozenset[str]:
        return frozenset(self.variables)

    def reachable(self, name: str, node: cst.CSTNode) -> bool:
        """Whether comprehension variables that ``name`` may be are in scope at ``node``."""
        homes = self._comprehension_variables.get(name)
        if homes is None:
            return True
        return any(home is ancestor for home in homes for ancestor in self.view.ancestors(node))

    @functools.cached_property
    def _comprehension_variables(self) -> dict[str, list[cst.CSTNode]]:
        homes: dict[str, list[cst.CSTNode]] = {}
        plain: set[str] = set(self.view.parameters)
        for node in self.view.all(cst.Name):
            if not self.view.is_store(node):
                continue
            home = next((a for a in self.view.ancestors(node) if isinstance(a, cst.CompFor)), None)
            if home is None:
                plain.add(node.value)
            else:
                whole = self.view.parent(home)
                homes.setdefault(node.value, []).append(whole if whole is not None else home)
        return {name: found for name, found in homes.items() if name not in plain}

    def in_scope(self, node: cst.CSTNode) -> tuple[str, ...]:
        """Variables that can be named at ``node``."""
        return tuple(n for n in self.before(node) if self.reachable(n, node))


_MADE_BY = {
    **{name: name for name in ("set", "list", "dict", "str", "int", "float", "tuple", "deque")},
    "sorted": "list",
    "len": "int",
    "sum": "int",
    "defaultdict": "dict",
    "Counter": "dict",
}


_LITERALS = (
    (cst.List | cst.ListComp, "list"),
    (cst.Dict | cst.DictComp, "dict"),
    (cst.Set | cst.SetComp, "set"),
    (cst.BaseString, "str"),
    (cst.Integer, "int"),
    (cst.Float, "float"),
    (cst.Tuple, "tuple"),
)


def written_types(view: FunctionView) -> dict[str, frozenset[str]]:
    """Types that the text itself tells: variables that are only ever bound to one kind of literal or constructor."""
    found: dict[str, set[str]] = {}
    for name in view.all(cst.Name):
        if not view.is_store(name):
            continue
        parent = view.parent(name)
        if isinstance(parent, cst.AugAssign):
            # Adding to a value leaves its kind as it is, nearly always.
            continue
        assign = view.parent(parent) if isinstance(parent, cst.AssignTarget) else None
        value = assign.value if isinstance(assign, cst.Assign) else None
        found.setdefault(name.value, set()).add(_written_type(value))
    return {name: frozenset(kinds) for name, kinds in found.items() if "" not in kinds and name not in view.parameters}


def _written_type(value: cst.BaseExpression | None) -> str:
    for kind, name in _LITERALS:
        if isinstance(value, kind):
            return name
    if isinstance(value, cst.Call) and isinstance(value.func, cst.Name):
        return _MADE_BY.get(value.func.value, "")
    return ""


def is_truth(node: cst.CSTNode) -> bool:
    """Whether an expression is ``True``, ``False`` or ``None``."""
    return isinstance(node, cst.Name) and node.value in ("True", "False", "None")


Template = Callable[[Scene], Iterator[Idea]]
TEMPLATES: dict[str, Template] = {}


def template(name: str) -> Callable[[Template], Template]:
    """Register a generator of ideas under the name that the catalogue describes it by."""

    def register(function: Template) -> Template:
        TEMPLATES[name] = function
        return function

    return register


class FileScene:
    """A whole file and the failures that are about what it does not define."""

    def __init__(
        self,
        text: str,
        *,
        failures: tuple[Failure, ...] = (),
        literals: tuple[str, ...] = (),
        declarations: tuple[Declaration, ...] = (),
        told: Told | None = None,
    ) -> None:
        self.text = text
        self.failures = failures
        self.literals = literals
        self.declarations = declarations
        """Constants of the module and its classes that may be at fault."""
        self.told = told or Told()

    @functools.cached_property
    def around(self) -> Surroundings:
        """What the file defines."""
        return surroundings(self.text)


FileTemplate = Callable[[FileScene], Iterator[Idea]]
FILE_TEMPLATES: dict[str, FileTemplate] = {}


def file_template(name: str) -> Callable[[FileTemplate], FileTemplate]:
    """Register a generator of ideas that looks at a whole file."""

    def register(function: FileTemplate) -> FileTemplate:
        FILE_TEMPLATES[name] = function
        return function

    return register


@functools.cache
def words() -> Mapping[str, object]:
    """``words.toml``: operators, functions and methods that are mistaken for each other."""
    text = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def family(table: str, word: str) -> tuple[str, ...]:
    """The words that ``word`` is mistaken for, most likely first."""
    found: dict[str, None] = {}
    groups = words()[table]
    assert isinstance(groups, list)
    for group in groups:
        if word in group:
            found.update(dict.fromkeys(w for w in group if w != word))
    return tuple(found)
