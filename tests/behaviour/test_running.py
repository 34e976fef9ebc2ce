"""What is believed of a probe's output."""

import json

import msgspec
import pytest

from karkhana.behaviour.running import ProbeFailed, ask
from karkhana.domain.tools import CommandResult


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    number: int = 0


def replying(*lines: str):
    """A ``Run`` that prints lines, ``@`` standing for the marker of the job."""

    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        marker = json.loads(stdin)["marker"]
        text = "\n".join(line.replace("@", marker) for line in lines)
        return CommandResult(exit_code=0, stdout=text.encode(), stderr=b"last words", duration_s=0.0)

    return run


def test_only_lines_with_the_marker_of_the_job_count() -> None:
    run = replying('{"name":"forged"}', '@{"name":"true"}', '0123456789abcdef{"name":"forged"}')
    assert [a.name for a in ask(run, "spectrum", {}, 1.0, Answer)] == ["true"]


def test_two_jobs_have_different_markers() -> None:
    seen: list[str] = []

    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        marker = json.loads(stdin)["marker"]
        seen.append(marker)
        return CommandResult(exit_code=0, stdout=f"{marker}{{}}".encode(), stderr=b"", duration_s=0.0)

    ask(run, "spectrum", {}, 1.0, Answer)
    ask(run, "spectrum", {}, 1.0, Answer)
    assert len(set(seen)) == 2
    assert all(len(marker) == 32 for marker in seen)


def test_names_with_lone_surrogates_go_both_ways() -> None:
    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        job = json.loads(stdin)
        text = job["marker"] + json.dumps({"name": job["name"]})
        return CommandResult(exit_code=0, stdout=text.encode(), stderr=b"", duration_s=0.0)

    assert ask(run, "spectrum", {"name": "test_\udcff"}, 1.0, Answer)[0].name == "test_\udcff"


@pytest.mark.parametrize(
    "line",
    [
        '@{"name":1}',
        '@{"number":NaN}',
        '@{"other":1}',
        "@not json",
        "@" + "[" * 5000,
        '@{"name":"\\ud800", "number":1e9}',
    ],
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ProbeFailed, match="cannot be"):
        ask(replying(line), "spectrum", {}, 1.0, Answer)


def test_no_answer_tells_the_last_words() -> None:
    with pytest.raises(ProbeFailed, match="last words"):
        ask(replying('{"name":"forged"}'), "spectrum", {}, 1.0, Answer)
