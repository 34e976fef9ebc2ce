"""Which gates measure a change, how thoroughly, and what is known of it already.

Knows settings, risk and where results are kept; knows nothing of what a gate does.
"""

from collections.abc import Iterable

from karkhana.domain.risks import Risk
from karkhana.domain.settings import Settings
from karkhana.git import Repository
from karkhana.ports import Gate
from karkhana.quality.gates import without
from karkhana.quality.gates.memory import Memory, remembering
from karkhana.quality.gates.selection import select


def gates_for(gates: Iterable[Gate], settings: Settings, risk: Risk, source: Repository, base: str) -> tuple[Gate, ...]:
    """The gates for a change on top of the commit ``base``, in their order. Raises ``GitFailed``."""
    rule = settings.gates
    chosen = select(without(gates, rule.skip), risk=risk.chance, checks=risk.checks, effort=rule.effort)
    tree = source.git.run("rev-parse", "--verify", "--end-of-options", f"{base}^{{tree}}").decode().strip()
    return remembering(chosen, Memory(settings.home / "gates"), tree=tree)
