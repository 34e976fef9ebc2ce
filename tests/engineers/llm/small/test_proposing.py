"""Asking a model for rewrites: order, bounds and trail, and two engineers that do so, end to end."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
import pytest

from karkhana.behaviour.spectra import Failure, Frame, FunctionPlace
from karkhana.domain.chat import ChatAnswer, ChatRequest, StopReason, Text
from karkhana.domain.errors import ConfigurationError, ModelUnavailable, PromptTooLong
from karkhana.domain.events import AnyEvent, CandidatesCompared, HypothesisTried, ModelAnswered, Noted
from karkhana.domain.money import usd
from karkhana.domain.strategies import Strategy, StrategyLimits
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import RunTests
from karkhana.engineers.llm.scripted import ScriptedModel, text
from karkhana.engineers.llm.small import HybridEngineer, SmallModelEngineer
from karkhana.engineers.llm.small.gaps import Gap
from karkhana.engineers.llm.small.passages import passage_around, passage_of
from karkhana.engineers.llm.small.proposing import Limits, ModelProposals, Question, rounds
from karkhana.engineers.llm.small.telling import gap_question, question
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.proposals import Case, Passing, Told
from karkhana.ports import Assignment, Engineer, Handover
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

COMMAND = ("python", "-m", "pytest", "-q")
TEXT = "def f(a):\n    b = a - 1\n    return b\n"
TEST = "@pytest.mark.x\ndef test_f(a):\n    '''One.'''\n    assert f(a) == 2\n"


class ListTrail:
    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    def answers(self) -> list[ModelAnswered]:
        return [event for event in self.events if isinstance(event, ModelAnswered)]


def case(*scores: float, seconds: float = 100.0) -> Case:
    where = FunctionPlace(name="f", top=1, start=1, end=3)
    suspects = [
        Suspect(path=f"m{n}.py", place=where, score=score, lines={2: 1.0, 3: 0.5}, failing=(7,), passing=())
        for n, score in enumerate(scores)
    ]
    frames = (
        Frame(path="t.py", line=4, function="test_f", locals={"a": ("int", "1"), "g": ("function", "g")}),
        Frame(path="m0.py", line=2, function="f", locals={"a": ("int", "1"), "o": ("Node", "<Node at 0x7f01>")}),
    )
    failure = Failure(type="TypeError", bases=("Exception",), message="no <Node at 0x7fab>", frames=frames)
    return Case(
        places=tuple(Place(suspect=s, text=TEXT, file_text=TEXT) for s in suspects),
        tests=(Told(name="t.py::test_f", source=TEST, line=1, failure=failure),),
        numbers=(7,),
        ticket="f is\n wrong",
        seconds_left=lambda: seconds,
    )


def asked(model: ScriptedModel, one: Case, limits: Limits | None = None, *, required: bool = True) -> ListTrail:
    trail = ListTrail()
    for _ in ModelProposals(model, trail, limits, required=required).rewrites(one):
        pass
    return trail


def instructions(request: ChatRequest) -> str:
    return "".join(part.text for part in request.messages[0].parts if isinstance(part, Text))


# -- what is asked


def test_without_a_strategy_the_instructions_are_as_they_are() -> None:
    model = ScriptedModel([text("")])
    asked(model, case(1.0), Limits(answers=2))
    assert {"Past work" in instructions(request) for request in model.requests} == {False}


def test_a_question_tells_the_code_the_test_and_the_values_and_nothing_that_changes_from_run_to_run() -> None:
    one = case(1.0)
    told = question(one, passage_of(one.places[0]), hint=0, one_line=True)
    assert "def f(a):\n    b = a - 1\n    return b" in told
    assert "def test_f(a):\n    '''One.'''\n    assert f(a) == 2" in told
    assert "@pytest" not in told
    assert "With a = 1: TypeError: no <Node>. There a = 1." in told
    assert "The report says: f is wrong" in told
    assert "The bug may be in the line `b = a - 1`." in told
    assert "0x" not in told


def test_questions_about_one_place_begin_alike() -> None:
    one = case(1.0)
    passage = passage_of(one.places[0])
    line, whole = question(one, passage, one_line=True), question(one, passage)
    assert line != whole
    assert line.rpartition("\n")[0] == whole.rpartition("\n")[0]


def test_likely_places_are_asked_about_first_and_greedily() -> None:
    order = [each for some in rounds(case(1.0, 0.8, 0.1), Limits()) for each in some]
    greedy = [q for q in order if not q.temperature]
    assert greedy[0] == Question(place=0, one_line=False)
    # The likeliest line of each place, then the second ones.
    assert [(q.place, q.gap) for q in greedy[1:]] == [(n, Gap(k, k + 1, "    ")) for k in (1, 2) for n in (0, 1)]
    assert len(set(order)) == len(order)
    assert {q.place for q in order} == {0, 1}
    assert list(rounds(case(), Limits())) == []


def test_where_something_passes_the_model_is_asked_first_what_it_would_write() -> None:
    changed = ("def f(a):\n    b = a + 1\n    return b\n", "def f(a):\n    b = a - 1\n    b += 2\n    return b\n")
    one = msgspec.structs.replace(case(1.0), passing=tuple(Passing(place=0, text=text) for text in (*changed, TEXT)))
    plain, first = list(rounds(one, Limits()))[:2]
    assert [q.gap for q in first] == [q.gap for q in plain] == [Gap(1, 2, "    "), Gap(2, 2, "    ")]
    assert "def test_f" not in gap_question(one, passage_around(one.places[0], 1), Gap(1, 2, "    "), plain=True)
    told = [gap_question(one, passage_around(one.places[0], q.gap.start), q.gap) for q in first if q.gap]
    assert "def f(a):\n    <MISSING>\n    return b\n```" in told[0]
    assert "def f(a):\n    b = a - 1\n    <MISSING>\n    return b\n```" in told[1]
    assert "assert f(a) == 2" in told[0]
    assert told[0].partition("<MISSING>")[0].rpartition("\n")[0] in told[1]


def test_an_answer_is_in_the_trail_with_its_price() -> None:
    model = ScriptedModel([text("b = a + 1")], cost=usd("0.25"))
    trail = asked(model, case(1.0), Limits(answers=3))
    assert [(a.turn, a.purpose, a.cost_usd, a.place) for a in trail.answers()] == [
        (n, "propose", "0.25", "scripted/scripted") for n in (1, 2, 3)
    ]
    assert all(r.max_tokens is not None and r.max_tokens <= 360 for r in model.requests)
    assert not any(r.tools for r in model.requests)


@pytest.mark.parametrize(
    ("limits", "seconds", "count"),
    [
        (Limits(answers=2), 100.0, 2),
        (Limits(usd=usd("0.5")), 100.0, 2),
        (Limits(), 0.0, 0),
    ],
)
def test_it_is_asked_as_often_as_the_bounds_allow(limits: Limits, seconds: float, count: int) -> None:
    model = ScriptedModel([text("b = a + 1")], cost=usd("0.25"))
    assert len(asked(model, case(1.0, seconds=seconds), limits).answers()) == count


def test_an_answer_that_was_cut_off_is_not_used() -> None:
    def some(request: ChatRequest) -> ChatAnswer:
        return ChatAnswer(model="m", parts=(Text(text="return b + 1"),), stop=StopReason.LENGTH)

    proposals = ModelProposals(ScriptedModel([some]), ListTrail(), Limits(answers=4))
    assert list(proposals.rewrites(case(1.0))) == []


def test_a_model_that_is_away_ends_the_work_only_when_it_is_needed() -> None:
    with pytest.raises(ModelUnavailable):
        asked(ScriptedModel([ModelUnavailable("away")]), case(1.0))
    model = ScriptedModel([ModelUnavailable("away")])
    trail = asked(model, case(1.0), required=False)
    assert [e.text for e in trail.events if isinstance(e, Noted)] == ["no proposals: away"]
    assert len(model.requests) == 1


def test_a_function_that_is_too_long_is_passed_over() -> None:
    trail = asked(ScriptedModel([PromptTooLong("too long"), text("b = a + 1")]), case(1.0), Limits(answers=1))
    assert len(trail.answers()) == 1


# -- the engineers

CART = '''\
"""A cart."""


def total(prices, discount):
    """What is to be paid, never below nothing."""
    found = 0
    for price in prices:
        found += price
    return found - discount


def label(name):
    return name.strip().title()
'''
TESTS = """\
from cart import label, total


def test_total():
    assert total([3, 4], 2) == 5


def test_never_below_nothing():
    assert total([3], 10) == 0
    assert total([], 1) == 0


def test_label():
    assert label(" tea ") == "Tea"
"""
FILES = {"cart.py": CART, "test_cart.py": TESTS}
RIGHT = "```python\ndef total(prices, discount):\n    return max(0, sum(prices) - discount)\n```"


@contextmanager
def work(
    engineer: Engineer,
    model: ScriptedModel | None,
    files: Mapping[str, str] = FILES,
    strategy: Strategy | None = None,
) -> Iterator[tuple[Handover, ListTrail, dict[str, str]]]:
    trail = ListTrail()
    with TemporaryWorkspace(files) as workspace:
        budget = Budget(seconds=120.0)
        before = Toolbox(workspace, ListTrail(), budget=Budget(), test_command=COMMAND).call(RunTests(timeout_s=30.0))
        tools = Toolbox(workspace, trail, budget=budget, test_command=COMMAND)
        assignment = Assignment(
            ticket=Ticket(text="total may be below nothing"),
            baseline=before,
            budget=budget,
            root=workspace.root,
            test_command=COMMAND,
            model=model,
            strategy=strategy,
        )
        handover = engineer.work(assignment, tools, trail)
        yield handover, trail, {c.path: (after or b"").decode() for c, _, after in workspace.changes()}


@pytest.mark.slow
def test_the_small_path_hands_over_what_the_model_wrote_and_keeps_the_rest() -> None:
    model = ScriptedModel([text("return max(0, found - discount)")])
    with work(SmallModelEngineer(Limits(answers=4)), model) as (handover, trail, changed):
        assert handover.solved, handover
        assert changed == {"cart.py": CART.replace("return found - discount", "return max(0, found - discount)")}
        assert handover.probability is not None
        compared = [e for e in trail.events if isinstance(e, CandidatesCompared)]
        assert compared[-1].candidates[0].kind == "proposed"
        features = compared[-1].candidates[0].features
        assert features["proposed"] == 1.0
        assert features["agreeing"] >= 0.5
        assert not [e for e in trail.events if isinstance(e, HypothesisTried) and "proposed" not in e.kind]


@pytest.mark.slow
def test_what_fails_the_tests_is_never_handed_over() -> None:
    model = ScriptedModel([text("return found"), text("```python\ndef total(prices, discount):\n    return 0\n```")])
    told = Strategy(
        name="told",
        text="Call push_changes soon. Think of empty input.",
        limits=StrategyLimits(answers=3),
    )
    with work(SmallModelEngineer(Limits(answers=4)), model, strategy=told) as (handover, trail, changed):
        assert not handover.solved
        assert changed == {}
        assert len(trail.answers()) == 3
    for request in model.requests:
        assert instructions(request).endswith(" Past work taught: Think of empty input.")


def test_without_a_model_the_small_path_says_so() -> None:
    with pytest.raises(ConfigurationError, match="no language model"), work(SmallModelEngineer(), None):
        pass


@pytest.mark.slow
def test_the_hybrid_judges_both_together() -> None:
    model = ScriptedModel([text("return max(0, found - discount)"), text(RIGHT)])
    with work(HybridEngineer(Limits(answers=4)), model) as (handover, trail, changed):
        assert handover.solved, handover
        kinds = {e.kind for e in trail.events if isinstance(e, HypothesisTried)}
        assert any(not kind.startswith("proposed") for kind in kinds)
        assert "max(0," in changed["cart.py"]


@pytest.mark.slow
def test_the_hybrid_does_without_a_model_that_is_away() -> None:
    files = {**FILES, "cart.py": CART.replace("return found - discount", "return max(1, found - discount)")}
    model = ScriptedModel([ModelUnavailable("away")])
    for one in (model, None):
        with work(HybridEngineer(), one, files) as (handover, trail, changed):
            assert handover.solved, handover
            assert changed == {"cart.py": files["cart.py"].replace("max(1,", "max(0,")}
            assert not trail.answers()


@pytest.mark.slow
def test_a_slip_of_the_model_is_mended_by_the_templates() -> None:
    files = {
        "oblong.py": "def total(width, height):\n    return 0\n",
        "test_oblong.py": "from oblong import total\n\n\ndef test_total():\n"
        "    assert [total(2, 5), total(3, 4), total(7, 1)] == [10, 12, 7]\n",
    }
    model = ScriptedModel([text("return width * width")])
    with work(HybridEngineer(Limits(answers=1)), model, files) as (_, trail, _changed):
        kinds = {e.kind for e in trail.events if isinstance(e, HypothesisTried) and e.passing}
    assert "proposed+variable" in kinds
