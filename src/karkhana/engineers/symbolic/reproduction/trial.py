"""Tries scenes in the sandbox: what does each give now, and does that agree with what the ticket says?

The host sends text and reads plain data; the code of ticket and repository runs inside only.
"""

import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import msgspec

from karkhana.behaviour.running import ProbeFailed, Run
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.staging import Scene

_SCENE_S = 4.0
"""Wall-clock seconds for one scene; one that takes longer hangs."""
_TOTAL_S = 45.0


class Raised(msgspec.Struct, frozen=True):
    """An exception that a scene ended in."""

    type: str
    bases: tuple[str, ...] = ()
    module: str = ""
    message: str = ""
    frames: tuple[tuple[str, int, str], ...] = ()
    """(path, line, function) of frames inside the repository, outermost first."""


class Agreement(msgspec.Struct, frozen=True):
    """How a result agrees with one thing that was said."""

    equal: bool = False
    evaluated: bool = False
    """What was said is a Python value here."""
    alike: bool = False
    """Of the same type."""
    plain: bool = False
    close: bool = False
    repr: bool = False
    text: bool = False
    printed: bool = False
    type: str = ""
    error: str = ""

    @property
    def agrees(self) -> bool:
        return self.equal or self.close or self.repr or self.text or self.printed


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one scene."""

    stage: str
    """``done``, or where it ended: ``import``, ``setup``, ``subject``, ``late`` (no end), ``died``."""
    index: int = 0
    """Number of the setup statement that raised."""
    raised: Raised | None = None
    repr: str = ""
    type: str = ""
    iterator: bool = False
    printed: str = ""
    said: tuple[Agreement, ...] = ()


class Trial(msgspec.Struct, frozen=True):
    """A scene with the imports it needs."""

    scene: Scene
    imports: tuple[str, ...]
    paths: tuple[str, ...] = ()


def look_up(run: Run, names: Sequence[str]) -> Index:
    """Where the repository defines names. Raises ``ProbeFailed``."""
    return msgspec.convert(_ask(run, "find", {"find": list(names)}), Index)


def attempt(run: Run, trials: Iterable[Trial]) -> tuple[Outcome, ...]:
    """Run each scene in a process of its own. Raises ``ProbeFailed``."""
    scenes = [
        {
            "imports": list(trial.imports),
            "setup": list(trial.scene.setup),
            "subject": trial.scene.subject,
            "statement": trial.scene.statement,
            "said": [{"text": s.text if s.kind == "value" else "", "words": s.words} for s in trial.scene.said],
        }
        for trial in trials
    ]
    answer = _ask(run, "attempt", {"scenes": scenes, "seconds": _SCENE_S, "total": _TOTAL_S})
    return msgspec.convert(answer["outcomes"], tuple[Outcome, ...])


def _ask(run: Run, program: str, job: dict[str, Any]) -> dict[str, Any]:
    folder = resources.files("karkhana.engineers.symbolic.reproduction").joinpath("inside")
    text = folder.joinpath(f"{program}.py").read_text("utf-8")
    done = run(("python", "-c", text), json.dumps(job).encode(), _TOTAL_S + 30)
    for line in reversed(done.stdout.splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict):
            return answer
    told = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise ProbeFailed(
        f"the ticket's examples could not be tried (exit code {done.exit_code}): {told[-1] if told else 'no output'}",
        next="Run the example by hand in the repository's environment; the last line of its output is above.",
    )
