"""Whom the gateway asks for a request: those who can answer, in the order of the model's policy.

Models in the order of the configuration, all of whose candidates can do everything, cost one look into a table, as long
as the request fits into each one's context.
"""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from karkhana.domain.money import Unpriced
from karkhana.domain.spending import Account
from karkhana.http.messages import Headers
from karkhana.routing.attempt import Attempt, Ending, Observer, Outcome, Place
from karkhana.routing.configuration import Candidate, Configuration
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.doors import Peek
from karkhana.routing.gateway.needs import RESIDENCY, Reading, Told, needs_of, session_of, told, words_of
from karkhana.routing.policy.capability import UNLIMITED, Ability, Needs
from karkhana.routing.policy.choosing import Ask, Policy, capable
from karkhana.routing.policy.notebook import Call, Notebook, Seen
from karkhana.routing.policy.settings import IN_ORDER
from karkhana.routing.prices import PriceBook


class Wish(NamedTuple):
    """A client's request, as far as the choice is concerned."""

    call: str
    account: Account
    headers: Headers
    body: bytes
    seen: Peek
    tokens: int
    """Of the prompt, at most."""
    reading: Reading


class Choosing:
    """The models of a configuration, and whom to ask for each: :meth:`free`, and :meth:`candidates` if that is none."""

    def __init__(
        self,
        configuration: Configuration,
        prices: PriceBook,
        notebook: Notebook | None = None,
        policy: Policy | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``notebook`` and ``policy``: for models whose policy is not ``in_order``."""
        self._configuration = configuration
        self._prices = prices
        self._notebook = notebook
        self._policy = policy
        self._wall = wall
        self._abilities = abilities(configuration, prices)
        self._free = {
            name: (model.candidates, self._room(model.candidates))
            for name, model in configuration.models.items()
            if model.entry.policy == IN_ORDER
            and not model.entry.residency
            and not any(self._ability(candidate).limited for candidate in model.candidates)
        }

    @property
    def notebook(self) -> Notebook | None:
        """What was learnt; ``None`` if all models are in the order of the configuration."""
        return self._notebook

    def watching(self, inner: Observer) -> Observer:
        """``inner``, and whatever has to be learnt from attempts."""
        return inner if self._notebook is None else Watching(inner, self._notebook)

    def named(self, name: str) -> tuple[Candidate, ...]:
        """All candidates of a model's name. Raises ``ProviderFault`` for one that is not served."""
        model = self._configuration.models.get(name)
        if model is not None:
            return model.candidates
        provider, slash, rest = name.partition("/")
        if slash and provider in self._configuration.providers:
            return (Candidate(provider, rest),)
        known = ", ".join(sorted(self._configuration.models)[:20])
        raise ProviderFault(Fault.UNKNOWN_MODEL, f"the model {name!r} is not served here; there are: {known}")

    def resident(self, name: str, headers: Headers) -> list[Candidate]:
        """The candidates of a name that a prompt may be shown to, whatever they are asked.

        Raises ``ProviderFault`` if there is none, and ``BadRequest``.
        """
        ask = Ask(name, self.named(name), Needs(residency=self._demanded(name, told(headers))))
        return capable(ask, self._ability)[0]

    def free(self, name: str, headers: Headers, tokens: int) -> tuple[Candidate, ...] | None:
        """Whom to ask for a model if that needs no look at the request; ``None``: it does.

        ``tokens``: about as many as prompt and answer have.
        """
        found = self._free.get(name)
        if found is None or tokens > found[1]:
            return None
        for pair in headers:
            if pair[0] == RESIDENCY:
                return None
        return found[0]

    def candidates(self, wish: Wish) -> tuple[Candidate, ...]:
        """Whom to ask, the first one first; tell :meth:`over` when the call has ended.

        Raises ``ProviderFault`` for a model that is not served and for a request that nobody can answer, and
        ``BadRequest``.
        """
        said = told(wish.headers)
        name, among = wish.seen.model, self.named(wish.seen.model)
        model = self._configuration.models.get(name)
        ask = Ask(name, among, self._needs(wish, among, self._demanded(name, said)))
        if model is None or model.entry.policy == IN_ORDER or self._policy is None or self._notebook is None:
            return tuple(capable(ask, self._ability)[0])
        return self._chosen(ask, wish, said, self._policy, self._notebook)

    def over(self, call: str, place: Place | None) -> None:
        """A call has ended; ``place`` answered it, if any."""
        if self._notebook is not None:
            self._notebook.end(call, f"{place.provider}/{place.model}" if place is not None else "")

    def _chosen(self, ask: Ask, wish: Wish, said: Told, policy: Policy, notebook: Notebook) -> tuple[Candidate, ...]:
        key, now = wish.account.key_id, self._wall()
        named = session_of(said, wish.body)
        session = (key, named) if named else None
        ask = ask._replace(
            task_type=said.task_type,
            pool=wish.account.team if policy.settings.pool == "team" else "",
            home=None if session is None else notebook.sessions.of(session, now),
            tried=notebook.failed(said.after, key) if said.after else frozenset(),
            text=words_of(wish.reading) if policy.wording is not None else "",
        )
        able, left_out = capable(ask, self._ability)
        choice = policy.choose(ask, able, now, left_out)
        notebook.begin(Call(wish.call, key, ask.pool, ask.entry, ask.task_type, choice, session, ask.tried))
        by_name = {str(candidate): candidate for candidate in able}
        return tuple(by_name[rung] for rung in choice.rungs)

    def _needs(self, wish: Wish, among: tuple[Candidate, ...], residency: frozenset[str]) -> Needs:
        known = [self._ability(candidate) for candidate in among]
        limited = any(ability.limited for ability in known)
        measured = any(ability.context is not None for ability in known)
        return needs_of(wish, residency, limited=limited, measured=measured)

    def _room(self, candidates: tuple[Candidate, ...]) -> int:
        """Tokens that fit into each one's context."""
        return min((self._ability(candidate).context or sys.maxsize for candidate in candidates), default=0)

    def _demanded(self, name: str, said: Told) -> frozenset[str]:
        model = self._configuration.models.get(name)
        return said.residency if model is None else said.residency.union(model.entry.residency)

    def _ability(self, candidate: Candidate) -> Ability:
        return self._abilities.get(candidate, UNLIMITED)


def abilities(configuration: Configuration, prices: PriceBook) -> dict[Candidate, Ability]:
    """Of the candidates that are known to be unable to do something, or of which a residency is declared."""
    named = {Candidate(*name.split("/", 1)) for name in configuration.capabilities}
    named |= {candidate for model in configuration.models.values() for candidate in model.candidates}
    found = {}
    for candidate in named:
        said = configuration.capabilities.get(str(candidate))
        rate = prices.rate(candidate)
        shipped = None if isinstance(rate, Unpriced) else rate.context
        if said is None:
            ability = Ability(context=shipped)
        else:
            context = shipped if said.context is None else said.context
            ability = Ability(context, said.tools, said.json, said.images, frozenset(said.residency))
        if ability != UNLIMITED:
            found[candidate] = ability
    return found


class Watching:
    """An observer that tells the notebook of whole answers, and passes everything on to another one."""

    def __init__(self, inner: Observer, notebook: Notebook) -> None:
        self._inner = inner
        self._notebook = notebook

    async def begins(self, attempt: Attempt) -> None:
        await self._inner.begins(attempt)

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        self._inner.ends(attempt, ending)
        if ending.outcome is Outcome.ANSWERED:
            usage, place = ending.usage, attempt.place
            output, tokens = (None, 0) if usage is None else (usage.output, usage.prompt + usage.output)
            self._notebook.answered(
                attempt.call, Seen(f"{place.provider}/{place.model}", ending.whole_s, output, tokens)
            )
