"""Acceptance tests first: what a feature ticket asks for, as tests that fail before it is built and pass afterwards.

Knows nothing of how models are asked for edits; :mod:`karkhana.engineers.llm.loop` asks it before each call.
"""

from karkhana.engineers.llm.acceptance.criteria import Criteria, criteria_of
from karkhana.engineers.llm.acceptance.phase import Acceptance

__all__ = ["Acceptance", "Criteria", "criteria_of"]
