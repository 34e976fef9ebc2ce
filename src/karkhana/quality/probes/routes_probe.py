"""Tells of each route of an application which functions of the repository its handler may reach.

Part of a program for the sandbox; ``openapi_probe`` and ``web_probe`` stand before it. The way goes by names: what a
function mentions, its closure, its defaults (dependencies of FastAPI), its annotations and the methods of classes. It
knows routes of Starlette, FastAPI and Flask. Standard library only. Knows nothing of the change.

    look({"root": "/workspace", "most": 8, "marker": "5f1c…"})
"""

import inspect
import re
import sys
import types
from typing import Any

from karkhana.quality.probes.openapi_probe import describe_object
from karkhana.quality.probes.web_probe import find_applications, prepare

MOST_REACHED = 3000


def look(job: Any) -> None:
    """Print one line: the application, its own description, and its routes."""
    root, answer = prepare(job)
    apps, failed = find_applications(root, job["most"])
    if not apps:
        answer({"application": "", "failed": failed})
        return
    name, app, _ = apps[0]
    found: Any = {}
    describe_object(name, app, found, failed)
    routes = [
        [method, path, [list(place) for place in sorted(reached(handler, str(root)))]]
        for methods, path, handler in handlers(app, "")
        for method in sorted(methods)
    ]
    answer({"application": name, "failed": failed, "description": found.get(name), "routes": routes[:1000]})


def handlers(app: Any, prefix: Any) -> Any:
    """``(methods, path, handler)`` of every route; paths as OpenAPI writes them."""
    if hasattr(app, "url_map") and hasattr(app, "view_functions"):
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<(?:[^<>:]*:)?([^<>]*)>", r"{\1}", str(rule))
            handler = app.view_functions.get(rule.endpoint)
            if handler is not None:
                yield set(rule.methods or ()) - {"HEAD", "OPTIONS"}, path, handler
        return
    for route in list(getattr(app, "routes", None) or ()):
        path = prefix + re.sub(r"\{(\w+):\w+\}", r"{\1}", getattr(route, "path", ""))
        if getattr(route, "endpoint", None) is not None:
            methods = getattr(route, "methods", None) or {"GET", "POST", "PUT", "PATCH", "DELETE"}
            yield set(methods) - {"HEAD", "OPTIONS"}, path, route.endpoint
        elif getattr(route, "routes", None):
            yield from handlers(route, path)


def reached(handler: Any, root: str) -> Any:
    """``(path, line of its beginning)`` of functions; line 0 for a class or module of which only data is used."""
    found: Any = set()
    seen: Any = set()
    waiting = [handler]
    while waiting and len(seen) < MOST_REACHED:
        one = waiting.pop()
        if not isinstance(one, type):
            one = inspect.unwrap(getattr(one, "__func__", getattr(one, "func", one)))
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, type):
            waiting += of_class(one, root, found)
        elif isinstance(one, types.FunctionType):
            path = one.__code__.co_filename
            if path.startswith(root + "/"):
                found.add((path[len(root) + 1 :], one.__code__.co_firstlineno))
                waiting += mentioned(one)
        elif callable(one) and not isinstance(one, types.BuiltinFunctionType):
            waiting += [type(one)]
    return found


def of_class(one: Any, root: str, found: Any) -> Any:
    path = getattr(sys.modules.get(one.__module__), "__file__", None) or ""
    if not path.startswith(root + "/"):
        return []
    found.add((path[len(root) + 1 :], 0))
    inside = [getattr(v, "__func__", getattr(v, "fget", v)) for v in vars(one).values()]
    notes = list(getattr(one, "__annotations__", {}).values())
    return [v for v in inside if isinstance(v, types.FunctionType)] + list(one.__bases__) + classes(notes)


def mentioned(function: Any) -> Any:
    """Functions and classes that a function may use."""
    names: Any = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    known = function.__globals__
    values = [known[n] for n in names if n in known]
    values += [getattr(v, n, None) for v in values if isinstance(v, types.ModuleType) for n in names]
    values += [cell.cell_contents for cell in function.__closure__ or () if has_content(cell)]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    values += [getattr(v, "dependency", v) for v in defaults]
    values += classes(list(getattr(function, "__annotations__", {}).values()))
    return [v for v in values if isinstance(v, (type, types.FunctionType, types.MethodType))] + [
        type(v) for v in values if not isinstance(v, (type, types.ModuleType)) and not callable(v) and v is not None
    ]


def classes(notes: Any) -> Any:
    """The classes in annotations, also in ``list[Item]`` and ``Annotated[..., Depends(f)]``."""
    found: Any = []
    waiting = list(notes)
    while waiting:
        note = waiting.pop()
        if isinstance(note, type):
            found.append(note)
        waiting += [a for a in getattr(note, "__args__", ()) if not isinstance(a, str)]
        for extra in getattr(note, "__metadata__", ()):
            found.append(getattr(extra, "dependency", None))
    return [v for v in found if isinstance(v, (type, types.FunctionType))]


def has_content(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
