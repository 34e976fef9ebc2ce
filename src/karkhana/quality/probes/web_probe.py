"""Finds the web applications of a repository that can be called in process, without a server or a network.

Part of a program for the sandbox, run with the target's interpreter; ``openapi_probe`` stands before it in the same
program. It works on a copy of the repository, so that what an application writes stays out of the next run. It knows
applications of FastAPI, Starlette, Quart, Flask, Falcon, Bottle, Pyramid and Django, and plain ASGI and WSGI callables.
Standard library only. What it finds is as untrustworthy as the code that it ran. Knows nothing of requests.

    root, answer = prepare({"root": "/workspace", "marker": "5f1c…"})
    applications, failed = find_applications(root, 8)
"""

import contextlib
import importlib
import inspect
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from karkhana.quality.probes.openapi_probe import candidates, module_name, reason

WEB_SIGNS = re.compile(
    r"\b(?:FastAPI|OpenAPI|Starlette|Quart|Flask|Bottle)\s*\(|\bfalcon\.(?:asgi\.)?A(?:pp|PI)\s*\(|make_wsgi_app\s*\("
    r"|def \w+\(\s*environ\b[^,]*,\s*start_response\b|async def \w+\(\s*scope\b[^,]*,\s*receive\b[^,]*,\s*send\b"
    r"|get_[aw]sgi_application\s*\("
)
ASGI = {"starlette.Starlette", "quart.Quart", "fastapi.FastAPI"}
WSGI = {"flask.Flask", "falcon.App", "falcon.API", "bottle.Bottle", "pyramid.Router", "django.WSGIHandler"}
MAKERS = ("create_app", "make_app", "build_app", "get_app", "get_application")
LITTER = shutil.ignore_patterns(".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache")


def prepare(job: Any) -> Any:
    """Copy the repository, go there, and silence what is printed; the place, and a function that answers."""
    marker = job.pop("marker")
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    logging.raiseExceptions = False
    home = Path(tempfile.mkdtemp(prefix="karkhana-web-"))
    place = home / "copy"
    shutil.copytree(job["root"], str(place), symlinks=True, ignore=LITTER)
    sys.path[:0] = [str(p) for p in (place, place / "src") if p.is_dir()]
    os.chdir(str(place))

    def answer(said: Any) -> None:
        data = ("\n" + marker + json.dumps(said, default=str) + "\n").encode()
        while data:
            data = data[os.write(answers, data) :]

    return place, answer


def find_applications(root: Any, most: Any) -> Any:
    """``(applications, failed)``: (name, application, whether it is ASGI), those with most routes first."""
    found: Any = []
    failed: Any = {}
    for path, text in candidates(root, most, WEB_SIGNS):
        name = module_name(root, path)
        if "get_wsgi_application" in text or "get_asgi_application" in text:
            set_django(root)
        try:
            module = importlib.import_module(name)
            found += applications_of(name, module)
        except BaseException as error:  # whatever the target's code raises, also SystemExit, is told
            failed[name] = reason(error)
    unique = list({id(app): (name, app, is_asgi) for name, app, is_asgi in reversed(found)}.values())
    return sorted(unique, key=lambda each: (-routes_of(each[1]), each[0])), failed


def set_django(root: Any) -> None:
    """What ``manage.py`` would set before Django starts."""
    for manage in (root / "manage.py", root / "src" / "manage.py"):
        if manage.is_file():
            match = re.search(r"DJANGO_SETTINGS_MODULE[\"'],\s*[\"']([\w.]+)", manage.read_text("utf-8", "replace"))
            if match:
                os.environ.setdefault("DJANGO_SETTINGS_MODULE", match.group(1))


def applications_of(name: Any, module: Any) -> Any:
    found = [
        (name + ":" + key, value, kind == "asgi")
        for key, value in list(vars(module).items())
        for kind in [kind_of(value, name)]
        if kind
    ]
    for key in () if found else MAKERS:
        make = getattr(module, key, None)
        if callable(make) and getattr(make, "__module__", "") == name:
            value = make()
            kind = kind_of(value, name)
            if kind:
                found.append((name + ":" + key, value, kind == "asgi"))
    return found


def kind_of(value: Any, module: Any) -> Any:
    """``asgi``, ``wsgi`` or nothing."""
    for base in type(value).__mro__:
        title = base.__module__.split(".")[0] + "." + base.__name__
        if title in ASGI or (title == "falcon.App" and ".asgi" in base.__module__):
            return "asgi"
        if title in WSGI:
            return "wsgi"
    if inspect.isfunction(value) and value.__module__ == module:
        taken = [p.lstrip("_") for p in inspect.signature(value).parameters]
        if taken == ["scope", "receive", "send"]:
            return "asgi"
        if taken == ["environ", "start_response"]:
            return "wsgi"
    return ""


def routes_of(app: Any) -> int:
    with contextlib.suppress(Exception):
        rules = app.url_map.iter_rules() if hasattr(app, "url_map") else getattr(app, "routes", ())
        return len(list(rules))
    return 0
