"""The engineer with a model: the free loop for models that find their way with tools, the hybrid for those that do not.

>>> ByCapability().name
'llm'
"""

from karkhana.domain.events import Noted
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.capability import is_weak
from karkhana.engineers.llm.small import HybridEngineer
from karkhana.ports import Assignment, ChatModel, Engineer, Handover, Tools, Trail


class ByCapability:
    """Implements ``karkhana.ports.Engineer``."""

    name = LlmEngineer.name

    def __init__(self, able: Engineer | None = None, weak: Engineer | None = None) -> None:
        """``able`` works with models that call tools, ``weak`` with the others."""
        self._able = able or LlmEngineer()
        self._weak = weak or HybridEngineer()

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Hand over, or stop with the reason. Raises what the engineer raises that suits the model."""
        model = assignment.model
        # The other path knows how to repair what a test shows, and nothing else.
        if model is not None and assignment.type is TaskType.BUGFIX and asked_for_functions(model):
            trail.record(Noted(text=f"{model.name} is asked for one function at a time"))
            return self._weak.work(assignment, tools, trail)
        return self._able.work(assignment, tools, trail)


def asked_for_functions(model: ChatModel) -> bool:
    """Whether a model is better asked for one function at a time than left alone with tools."""
    return not model.calls_tools or is_weak(model.name, model.context)
