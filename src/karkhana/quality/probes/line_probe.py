"""Notes which lines of chosen files run, and which test ran them, by marks put into these files as they are imported.

A module for the sandbox: standard library only, loaded by every interpreter that a suite starts. Each statement of a
chosen file gets an assignment in front of it that sets one byte of a shared map; nothing else is slowed down, while a
tracer is called for each function of each module. The map is a file that all processes of the suite share, so what a
child did that was forked, started anew or killed is there too. Code of a chosen file that comes to run in another way
(a script, ``exec``, a plugin that pytest rewrites) is traced instead. Knows nothing of tests, changes and percentages.

>>> import ast
>>> sorted(statements(ast.parse("def f(x):\\n    if x:\\n        return (\\n            x)\\n")))
[1, 2, 3]
"""

import ast
import builtins
import mmap
import os
import re
import sys
from typing import Any, Dict, Iterator, List, Set, Tuple  # noqa: UP035 - targets may run older interpreters than we do

LINES, SAW = "__karkhana_lines__", "__karkhana_saw__"
FOLDER, PLACE = "KARKHANA_LINES", "KARKHANA_LINES_MAP"
_SET = re.compile(b"\x01")


class Map:
    """Two bytes per line: run since the last test began or ended, and run before that."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "r+b") as stream:  # noqa: PTH123 - pathlib costs every interpreter some milliseconds
            self.bytes = mmap.mmap(stream.fileno(), 0)
        self.size = len(self.bytes) // 2

    def settle(self) -> bytes:
        """What ran since the last call, a byte per line."""
        now = self.bytes[: self.size]
        if 1 in now:
            known = int.from_bytes(self.bytes[self.size :], "big") | int.from_bytes(now, "big")
            self.bytes[self.size :] = known.to_bytes(self.size, "big")
            self.bytes[: self.size] = bytes(self.size)
        return now


class _State:
    """Of this process."""

    map: Map
    files: Dict[str, int]  # noqa: UP006
    """Resolved path → place of its line 0 in the map."""
    names: Set[str]  # noqa: UP006
    """Last parts of these, which nearly every other module is told from them by."""
    tracing = False


def begin() -> None:
    """Watch the files that the folder named by the environment lists."""
    folder = os.environ[FOLDER]
    with open(os.path.join(folder, "files"), "rb") as stream:  # noqa: PTH118, PTH123
        parts = stream.read().split(b"\0")
    _State.files = {os.fsdecode(path): int(at) for at, path in zip(parts[::2], parts[1::2])}  # noqa: B905 - new in 3.10
    _State.names = {os.path.basename(path) for path in _State.files}  # noqa: PTH119
    use(os.environ.get(PLACE) or os.path.join(folder, "map"))  # noqa: PTH118
    open(os.path.join(folder, "begun"), "wb").close()  # noqa: PTH118, PTH123
    loader: Any = sys.modules["_frozen_importlib_external"].SourceFileLoader
    original = loader.get_code

    def get_code(self: Any, fullname: str) -> Any:
        name = self.get_filename(fullname)
        at = place(name)
        if at < 0:
            return original(self, fullname)
        try:
            return marked(self.get_data(name), name, at)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return original(self, fullname)

    loader.get_code = get_code
    sys.addaudithook(_audit)


def begun() -> bool:
    """Whether lines are noted in this process."""
    return hasattr(_State, "map")


def use(path: str) -> None:
    """From now on the lines of this process, and of those that it starts, are noted in the map at ``path``."""
    _State.map = Map(path)
    os.environ[PLACE] = path
    setattr(builtins, LINES, _State.map.bytes)
    setattr(builtins, SAW, _State.map.bytes.__setitem__)


def separate() -> None:
    """Give this process a map of its own: it runs tests beside others that do."""
    path = os.path.join(os.environ[FOLDER], f"map-{os.getpid()}")  # noqa: PTH118
    with open(path, "wb") as stream:  # noqa: PTH123
        stream.write(bytes(2 * _State.map.size))
    use(path)


def settle() -> bytes:
    """What ran since the last call."""
    return _State.map.settle()


def numbers(ran: bytes) -> Iterator[int]:
    """Places in the map that are set."""
    return (match.start() for match in _SET.finditer(ran))


def place(name: str) -> int:
    """Where the lines of a file begin in the map; -1 for one that is not watched."""
    if os.path.basename(name) not in _State.names:  # noqa: PTH119
        return -1
    return _State.files.get(os.path.realpath(name), -1)


def marked(source: bytes, name: str, at: int) -> Any:
    """The file's code with its marks."""
    tree = ast.parse(source, name)
    if not mark(tree, at):
        # Nothing can run in it, and without any mark it would look like code that came in another way.
        tree.body.append(ast.fix_missing_locations(_mark(0, at, ast.Pass(lineno=1, col_offset=0))))
    return compile(tree, name, "exec", dont_inherit=True)


def statements(tree: ast.Module) -> Set[int]:  # noqa: UP006
    """First lines of the statements of a file that can run; adds marks to the tree."""
    left_out: Set[int] = set()  # noqa: UP006
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _named(node.test, "TYPE_CHECKING"):
            left_out.update(range(node.lineno, (node.body[-1].end_lineno or node.lineno) + 1))
        elif any(_named(one, "overload") for one in getattr(node, "decorator_list", ())):
            top = min(one.lineno for one in node.decorator_list)  # type: ignore[attr-defined]
            left_out.update(range(top, node.end_lineno + 1))  # type: ignore[attr-defined]
    return mark(tree, 0) - left_out


def _named(node: ast.expr, name: str) -> bool:
    return getattr(node, "id", "") == name or (getattr(node, "attr", "") == name and _named(node.value, "typing"))  # type: ignore[attr-defined]


def mark(tree: ast.Module, at: int) -> Set[int]:  # noqa: UP006
    """Put a mark in front of each statement; returns their first lines."""
    found: Set[int] = set()  # noqa: UP006
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, field, _block(node if field == "body" else None, block, at, found))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            found.add(node.lineno)
            if node.type is None:
                node.body.insert(0, _mark(node.lineno, at, node))
            else:
                saw = ast.Call(func=_name(SAW), args=[ast.Constant(at + node.lineno), ast.Constant(1)], keywords=[])
                node.type = ast.copy_location(ast.BoolOp(op=ast.Or(), values=[saw, node.type]), node.type)
        elif type(node).__name__ == "match_case":
            line = node.pattern.lineno  # type: ignore[attr-defined]
            found.add(line)
            node.body.insert(0, _mark(line, at, node.pattern))  # type: ignore[attr-defined]
    ast.fix_missing_locations(tree)
    return found


def _block(owner: Any, block: List[ast.stmt], at: int, found: Set[int]) -> List[ast.stmt]:  # noqa: UP006
    """The statements with their marks; documentation and imports from the future stay first."""
    body: List[ast.stmt] = []  # noqa: UP006
    waiting: List[Tuple[int, ast.stmt]] = []  # noqa: UP006
    first = True
    for number, node in enumerate(block):
        documents = number == 0 and isinstance(owner, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if documents and isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
            body.append(node)
            continue
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            body.append(node)
            continue
        lines = [*(one.lineno for one in getattr(node, "decorator_list", [])), node.lineno]
        found.update(lines)
        if first and isinstance(node, ast.ImportFrom) and node.module == "__future__":
            waiting += [(line, node) for line in lines]
            body.append(node)
            continue
        first = False
        body += [_mark(line, at, of) for line, of in waiting] + [_mark(line, at, node) for line in lines]
        waiting = []
        body.append(node)
    return body + [_mark(line, at, of) for line, of in waiting]


def _mark(line: int, at: int, near: Any) -> ast.stmt:
    number: Any = ast.Constant(at + line)
    if sys.version_info < (3, 9):  # noqa: UP036 - targets may run older interpreters than we do
        number = ast.Index(number)
    target = ast.Subscript(value=_name(LINES), slice=number, ctx=ast.Store())
    return ast.copy_location(ast.Assign(targets=[target], value=ast.Constant(1), type_comment=None), near)


def _name(word: str) -> ast.Name:
    return ast.Name(id=word, ctx=ast.Load())


def _audit(event: str, details: Tuple[Any, ...]) -> None:  # noqa: UP006
    """Code of a watched file that runs without marks is traced."""
    if _State.tracing or event not in ("exec", "cpython.run_file"):
        return
    code = details[0]
    name = code if isinstance(code, str) else getattr(code, "co_filename", "")
    if isinstance(name, str) and place(name) >= 0 and LINES not in getattr(code, "co_names", ()):
        _State.tracing = True
        _trace()


def _trace() -> None:
    import threading  # most interpreters of a suite never need it

    known: Dict[str, int] = {}  # noqa: UP006

    def call(frame: Any, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in known:
            known[name] = place(name)
        at = known[name]
        if at < 0:
            return None

        def step(frame: Any, event: str, argument: Any) -> Any:
            if event == "line":
                _State.map.bytes[at + frame.f_lineno] = 1
            return step

        return step

    sys.settrace(call)
    threading.settrace(call)
