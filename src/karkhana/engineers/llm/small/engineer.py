"""Two engineers that ask a model for functions: one that relies on it, and one for which it is one voice among others.

>>> SmallModelEngineer().name, HybridEngineer().name
('small', 'hybrid')
"""

import msgspec

from karkhana.domain.errors import ConfigurationError
from karkhana.domain.money import usd
from karkhana.domain.strategies import StrategyLimits
from karkhana.engineers.llm.engineer import CONFIGURE, NO_MODEL
from karkhana.engineers.llm.small.proposing import Limits, ModelProposals
from karkhana.engineers.symbolic import SymbolicEngineer
from karkhana.ports import Assignment, Handover, Tools, Trail


class SmallModelEngineer:
    """Implements ``karkhana.ports.Engineer``: every change comes from the model."""

    name = "small"

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Hand over, or stop with the reason.

        Raises ``RunCancelled``, ``ModelUnavailable``, and ``ConfigurationError`` when there is no model.
        """
        if assignment.model is None:
            raise ConfigurationError(NO_MODEL, CONFIGURE)
        limits, advice = _limits(self._limits, assignment), _advice(assignment)
        proposals = ModelProposals(assignment.model, trail, limits, advice=advice)
        return SymbolicEngineer(proposals, templates=False).work(assignment, tools, trail)


class HybridEngineer:
    """Implements ``karkhana.ports.Engineer``: the symbolic engineer, which asks the model when it is not sure itself.

    Without a model, or when it does not answer, it is the symbolic engineer.
    """

    name = "hybrid"

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Hand over, or stop with the reason. Raises ``RunCancelled``."""
        if assignment.model is None:
            return SymbolicEngineer().work(assignment, tools, trail)
        limits, advice = _limits(self._limits, assignment), _advice(assignment)
        proposals = ModelProposals(assignment.model, trail, limits, required=False, advice=advice)
        return SymbolicEngineer(proposals).work(assignment, tools, trail)


def _limits(given: Limits | None, assignment: Assignment) -> Limits:
    """With what a strategy sets otherwise; never more answers, nor longer ones, than without it."""
    limits = given or Limits(usd=usd(f"{assignment.budget.usd:.6f}"))
    changed = assignment.strategy.limits if assignment.strategy is not None else StrategyLimits()
    return msgspec.structs.replace(
        limits,
        temperature=limits.temperature if changed.temperature is None else changed.temperature,
        answers=min(limits.answers, changed.answers or limits.answers),
        answer_tokens=min(limits.answer_tokens, changed.answer_tokens or limits.answer_tokens),
    )


def _advice(assignment: Assignment) -> str:
    return assignment.strategy.text if assignment.strategy is not None else ""
