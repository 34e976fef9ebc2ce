"""The engineers, by name; the first one is the default.

>>> list(default_engineers())
['symbolic']
"""

from collections.abc import Mapping

from karkhana.engineers.symbolic.engineer import SymbolicEngineer
from karkhana.ports import Engineer


def default_engineers() -> Mapping[str, Engineer]:
    """One of each engineer that needs no configuration."""
    engineers: tuple[Engineer, ...] = (SymbolicEngineer(),)
    return {engineer.name: engineer for engineer in engineers}
