"""What is written to the log: as JSON and as text, redacted, with what is bound; and the names that it has."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import karkhana
from karkhana.domain import events as ev
from karkhana.domain.policy import Decision, Verdict
from karkhana.domain.settings import LogSettings
from karkhana.domain.tasks import Status
from karkhana.factory.logs import RunLog, configure
from karkhana.storage.redaction import Redactor

SECRET = "tok-correct-horse-battery"
SOURCE = Path(karkhana.__file__).parent
DOCUMENT = SOURCE.parents[1] / "docs" / "operations.md"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield io.StringIO()
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def start(stream: io.StringIO, **settings: Any) -> None:
    configure(LogSettings(**settings), Redactor({"SHOP_TOKEN": SECRET}), stream)


def test_a_line_is_one_object_with_time_level_name_and_what_is_bound(stream: io.StringIO) -> None:
    start(stream, format="json")
    with structlog.contextvars.bound_contextvars(request="r-1"):
        structlog.get_logger("karkhana.web").info("delivery.read", door="forge", text="two\nlines")
        logging.getLogger("karkhana.worker").warning("heartbeat failed: %s", "away")
    structlog.get_logger("karkhana.web").debug("too.fine")
    first, second = lines(stream)
    assert first.pop("timestamp").endswith("Z")
    expected = {"event": "delivery.read", "door": "forge", "text": "two\nlines", "request": "r-1", "level": "info"}
    assert first == {**expected, "logger": "karkhana.web"}
    assert (second["event"], second["level"], second["request"]) == ("heartbeat failed: away", "warning", "r-1")


def test_no_secret_leaves_by_any_way(stream: io.StringIO) -> None:
    start(stream, format="json", level="debug")
    log = structlog.get_logger("karkhana")
    log.info(f"event {SECRET}", text=SECRET, nested={"a": [SECRET]}, error=ValueError(SECRET))
    logging.getLogger("library").error("said %s", SECRET)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("it.failed")
        logging.getLogger("library").exception("too")
    log.warning("key", value="AKIA" + "Q4ZX7TRVB2MWJ5NK")
    assert SECRET not in stream.getvalue()
    assert "Q4ZX7TRVB2MWJ5NK" not in stream.getvalue()
    found = lines(stream)
    assert len(found) == 5
    assert "RuntimeError" in found[2]["exception"]


def test_text_is_one_line_that_cannot_drive_a_terminal(stream: io.StringIO) -> None:
    start(stream)
    log = structlog.get_logger("karkhana.web")
    log.info("not.told")
    log.warning("answer.unsent", door="forge", said='no "way"\n2026 error forged \x1b[2J')
    (line,) = stream.getvalue().splitlines()
    assert line.split(maxsplit=1)[1] == (
        'warning  answer.unsent door=forge said="no \\"way\\"\\x0a2026 error forged \\x1b[2J"'
    )


def test_it_can_be_configured_again(stream: io.StringIO) -> None:
    start(stream, format="json")
    start(stream, format="json", level="error")
    structlog.get_logger("x").warning("not.told")
    structlog.get_logger("x").error("told.once")
    assert [line["event"] for line in lines(stream)] == ["told.once"]


def test_a_runs_lines_name_it_and_say_nothing_that_anybody_wrote(stream: io.StringIO) -> None:
    start(stream, format="json")
    log = RunLog()
    with log.run("run_1", "BUILD-1") as seen:
        seen.event(ev.StatusChanged(status=Status.BUILDING, worker="w"))
        seen.event(ev.Noted(text="the model wrote this"))
        with seen.step("decide"):
            seen.event(
                ev.DecisionMade(decision=Decision(verdict=Verdict.REVIEW, needs_approval=True, reason="long words"))
            )
    structlog.get_logger("karkhana").info("outside")
    found = lines(stream)
    assert [line["event"] for line in found] == ["run.begun", "run.status", "decision.made", "run.left", "outside"]
    assert [line.get("run") for line in found] == ["run_1"] * 4 + [None]
    assert [line.get("task") for line in found] == ["BUILD-1"] * 4 + [None]
    assert found[2]["step"] == "decide"
    assert "wrote" not in stream.getvalue()
    assert "long words" not in stream.getvalue()


def logged_names() -> set[str]:
    """The first word of every call of a module's own ``_log`` that has named fields, as structlog's have."""
    names = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        if "structlog.get_logger" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                owner, first = ast.unparse(node.func.value), node.args[0]
                if owner.endswith("_log") and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    names.add(first.value)
    return names


def test_every_name_is_stable_and_documented() -> None:
    document = DOCUMENT.read_text()
    names = logged_names()
    assert "delivery.read" in names
    assert {name for name in names if f"`{name}`" not in document} == set()
