"""Reproduces a bug from a ticket's text: a failing test that is kept in the change, or a question.

Knows how people report bugs and how tests are written; knows nothing of repair. Ticket text is read, never executed,
on this side of the sandbox.
"""

from karkhana.engineers.symbolic.reproduction.placing import Reproduction
from karkhana.engineers.symbolic.reproduction.work import kept, reproduce

__all__ = ["Reproduction", "kept", "reproduce"]
