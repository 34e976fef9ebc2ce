"""Finds the web applications of a repository and lets each write its OpenAPI description.

A program for the sandbox: it imports the target's code, with the target's interpreter, read from standard input. It
knows FastAPI, flask-openapi3, apispec, flasgger and Django with drf-spectacular, and prints one JSON object:
descriptions by name, and why others could not be had. What it prints is as untrustworthy as the code that it ran.
Standard library only. Knows nothing of the factory.

    main({"root": "/workspace", "most": 8})
"""

import contextlib
import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

SKIPPED = {"tests", "test", "node_modules", "site-packages", "docs", "examples", "build", "dist", "migrations"}
SIGNS = re.compile(r"\b(?:FastAPI|OpenAPI|APISpec|Swagger)\s*\(|drf_spectacular")
HINTS = (
    "FastAPI", "OpenAPI", "APISpec", "Swagger", "drf_spectacular", "Starlette", "Quart", "Flask", "Bottle", "falcon",
    "make_wsgi_app", "start_response", "receive", "sgi_application",
)  # fmt: skip
"""One of them is in everything that a pattern of signs finds, and is found sooner."""
FACTORIES = ("create_app", "make_app", "build_app", "get_app")
LARGEST = 400_000


def main(job: Any) -> None:
    """Print what was found, behind a mark, since applications print as well."""
    root = Path(job["root"])
    sys.path[:0] = [str(p) for p in (root, root / "src") if p.is_dir()]
    os.chdir(root)
    found: Any = {}
    failed: Any = {}
    with (
        Path(os.devnull).open("w") as silence,
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
    ):
        files = candidates(root, job["most"])
        django = any(text.find("drf_spectacular") >= 0 for _, text in files)
        for path, text in files:
            if SIGNS.search(text.replace("drf_spectacular", "")):
                describe_module(module_name(root, path), found, failed)
        if django:
            describe_django(root, found, failed)
    sys.stdout.write("\n@@karkhana@@" + json.dumps({"descriptions": found, "failed": failed}, default=str))


def candidates(root: Any, most: Any, signs: Any = SIGNS) -> Any:
    """Python files that seem to make an application, and their text."""
    files: Any = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith((".", "_")))
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".py") and not name.startswith("test_") and path.stat().st_size < LARGEST:
                text = path.read_text("utf-8", "replace")
                if any(hint in text for hint in HINTS) and signs.search(text):
                    files.append((path, text))
        if len(files) >= most:
            break
    return files[:most]


def module_name(root: Any, path: Any) -> str:
    """How the file is imported, from the root or from ``src``."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[0] == "src":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def describe_module(name: Any, found: Any, failed: Any) -> None:
    # whatever the target's code raises, also SystemExit, is the reason why there is no description
    try:
        module = importlib.import_module(name)
    # Whatever the target's code raises, SystemExit included, is told and ends nothing.
    except BaseException as error:
        failed[name] = reason(error)
        return
    objects = {key: value for key, value in vars(module).items() if not key.startswith("__")}
    seen = 0
    for key, value in objects.items():
        if getattr(type(value), "__module__", "").split(".")[0] in FRAMEWORKS:
            seen += describe_object(name + ":" + key, value, found, failed)
    for key in FACTORIES:
        if not seen and callable(objects.get(key)) and getattr(objects[key], "__module__", "") == name:
            try:
                describe_object(name + ":" + key, objects[key](), found, failed)
            # Whatever the target's code raises, SystemExit included, is told and ends nothing.
            except BaseException as error:
                failed[name + ":" + key] = reason(error)


def describe_object(name: Any, value: Any, found: Any, failed: Any) -> int:
    """1 when ``value`` is an application of a known kind."""
    for base in type(value).__mro__:
        describe = KINDS.get(base.__module__.split(".")[0] + "." + base.__name__)
        if describe is not None:
            try:
                description = describe(value)
            # Whatever the target's code raises, SystemExit included, is told and ends nothing.
            except BaseException as error:
                failed[name] = reason(error)
                return 1
            if description:
                found[name] = description
                return 1
    return 0


def by_flask(app: Any) -> Any:
    """flasgger serves the description itself; apispec's is an object of its own."""
    if "swagger" not in getattr(app, "extensions", {}) and not hasattr(app, "swag"):
        return None
    routes = [str(rule) for rule in app.url_map.iter_rules() if str(rule).endswith(".json") and "apispec" in str(rule)]
    return app.test_client().get(routes[0]).get_json() if routes else None


FRAMEWORKS = {"fastapi", "flask_openapi3", "apispec", "flask", "flasgger"}
KINDS: Any = {
    "fastapi.FastAPI": lambda app: app.openapi(),
    "flask_openapi3.OpenAPI": lambda app: app.api_doc,
    "apispec.APISpec": lambda spec: spec.to_dict(),
    "flask.Flask": by_flask,
}


def describe_django(root: Any, found: Any, failed: Any) -> None:
    settings = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    for manage in () if settings else (root / "manage.py", root / "src" / "manage.py"):
        if manage.is_file():
            match = re.search(
                r"DJANGO_SETTINGS_MODULE[\"'],\s*[\"']([\w.]+)[\"']", manage.read_text("utf-8", "replace")
            )
            settings = match.group(1) if match else settings
    if not settings:
        failed["django"] = "no settings module is known"
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    try:
        importlib.import_module("django").setup()
        generators = importlib.import_module("drf_spectacular.generators")
        description = generators.SchemaGenerator().get_schema(request=None, public=True)
        found["django"] = json.loads(json.dumps(description, default=str))
    # Whatever the target's code raises, SystemExit included, is told and ends nothing.
    except BaseException as error:
        failed["django"] = reason(error)


def reason(error: Any) -> str:
    """One line."""
    text = str(error).splitlines()
    return type(error).__name__ + (": " + text[0][:200] if text else "")
