"""Compares schemas: what a client sends must still be accepted, what it gets must still be what it expects.

The comparison is by inclusion: in a request every value of the old schema has to be one of the new schema
(contravariant), in a response every value of the new one has to be one of the old (covariant). It goes on in a queue
and looks at each pair of schemas once per direction, so schemas that refer to themselves end.

By custom, and other than inclusion says, a new optional property breaks nobody, and one that is gone breaks those
who send or read it.

Knows nothing of operations. Sources: JSON Schema 2020-12, OpenAPI 3.0.3 and 3.1.1; the classes that the
documentation of oasdiff and openapi-diff lists were read for completeness.
"""

from collections import deque

from karkhana.quality.contracts.openapi.constraints import types_clash, types_violation, violations
from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.objects import Arrays, Objects
from karkhana.quality.contracts.openapi.reading import view
from karkhana.quality.contracts.openapi.report import Report
from karkhana.quality.contracts.openapi.tasks import Shape, Task, roles, shape
from karkhana.quality.contracts.openapi.unions import Unions, discriminators, spread
from karkhana.quality.contracts.openapi.views import Nodes, View

MOST_STEPS = 1_000_000
"""Pairs of schemas."""
DEEPEST_TRIAL = 6


class Schemas:
    """Compares schemas of two descriptions and tells a report."""

    def __init__(self, old: Library, new: Library) -> None:
        self._old = old
        self._new = new
        self._seen: set[object] = set()
        self._views: dict[object, View] = {}
        self._trials: dict[object, bool] = {}
        self._kept: list[Node] = []
        self.steps = 0

    @property
    def exhausted(self) -> bool:
        """Whether it was given up for size."""
        return self.steps > MOST_STEPS

    def compare(self, task: Task, report: Report) -> None:
        """Tell ``report`` of everything that breaks in the two schemas and below."""
        Walk(self, report, self._seen, 0).run(task)

    def includes(self, task: Task, seen: set[object], depth: int) -> bool:
        """Whether nothing breaks between the two. What is being compared already counts as fitting."""
        key = self.key(task)
        if key not in self._trials:
            if depth > DEEPEST_TRIAL:
                return False
            trial = Report()
            Walk(self, trial, set(seen), depth).run(task)
            self._trials[key] = not trial.breaks
        return self._trials[key]

    def old_view(self, parts: Shape) -> View:
        return self._view(parts, self._old, "old")

    def new_view(self, parts: Shape) -> View:
        return self._view(parts, self._new, "new")

    def old_place(self, parts: Shape) -> Node:
        """Where the first schema really stands."""
        return self._old.resolve(parts[0][0]) or parts[0][0]

    def new_place(self, parts: Shape) -> Node:
        return self._new.resolve(parts[0][0]) or parts[0][0]

    def one_type(self, parts: Shape, name: str) -> Shape:
        """The part of a schema that has one of its types."""
        node = Node({"type": name}, parts[0][0].file, parts[0][0].pointer)
        self._kept.append(node)  # a key holds its identity
        return (*parts, (node, True))

    def key(self, task: Task) -> object:
        return task.direction, self._key(task.old, self._old), self._key(task.new, self._new)

    def _view(self, parts: Shape, library: Library, side: str) -> View:
        key = side, self._key(parts, library)
        if key not in self._views:
            self._views[key] = view(parts, library)
        return self._views[key]

    def _key(self, parts: Shape, library: Library) -> object:
        found = set()
        for node, bare in parts:
            alone = not isinstance(node.value, dict) or "$ref" not in node.value or len(node.value) == 1
            target = (library.resolve(node) or node) if alone else node
            found.add((id(target.value) if isinstance(target.value, dict) else repr(target.value), bare))
        return frozenset(found)


class Walk:
    """One comparison: its queue, and what it tells."""

    def __init__(self, schemas: Schemas, report: Report, seen: set[object], depth: int) -> None:
        self.schemas = schemas
        self._report = report
        self._seen = seen
        self._depth = depth
        self._queue: deque[Task] = deque()

    def run(self, task: Task) -> None:
        """Compare, and whatever is found below."""
        self._queue.append(task)
        while self._queue and not self.schemas.exhausted:
            if self._depth and self._report.breaks:
                return
            task = self._queue.popleft()
            key = self.schemas.key(task)
            if key not in self._seen:
                self._seen.add(key)
                self.schemas.steps += 1
                self._compare(task)

    def push(self, task: Task, name: str, old: Nodes, new: Nodes) -> None:
        """Compare two schemas below those of ``task`` later."""
        self.queue(Task(task.direction, task.operation, name, shape(old), shape(new)))

    def queue(self, task: Task) -> None:
        self._queue.append(task)

    def fits(self, task: Task, inner: Shape, outer: Shape) -> bool:
        """Whether all of ``inner`` is admitted by ``outer``, by trial."""
        old, new = (inner, outer) if task.direction is Direction.REQUEST else (outer, inner)
        trial = Task(task.direction, task.operation, task.name, old, new)
        return self.schemas.includes(trial, self._seen, self._depth + 1)

    def say(
        self,
        task: Task,
        code: str,
        old: Node | None = None,
        new: Node | None = None,
        /,
        *,
        name: str = "",
        was: str = "",
        now: str = "",
    ) -> None:
        """Tell a finding; ``code`` without the direction."""
        self._report.add(
            f"{task.direction}_{code}",
            task.direction,
            operation=task.operation,
            place=task.name,
            name=name,
            was=was,
            now=now,
            old=(old or self.schemas.old_place(task.old)).shown,
            new=(new or self.schemas.new_place(task.new)).shown,
        )

    def _compare(self, task: Task) -> None:
        old, new = self.schemas.old_view(task.old), self.schemas.new_view(task.new)
        if old.unresolved or new.unresolved:
            return
        clash = types_clash(old, new)
        if clash is not None:
            self.say(task, clash.code, was=clash.was, now=clash.now)
            return
        inner, outer = roles(task.direction, old, new)
        if inner.impossible:
            return
        if inner.groups and not outer.groups and not outer.is_vacuous:
            for each in spread(task, inner):
                self.queue(each)
            return
        unions = Unions(self, task)
        wrong = types_violation(unions.typed(old, new=False), unions.typed(new, new=True), task.direction)
        for found in (*([] if wrong is None else [wrong]), *violations(old, new, task.direction)):
            self.say(task, found.code, was=found.was, now=found.now, name=found.name)
        Objects(self, task).compare(old, new)
        Arrays(self, task).compare(old, new)
        unions.compare(inner, outer)
        self._rest(task, old, new)

    def _rest(self, task: Task, old: View, new: View) -> None:
        inner, outer = roles(task.direction, old, new)
        if outer.negated:
            # what is excluded may only become less: the other direction
            less = Task(task.direction.other, task.operation, task.name, shape(old.negated), shape(new.negated))
            if not inner.negated or not self.schemas.includes(less, self._seen, self._depth + 1):
                self.say(task, "constraint_changed", name="not")
        if task.direction is Direction.REQUEST and old.default is not None and old.default != new.default:
            self.say(task, "default_changed", was=str(old.default), now=str(new.default))
        for code, words in discriminators(task.direction, old, new):
            self.say(task, code, **words)
