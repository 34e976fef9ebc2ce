"""The symbolic engineer: repair by localisation, templates, fast validation and comparison of behaviour."""

from karkhana.engineers.symbolic.engineer import SymbolicEngineer

__all__ = ["SymbolicEngineer"]
