"""Decides which fault a request meets. Pure: the time is passed in, chance comes from the script's seed.

>>> from karkhana.routing.fake.script import read_script
>>> rules = read_script('[[fault]]\\nkind = "reset"\\nevery = 2').fault
>>> from karkhana.domain.chat import ChatRequest
>>> struck = Striking(rules, seed=0, start_s=0.0)
>>> [struck.next(ChatRequest(model="m", messages=()), "", 0.0) is not None for _ in range(4)]
[False, True, False, True]
"""

import random
from collections.abc import Sequence

from karkhana.domain.chat import ChatRequest
from karkhana.routing.fake.answering import fits
from karkhana.routing.fake.script import FaultRule


class Striking:
    """Counts the requests that each rule is for."""

    def __init__(self, rules: Sequence[FaultRule], *, seed: int, start_s: float) -> None:
        self._rules = rules
        self._start_s = start_s
        self._counts = [0] * len(rules)
        # A rehearsal must be repeatable: this is no secret.
        self._chances = [random.Random(f"{seed}/{number}") for number in range(len(rules))]  # noqa: S311

    def next(self, request: ChatRequest, key: str, now_s: float) -> FaultRule | None:
        """The fault of the next request with this key, if it meets one."""
        found = None
        for number, rule in enumerate(self._rules):
            if (rule.key and rule.key != key) or not fits(rule, request):
                continue
            self._counts[number] += 1
            # Every rule counts every request that it is for, so that none depends on the others.
            if self._strikes(number, rule, now_s) and found is None:
                found = rule
        return found

    def _strikes(self, number: int, rule: FaultRule, now_s: float) -> bool:
        if rule.every is not None:
            return self._counts[number] % rule.every == 0
        if rule.at:
            return self._counts[number] in rule.at
        if rule.for_s is not None:
            elapsed = now_s - self._start_s - rule.offset_s
            return elapsed >= 0 and elapsed % rule.every_s < rule.for_s
        return self._chances[number].random() < (rule.probability or 0.0)
