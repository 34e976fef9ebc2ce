"""A language model as a source of proposals: asked greedily for the likeliest places first, then for other opinions.

Implements ``karkhana.engineers.symbolic.proposals.Proposals``. Every answer stands in the trail. Knows when to stop
asking: answers, dollars and seconds are bounded.

>>> # ModelProposals(model, trail).rewrites(case)
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from karkhana.domain.chat import ChatRequest, Message, Role, StopReason, Text
from karkhana.domain.errors import ModelUnavailable, PromptTooLong
from karkhana.domain.events import Noted
from karkhana.domain.money import ZERO, Money, usd
from karkhana.engineers.llm.prompting import filled
from karkhana.engineers.llm.small.passages import Passage, passage_of
from karkhana.engineers.llm.small.telling import question
from karkhana.engineers.llm.telling import tell
from karkhana.engineers.symbolic.proposals import Case, Rewrite
from karkhana.ports import ChatModel, Trail

_SPARE_TOKENS = 70
_LINE_TOKENS = 80
_LINES = 3
"""Questions for lines in a round."""
_CHARS_PER_TOKEN = 3.0
_FENCE_END = "```\n\n"
"""Behind its code a model only talks."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the model."""

    place: int
    one_line: bool = True
    """Only the wrong line is asked for, which takes a tenth of the tokens of a function."""
    rank: int = 0
    """Which of the likeliest lines a passage of a long function is cut around."""
    hint: int | None = None
    temperature: float = 0.0
    seed: int = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the proposals for one ticket may take."""

    usd: Money = usd(1)
    answers: int = 9
    answer_tokens: int = 360
    """Of one answer, at most; less for short functions."""
    places: int = 3
    """Functions that are asked about."""
    likely: float = 0.5
    """Suspicion, as a share of the highest, from which on another function is asked about too."""
    temperature: float = 0.7
    """Of all answers for one question but the first."""


class ModelProposals:
    """What one model proposes for one ticket."""

    def __init__(
        self,
        model: ChatModel,
        trail: Trail,
        limits: Limits | None = None,
        *,
        required: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``required``: a model that does not answer is an error; else only a note."""
        self._model, self._trail, self._limits, self._clock = model, trail, limits or Limits(), clock
        self._required = required
        self._answers = 0
        self._longest_s = 0.0
        self.spent = ZERO

    def rewrites(self, case: Case) -> Iterator[Sequence[Rewrite]]:
        """Rounds of rewrites. Raises ``ModelUnavailable`` when the model is required, and what forbids a call."""
        for questions in rounds(case, self._limits):
            found: list[Rewrite] = []
            for asked in questions:
                if not self._may_ask(case):
                    break
                rewrite = self._asked(case, asked)
                if rewrite is not None:
                    found.append(rewrite)
            if found:
                yield found
            if not self._may_ask(case):
                return

    def _may_ask(self, case: Case) -> bool:
        left = case.seconds_left() > 1.5 * self._longest_s
        return left and self._answers < self._limits.answers and self.spent < self._limits.usd

    def _asked(self, case: Case, asked: Question) -> Rewrite | None:
        passage = passage_of(case.places[asked.place], asked.rank)
        started = self._clock()
        try:
            said = self._model.ask(self._request(case, passage, asked))
        except PromptTooLong as long:
            self._trail.record(Noted(text=f"the model was not asked about {passage.head}: {long.message}"))
            return None
        except ModelUnavailable as away:
            if self._required:
                raise
            self._trail.record(Noted(text=f"no proposals: {away.message}"))
            # Nobody waits for an opinion that is not needed.
            self._answers = self._limits.answers
            return None
        self._answers += 1
        self._longest_s = max(self._longest_s, self._clock() - started)
        self.spent = Money(self.spent + (said.cost or ZERO))
        seconds = self._clock() - started
        tell(self._trail, self._model, said, purpose="propose", turn=self._answers, duration_s=seconds)
        cut = said.answer.stop is StopReason.LENGTH
        if asked.one_line:
            return passage.read_line(said.answer.text, asked.place) if not cut else None
        return passage.read(said.answer.text, asked.place, cut=cut)

    def _request(self, case: Case, passage: Passage, asked: Question) -> ChatRequest:
        text = question(case, passage, hint=asked.hint, one_line=asked.one_line)
        likely = int(len(passage.text) / _CHARS_PER_TOKEN * 1.3) + _SPARE_TOKENS
        limit = _LINE_TOKENS if asked.one_line else min(self._limits.answer_tokens, likely)
        return ChatRequest(
            model=self._model.name,
            messages=(
                Message(role=Role.SYSTEM, parts=(Text(text=filled("rewrite_rules")),)),
                Message(role=Role.USER, parts=(Text(text=text),)),
            ),
            max_tokens=limit,
            temperature=asked.temperature,
            top_p=0.95 if asked.temperature else None,
            seed=asked.seed,
            stop=("\n\n",) if asked.one_line else (_FENCE_END,),
        )


def rounds(case: Case, limits: Limits) -> Iterator[Sequence[Question]]:
    """The questions for a case: for the likeliest function and lines of the other places, then other opinions.

    An opinion is drawn at a higher temperature, every other one with a finger on a suspicious line.
    """
    best = max((place.suspect.score for place in case.places), default=0.0)
    places = [n for n, p in enumerate(case.places) if p.suspect.score >= limits.likely * best][: limits.places]
    if not places:
        return

    def opinion(number: int, *, one_line: bool) -> Question:
        return Question(
            place=places[number % len(places)],
            one_line=one_line,
            rank=number // len(places),
            hint=number // 2 if number % 2 else None,
            temperature=limits.temperature,
            seed=number + 1,
        )

    yield [Question(place=n, one_line=n != places[0]) for n in places]
    for number in range(0, limits.answers, _LINES + 1):
        # Lines are so cheap that there are always several.
        yield [opinion(number + n, one_line=True) for n in range(_LINES)]
        yield [opinion(number + _LINES, one_line=False)]
