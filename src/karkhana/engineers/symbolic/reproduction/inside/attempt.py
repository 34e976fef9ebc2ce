"""Runs inside the sandbox with the target's interpreter: tries examples, each in a child of its own.

``python -c THIS < job.json`` prints one JSON object. Standard library only. Each example has a time limit, so that
whatever it does ends with it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import os
import select
import signal
import sys
import time
from typing import Any

TEXT_MAX = 2000
ROOTS = ("src", "lib", "python")


def short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # whatever a repr of the target raises
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def failure(error: BaseException) -> dict[str, Any]:
    frames: list[Any] = []
    trace = error.__traceback__
    root = os.getcwd() + os.sep
    while trace is not None and len(frames) < 60:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(root):
            frames.append([path[len(root) :], trace.tb_lineno, trace.tb_frame.f_code.co_name])
        trace = trace.tb_next
    try:
        message = str(error)[:TEXT_MAX]
    except Exception:  # whatever a str of the target raises
        message = ""
    return {
        "type": type(error).__name__,
        "bases": [kind.__name__ for kind in type(error).__mro__],
        "module": type(error).__module__,
        "message": message,
        "frames": frames,
    }


def same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other) and (isinstance(one, bool) == isinstance(other, bool))
    except Exception:  # whatever a comparison of the target raises
        return False


def plain(value: Any) -> tuple[Any, bool]:
    """The items of an iterator, so that it can be compared."""
    if hasattr(value, "__next__") and hasattr(value, "__iter__"):
        return list(itertools.islice(value, 1000)), True
    return value, False


def squeezed(text: str) -> str:
    return " ".join(text.split())


def compared(
    value: Any, said: dict[str, Any], names: dict[str, Any], printed: str, was_iterator: bool
) -> dict[str, Any]:
    """How a result agrees with one that was told."""
    answer: dict[str, Any] = {"equal": False, "evaluated": False, "repr": False, "text": False, "printed": False}
    if said["text"]:
        try:
            other = eval(said["text"], dict(names))
            if not isinstance(value, type(other)) and hasattr(other, "__next__"):
                other, _ = plain(other)
            answer["evaluated"] = True
            answer["type"] = type(other).__name__
            answer["plain"] = isinstance(
                other, (int, float, str, bytes, bool, list, tuple, dict, set, frozenset, type(None))
            )
            answer["equal"] = same(value, other)
            numbers = isinstance(value, (int, float)) and isinstance(other, (int, float))
            # True is a number, but nobody who gets True expects 3.
            answer["alike"] = type(value) is type(other) or (numbers and not {type(value), type(other)} & {bool})
            if isinstance(value, tuple) and isinstance(other, list) and was_iterator:
                answer["equal"] = list(value) == other
            if isinstance(value, float) and isinstance(other, float):
                answer["close"] = math.isclose(value, other, rel_tol=1e-12)
        except Exception as error:  # what the ticket wrote may be no value here
            answer["error"] = f"{type(error).__name__}: {error}"[:300]
    words = said["words"].strip()
    if words:
        answer["repr"] = squeezed(short(value)) == squeezed(words)
        try:
            answer["text"] = str(value).strip() == words
        except Exception:  # whatever a str of the target raises
            answer["text"] = False
        answer["printed"] = bool(printed) and squeezed(printed) == squeezed(words)
    return answer


def carry_out(scene: dict[str, Any], tell: dict[str, Any]) -> None:
    names: dict[str, Any] = {"__name__": "ticket"}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        stage, index = "import", 0
        try:
            for line in scene["imports"]:
                exec(line, names)
            stage = "setup"
            for number, line in enumerate(scene["setup"]):
                index = number
                exec(compile(line, "<ticket>", "exec"), names)
            stage = "subject"
            before = out.tell()
            if scene["statement"]:
                exec(compile(scene["subject"], "<ticket>", "exec"), names)
                value: Any = None
            else:
                value = eval(compile(scene["subject"], "<ticket>", "eval"), names)
            tell["iterator"] = hasattr(value, "__next__")
            value, iterator = plain(value)
        except BaseException as error:  # the point is to see what is raised
            tell.update(stage=stage, index=index, raised=failure(error), printed=out.getvalue()[-TEXT_MAX:])
            return
        printed = out.getvalue()[before:]
        tell.update(
            stage="done", iterator=iterator, repr=short(value), type=type(value).__name__, printed=printed[:TEXT_MAX]
        )
        tell["said"] = [compared(value, said, names, printed, iterator) for said in scene["said"]]


def attempt(scene: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One example in a child of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        tell: dict[str, Any] = {}
        try:
            os.close(read)
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            carry_out(scene, tell)
            data = json.dumps(tell).encode()
            while data:
                data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    data, deadline = b"", time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([read], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(read)
            return {"stage": "late"}
        part = os.read(read, 1 << 16)
        if not part:
            break
        data += part
    os.close(read)
    os.waitpid(pid, 0)
    try:
        answer: dict[str, Any] = json.loads(data)
        return answer
    except ValueError:
        return {"stage": "died"}


def main() -> None:
    job = json.load(sys.stdin)
    for folder in (*ROOTS, "."):
        place = os.path.abspath(folder)
        if os.path.isdir(place) and place not in sys.path:
            sys.path.append(place)
    sys.path[:] = [entry or os.getcwd() for entry in sys.path]
    deadline = time.monotonic() + job["total"]
    outcomes = [
        attempt(scene, job["seconds"]) if time.monotonic() < deadline else {"stage": "late"} for scene in job["scenes"]
    ]
    print(json.dumps({"outcomes": outcomes}))


main()
