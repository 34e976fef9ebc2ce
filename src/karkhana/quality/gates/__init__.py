"""The gates, one per file, and their registry.

A gate implements :class:`karkhana.ports.Gate`. One that cannot measure says UNKNOWN, never PASSED. The same gates
judge changes by machines and by people. Order matters only for how soon a person learns of bad news.

>>> [gate.name for gate in default_gates()][:2]
['suite', 'flaky']
"""

from collections.abc import Callable, Collection, Iterable

from karkhana.ports import Gate
from karkhana.quality.gates.api_fuzz import ApiFuzz
from karkhana.quality.gates.coverage import CoverageGate
from karkhana.quality.gates.dependencies import Dependencies
from karkhana.quality.gates.differential import Differential
from karkhana.quality.gates.duration import Duration
from karkhana.quality.gates.flaky import Flaky
from karkhana.quality.gates.migrations import Migrations
from karkhana.quality.gates.mutation import Mutation
from karkhana.quality.gates.openapi_contract import OpenApiContract
from karkhana.quality.gates.performance import Performance
from karkhana.quality.gates.public_api import PublicApi
from karkhana.quality.gates.secrets import Secrets
from karkhana.quality.gates.static_analysis import StaticAnalysis
from karkhana.quality.gates.suite import Suite
from karkhana.quality.gates.target_tests import TargetTests
from karkhana.quality.gates.traffic import Traffic

GATES: dict[str, Callable[[], Gate]] = {
    "suite": Suite,
    "flaky": Flaky,
    "target_tests": TargetTests,
    "static_analysis": StaticAnalysis,
    "secrets": Secrets,
    "public_api": PublicApi,
    "openapi_contract": OpenApiContract,
    "migrations": Migrations,
    "dependencies": Dependencies,
    "coverage": CoverageGate,
    "mutation": Mutation,
    "differential": Differential,
    "traffic": Traffic,
    "api_fuzz": ApiFuzz,
    "duration": Duration,
    "performance": Performance,
}


def default_gates() -> tuple[Gate, ...]:
    """One of each gate."""
    return tuple(make() for make in GATES.values())


def without(gates: Iterable[Gate], skip: Collection[str]) -> tuple[Gate, ...]:
    """The gates but for those of ``skip``.

    >>> [gate.name for gate in without(default_gates(), ("mutation",))].count("mutation")
    0
    """
    return tuple(gate for gate in gates if gate.name not in skip)


__all__ = ["GATES", "default_gates", "without"]
