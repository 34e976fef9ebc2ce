"""The self-review: an engineer's diff read by rules before anyone else sees it.

Python is parsed (libcst, never imported); other languages are read line by line. The rules' words, patterns and
limits are data (``rules.toml``). What a finding costs is said in ``weights.toml``. Knows nothing of gates.

>>> [rule.__name__ for rule in RULES]
['scope', 'leftovers', 'weakened', 'overfit']
"""

from collections.abc import Callable, Iterator

from karkhana.domain.changes import Change
from karkhana.domain.evidence import Finding
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Ticket
from karkhana.quality.review.leftovers import leftovers
from karkhana.quality.review.overfit import overfit
from karkhana.quality.review.scope import scope
from karkhana.quality.review.subject import Contents, Subject
from karkhana.quality.review.weakened import weakened

RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (scope, leftovers, weakened, overfit)


def review(
    change: Change, contents: Contents, ticket: Ticket, baseline: TestReport, result: TestReport | None = None
) -> tuple[Finding, ...]:
    """Everything that a careful reader would ask about, sorted by place.

    ``contents``: bytes before and after of each changed path. ``baseline`` and ``result``: the suite before the
    change and, when it is known, after it.
    """
    subject = Subject(change, contents, ticket, baseline, result)
    found = {finding for rule in RULES for finding in rule(subject)}
    return tuple(sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message)))


__all__ = ["RULES", "review"]
