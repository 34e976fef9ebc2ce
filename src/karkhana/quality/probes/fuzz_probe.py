"""Serves the repository's application on the loopback of its sandbox and lets schemathesis ask it.

Part of a program for the sandbox; ``openapi_probe``, ``web_probe`` and ``calling_probe`` stand before it. schemathesis
runs in a process of its own, from a folder of its own: it is no dependency of the target, and the target's code never
runs in it. Without that folder the target's own schemathesis is used. Prints one line when it starts, one for each
failure, one at the end. Standard library only. Knows nothing of the program before the change.

    fuzz({"root": "/workspace", "description": {...}, "base": "/v1", "folder": "/opt/karkhana/fuzzer", ...})
"""

import base64
import http.server
import importlib.util
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from karkhana.quality.probes.calling_probe import Caller, TooSlow
from karkhana.quality.probes.openapi_probe import reason
from karkhana.quality.probes.web_probe import find_applications, prepare

MOST_FAILURES = 200
LONGEST_BODY = 100_000


def fuzz(job: Any) -> None:
    """Find the application, serve it, and print what schemathesis objects to."""
    command = fuzzer(job)
    root, answer = prepare(job)
    if not command:
        answer({"kind": "missing"})
        return
    apps, failed = find_applications(root, job["most"])
    try:
        name, app, is_asgi = apps[0]
        caller = Caller(app, is_asgi, job["seconds"])
    except (IndexError, TooSlow) as error:
        answer({"kind": "failed", "why": "; ".join(f"{k}: {v}" for k, v in failed.items()) or reason(error)})
        return
    answer({"kind": "started", "application": name})
    place = Path(tempfile.mkdtemp(prefix="karkhana-fuzz-"))
    (place / "openapi.json").write_text(json.dumps(job["description"]), "utf-8")
    server = http.server.HTTPServer(("127.0.0.1", 0), handler(caller))
    server.timeout = 0.1
    url = f"http://127.0.0.1:{server.server_port}{job['base']}"
    done = serve(server, [*command, *arguments(job, place, url)], place, job)
    for failure in itertools.islice(failures(place / "report.ndjson"), MOST_FAILURES):
        answer({"kind": "failure", **failure})
    answer({"kind": "finished", "complete": done, **told(place)})
    shutil.rmtree(str(place), ignore_errors=True)
    sys.stdout.flush()
    os._exit(0)  # threads of the application must not hold the end up


def fuzzer(job: Any) -> Any:
    """The words that start schemathesis; none when it is nowhere."""
    start = "from schemathesis.cli import schemathesis; schemathesis()"
    interpreter = shutil.which(job["interpreter"])
    if interpreter and Path(job["folder"], "schemathesis").is_dir():
        return [interpreter, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {job['folder']!r}); {start}"]
    if importlib.util.find_spec("schemathesis"):
        return [sys.executable, "-I", "-c", start]
    return []


def arguments(job: Any, place: Any, url: str) -> Any:
    return [
        *("run", str(place / "openapi.json"), "--url", url, "--workers", "1", "--no-color", "--warnings", "off"),
        *("--generation-deterministic", "--no-shrink", "--continue-on-failure", "--max-examples", str(job["examples"])),
        *("--phases", "examples,coverage,fuzzing", "--checks", ",".join(job["checks"])),
        *("--suppress-health-check", "all", "--request-timeout", str(job["seconds"] + 5)),
        *("--report", "ndjson", "--report-ndjson-path", str(place / "report.ndjson")),
    ]


def serve(server: Any, command: Any, place: Any, job: Any) -> bool:
    """Answer until schemathesis has ended or its time is up; whether it came to its end."""

    with (place / "printed.txt").open("wb") as printed:
        tool = subprocess.Popen(command, cwd=str(place), stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
        resource.prlimit(tool.pid, resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"] + 1))
        end = time.monotonic() + job["total_s"]
        while tool.poll() is None and time.monotonic() < end:
            server.handle_request()
        ended = tool.poll()
        if ended is None:
            tool.kill()
            tool.wait()
    return ended in (0, 1)


def told(place: Any) -> Any:
    """The last words of schemathesis, for the case that it never began."""
    text = (place / "printed.txt").read_text("utf-8", "replace").strip().splitlines()
    return {"printed": [line[:200] for line in text[-3:]]}


def handler(caller: Any) -> Any:
    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5
        wbufsize = -1
        disable_nagle_algorithm = True

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.respond
            raise AttributeError(name)

        def respond(self) -> None:
            length = self.headers.get("Content-Length", "0")
            body = self.rfile.read(int(length)) if length.isdecimal() else b""
            status, headers, content, _ = caller.call(self.command, self.path, list(self.headers.items()), body)
            self.send_response_only(status or 500)
            for key, value in headers:
                if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *rest: Any) -> None:
            pass

    return Handler


def failures(report: Any) -> Any:
    """Each failure of the report, with the request that showed it."""
    seen: Any = set()
    try:
        lines = report.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            recorder = json.loads(line)["ScenarioFinished"]["recorder"]
        except (ValueError, KeyError, TypeError):
            continue  # events of another kind, and a last line that was cut off
        for case, checks in recorder.get("checks", {}).items():
            request = recorder.get("interactions", {}).get(case, {}).get("request") or {}
            for check in checks:
                if check.get("status") != "failure":
                    continue
                failure = check.get("failure_info", {}).get("failure", {})
                said = {
                    "operation": recorder.get("label", ""),
                    "check": check.get("name", ""),
                    "title": failure.get("title", ""),
                    "message": failure.get("message", "")[:600],
                    "request": asked(request),
                }
                key = json.dumps([said["operation"], said["check"], said["message"], said["request"]])
                if key not in seen:
                    seen.add(key)
                    yield said


def asked(request: Any) -> Any:
    """``[method, target, headers, base64 of the body]``."""
    target = "/" + request.get("uri", "").partition("://")[2].partition("/")[2]
    headers = [[key, value] for key, values in request.get("headers", {}).items() for value in values]
    body = request.get("body") or ""
    if isinstance(body, dict):
        body = body.get("$base64") or body.get("base64") or ""
    else:
        body = base64.b64encode(str(body).encode("utf-8", "surrogateescape")).decode()
    return [request.get("method", "GET"), target, headers, body if len(body) < LONGEST_BODY else ""]
