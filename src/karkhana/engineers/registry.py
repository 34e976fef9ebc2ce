"""The engineers, by name, in the order in which they are asked when nobody is named.

>>> list(default_engineers())
['symbolic', 'llm']
"""

from collections.abc import Mapping

from karkhana.domain.tasks import TaskType
from karkhana.engineers.by_capability import ByCapability, asked_for_functions
from karkhana.engineers.symbolic.engineer import SymbolicEngineer
from karkhana.ports import ChatModel, Engineer


def default_engineers() -> Mapping[str, Engineer]:
    """One of each."""
    engineers: tuple[Engineer, ...] = (SymbolicEngineer(), ByCapability())
    return {engineer.name: engineer for engineer in engineers}


def repeats_itself(name: str) -> bool:
    """Whether a second attempt of an engineer at the same ticket comes to the same."""
    return name == SymbolicEngineer.name


def needs_model(name: str) -> bool:
    """Whether an engineer can do nothing without a language model."""
    return name == ByCapability.name


def only_repairs(name: str) -> bool:
    """Whether an engineer mends what is there and builds nothing new."""
    return name == SymbolicEngineer.name


def repairs_as_well(type: TaskType, model: ChatModel) -> bool:
    """Whether the engineer with this model begins with all that one does that only repairs: asking both is to look for
    the same repair twice.
    """
    return type is TaskType.BUGFIX and asked_for_functions(model)
