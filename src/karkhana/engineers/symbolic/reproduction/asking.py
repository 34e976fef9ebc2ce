"""What to say when a ticket gives no test: the reason, and the one question that would help most. Runs nothing."""

from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.hands import Abstention
from karkhana.engineers.symbolic.reproduction.claims import Judgement
from karkhana.engineers.symbolic.reproduction.hopeless import Kind
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.staging import Scene
from karkhana.engineers.symbolic.reproduction.ticket import blocks
from karkhana.engineers.symbolic.reproduction.traces import read as read_trace


class Findings(msgspec.Struct, kw_only=True):
    """What was learned from a ticket's examples."""

    scenes: tuple[Scene, ...] = ()
    refused: list[str] = []
    unknown: list[str] = []
    judgement: Judgement = Judgement()
    index: Index = Index()
    rejected: list[str] = []
    """Why tests that were written did not do."""


class Route(msgspec.Struct, frozen=True):
    """The way of a traceback through the repository."""

    exception: str
    function: str = ""
    """Where it enters; empty when no frame is in the repository."""
    path: str = ""


def route_of(text: str, paths: Sequence[str]) -> Route | None:
    """The way of the ticket's last traceback. ``paths``: the repository's Python files."""
    traces = [trace for block in blocks(text) if (trace := read_trace(block.text)) is not None and trace.frames]
    if not traces:
        return None
    trace = traces[-1]
    for frame in trace.frames:
        shown = "/" + frame.path.replace("\\", "/")
        path = next((p for p in paths if shown.endswith("/" + p.removeprefix("src/"))), "")
        if path:
            return Route(trace.exception, frame.function, path)
    return Route(trace.exception)


def _without_call(route: Route) -> Abstention:
    if not route.function:
        return Abstention(
            "no test fails, and no frame of the ticket's traceback is in this repository",
            "Is the ticket meant for another project? If not: which call into this repository raises "
            f"{route.exception}?",
        )
    return Abstention(
        f"no test fails, and the traceback does not show with what `{route.function}` ({route.path}) was called",
        f"Which call ends in {route.exception} there? One with its arguments, that runs as it stands, is enough.",
    )


def abstention(findings: Findings, kind: Kind | None, route: Route | None = None) -> Abstention:
    """Why no test was written, and the one question that would help most."""
    judgement = findings.judgement
    if kind is not None and not judgement.agreeing and not findings.rejected:
        return Abstention(
            f"the ticket asks for {kind.name}, and no test fails that would show when it is done", kind.next
        )
    if judgement.agreeing and not findings.rejected:
        return Abstention(
            f"what the ticket asks for is so already: {'; '.join(judgement.agreeing[:3])}",
            "Which call still goes wrong, and in which version? If this is settled, close the ticket.",
        )
    if findings.rejected:
        return Abstention(
            f"the ticket's example could not be made into a test: {findings.rejected[0]}",
            "Which call gives a wrong result in a fresh process, and what should it give?",
        )
    unknown = list(dict.fromkeys(findings.unknown))
    if route is not None and not judgement.silent and not judgement.broken:
        return _without_call(route)
    if unknown:
        listed = ", ".join(f"`{name}`" for name in unknown[:4])
        return Abstention(
            f"no test fails, and the ticket's example uses {listed}, which nothing in this repository defines",
            f"Where does {listed} come from? An example that runs as it stands, with its imports, would show the bug.",
        )
    if judgement.broken:
        return Abstention(
            f"no test fails, and the ticket's example cannot be run: {judgement.broken[0]}", "Which import is meant?"
        )
    if judgement.silent:
        return Abstention(
            f"no test fails, and the ticket does not say what its example should give; {judgement.silent[0]} now",
            f"What should {judgement.silent[0].split('` ')[0]}` give instead?",
        )
    if findings.refused:
        return Abstention(
            f"no test fails, and the ticket's example is not made into a test: {findings.refused[0]}",
            "Which call into this repository alone shows it, without files, processes or the network?",
        )
    return Abstention(
        "no test fails, and the ticket shows no call with its result, so there is nothing to check",
        "Which call goes wrong, what does it give, and what should it give? A failing test would do as well.",
    )
