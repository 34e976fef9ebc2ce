"""The LLM engineer: tells a model the ticket and lets it work through the tools.

>>> # LlmEngineer().work(assignment, tools, trail)
"""

import msgspec

from karkhana.domain.chat import Tool
from karkhana.domain.errors import ConfigurationError, ToolRefused
from karkhana.domain.money import ZERO, usd
from karkhana.domain.strategies import Strategy, StrategyLimits
from karkhana.domain.suites import Outcome, TestResult
from karkhana.domain.tasks import TaskType
from karkhana.domain.tools import ReadFile
from karkhana.engineers.llm.acceptance import Acceptance, Criteria, criteria_of
from karkhana.engineers.llm.capability import is_weak
from karkhana.engineers.llm.claims import Claims
from karkhana.engineers.llm.conversation import Conversation
from karkhana.engineers.llm.critique import Critic
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.loop import Limits, Loop
from karkhana.engineers.llm.manner import Manner, manner_of
from karkhana.engineers.llm.prompting import filled, told
from karkhana.engineers.llm.rendering import clipped
from karkhana.engineers.llm.repository_map import is_test, repository_map
from karkhana.engineers.llm.sight import Sight
from karkhana.ports import Assignment, Handover, Tools, Trail

NO_MODEL = "no language model is configured"
CONFIGURE = "Name a model: docs/models.md shows how; or leave the ticket to the symbolic engineer."
_TICKET = 20_000
"""Characters."""
_MAP = 4_000
"""Tokens of the repository's map, at most."""
_FAILURES = 5_600
"""Characters of what failing tests say."""


class LlmEngineer:
    """Implements ``karkhana.ports.Engineer``."""

    name = "llm"

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Hand over, or stop with the reason.

        Raises ``RunCancelled``, ``ModelUnavailable``, what forbids a call of the model, and ``ConfigurationError``
        when there is none.
        """
        model = assignment.model
        if model is None:
            raise ConfigurationError(NO_MODEL, CONFIGURE)
        manner = manner_of(model.name, model.context, calls_tools=model.calls_tools)
        limits = self._limits or Limits(
            usd=usd(f"{assignment.budget.usd:.6f}"),
            answers=2 * assignment.budget.turns,
            answer_tokens=manner.answer_tokens,
            temperature=manner.temperature,
        )
        strategy = assignment.strategy or Strategy(name="none")
        limits = limited(limits, strategy.limits)
        fence = Fence()
        drawn = _map(assignment, tools, manner, strategy)
        sight = _sight(tools, manner, drawn)
        task = task_of(assignment, fence, manner, drawn, sight)
        acceptance, spent = None, ZERO
        if assignment.type is TaskType.FEATURE and assignment.test_command:
            criteria = criteria_of(assignment.ticket.text, assignment.ticket.title, model, trail, fence)
            acceptance = Acceptance(criteria, tools, trail, assignment.baseline, fence.around)
            task = f"{task}\n\n{_first_of_all(criteria, fence)}"
            spent = criteria.cost
        conversation = Conversation(instructions(fence, strategy, manner, assignment.foreign), task, room=manner.room)
        critic, reviewer = None, assignment.reviewer
        # A weak model's objections to a change mislead its author.
        if reviewer is not None and not is_weak(reviewer.name, reviewer.context):
            critic = Critic(reviewer, trail, assignment.ticket.text, fence, assignment.checks)
        claims = Claims([each.name for each in failures(assignment)], tests_known=bool(assignment.test_command))
        loop = Loop(
            model,
            tools,
            trail,
            conversation,
            fence=fence,
            limits=limits,
            manner=manner,
            critic=critic,
            claims=claims,
            acceptance=acceptance,
            foreign=assignment.foreign,
            sight=sight,
        )
        loop.spent = spent
        return loop.run()


def _first_of_all(criteria: Criteria, fence: Fence) -> str:
    """What is told of the acceptance tests; it stays in the conversation."""
    return filled("acceptance", criteria=fence.around(criteria.listed()), source=told("criteria", criteria.source))


def instructions(fence: Fence, strategy: Strategy, manner: Manner, foreign: tuple[Tool, ...] = ()) -> str:
    """The rules, and what past outcomes taught about how to work."""
    rules = filled(manner.rules, fence=fence.name)
    if manner.written:
        rules += "\n\n" + filled("written", tools=(*manner.tools, *foreign))
    return f"{rules}\n\n{told('strategy', 'added', text=strategy.text.strip())}" if strategy.text.strip() else rules


def limited(limits: Limits, changed: StrategyLimits) -> Limits:
    """The limits with what a strategy sets otherwise; never more answers, nor longer ones, than without it."""
    return msgspec.structs.replace(
        limits,
        temperature=limits.temperature if changed.temperature is None else changed.temperature,
        answers=min(limits.answers, changed.answers or limits.answers),
        answer_tokens=min(limits.answer_tokens, changed.answer_tokens or limits.answer_tokens),
    )


def _map(assignment: Assignment, tools: Tools, manner: Manner, strategy: Strategy) -> str:
    failing = (f"{each.name} {each.message} {each.traceback}" for each in failures(assignment))
    wanted = "\n".join([assignment.ticket.text, *failing])
    most = strategy.limits.map_tokens
    return repository_map(tools, wanted, tokens=min(_MAP if most is None else most, manner.map_tokens))


def _sight(tools: Tools, manner: Manner, map: str) -> Sight:
    """For a weak model the likeliest file of the map that is no test, if it is short; otherwise none."""
    paths = [line for line in map.splitlines() if not line.startswith(" ")]
    path = next((path for path in paths if not is_test(path)), "")
    if not manner.brief or not path:
        return Sight()
    try:
        file = tools.call(ReadFile(path=path))
    except ToolRefused:
        return Sight()
    return Sight() if len(file.text) > manner.longest else Sight(path, file.text)


def failures(assignment: Assignment) -> list[TestResult]:
    """Tests that fail before any change."""
    return [each for each in assignment.baseline.results if each.outcome in (Outcome.FAILED, Outcome.ERROR)]


def task_of(assignment: Assignment, fence: Fence, manner: Manner, map: str, sight: Sight) -> str:
    """What the model is told first."""
    failing = failures(assignment)
    told_of = "\n".join(f"{each.name}: {each.message[:600]}" for each in failing[: manner.failing])
    return filled(
        "task",
        type_line=told("type", assignment.type.value),
        ticket=fence.around(clipped(assignment.ticket.text, manner.characters(0.4, _TICKET))),
        failing=fence.around(clipped(told_of, manner.characters(0.08, _FAILURES))) if told_of else "",
        failing_count=len(failing),
        total=len(assignment.baseline.results),
        map=fence.around(map) if map else "",
        path=sight.path,
        code=fence.around(sight.text) if sight.path else "",
        turns=assignment.budget.turns,
        next_step="\n\n" + told("step", "read") if sight.path and assignment.type is TaskType.BUGFIX else "",
        test_command=" ".join(assignment.test_command) or "(unknown)",
    )
