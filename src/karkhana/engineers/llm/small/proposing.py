"""A language model as a source of proposals: asked greedily for the likeliest places first, then for other opinions.

Implements ``karkhana.engineers.symbolic.proposals.Proposals``. Every answer stands in the trail. Knows when to stop
asking: answers, dollars and seconds are bounded.

>>> # ModelProposals(model, trail).rewrites(case)
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from karkhana.domain.chat import ChatRequest, Message, Role, StopReason, Text
from karkhana.domain.errors import ModelUnavailable, PromptTooLong
from karkhana.domain.events import Noted
from karkhana.domain.money import ZERO, Money, usd
from karkhana.engineers.llm.prompting import filled, told
from karkhana.engineers.llm.small.advice import short_advice
from karkhana.engineers.llm.small.gaps import LONGEST, Gap, gap_of, line_gap
from karkhana.engineers.llm.small.passages import Passage, passage_around, passage_of, suspicious_lines
from karkhana.engineers.llm.small.telling import gap_question, question
from karkhana.engineers.llm.telling import tell
from karkhana.engineers.symbolic.proposals import Case, Rewrite
from karkhana.ports import ChatModel, Trail

_SPARE_TOKENS = 70
_LINE_TOKENS = 80
_GAPS = 2
"""Suspicious lines of a round that are left out."""
_PASSING = 3
"""Places of passing changes that are asked about."""
_CHARS_PER_TOKEN = 3.0
_FENCE_END = "```\n\n"
"""Behind its code a model only talks."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the model."""

    place: int
    one_line: bool = True
    """Only the wrong line is asked for, which takes a tenth of the tokens of a function."""
    gap: Gap | None = None
    """What belongs there is asked for, and nothing else."""
    plain: bool = False
    """Without the test and its failure: they lead a small model to repeat what it reads."""
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
        advice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``required``: a model that does not answer is an error; else only a note. ``advice``: a strategy's text."""
        self._model, self._trail, self._limits, self._clock = model, trail, limits or Limits(), clock
        self._required = required
        self._advice = short_advice(advice)
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
        passage = passage_for(case, asked)
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
        if asked.gap is not None:
            return passage.read_gap(said.answer.text, asked.place, asked.gap) if not cut else None
        if asked.one_line:
            return passage.read_line(said.answer.text, asked.place) if not cut else None
        return passage.read(said.answer.text, asked.place, cut=cut)

    def _request(self, case: Case, passage: Passage, asked: Question) -> ChatRequest:
        rules, text = "rewrite_rules", question(case, passage, hint=asked.hint, one_line=asked.one_line)
        if asked.gap is not None:
            rules, text = "gap_rules", gap_question(case, passage, asked.gap, plain=asked.plain)
        instructions = filled(rules)
        if self._advice:
            instructions = f"{instructions} {told('strategy', 'short', text=self._advice)}"
        likely = int(len(passage.text) / _CHARS_PER_TOKEN * 1.3) + _SPARE_TOKENS
        short = asked.one_line or asked.gap is not None
        limit = _LINE_TOKENS if short else min(self._limits.answer_tokens, likely)
        return ChatRequest(
            model=self._model.name,
            messages=(
                Message(role=Role.SYSTEM, parts=(Text(text=instructions),)),
                Message(role=Role.USER, parts=(Text(text=text),)),
            ),
            max_tokens=limit,
            temperature=asked.temperature,
            top_p=0.95 if asked.temperature else None,
            seed=asked.seed,
            stop=("\n\n",) if asked.one_line and asked.gap is None else (_FENCE_END,),
        )


def passage_for(case: Case, asked: Question) -> Passage:
    """What a question shows."""
    place = case.places[asked.place]
    return passage_of(place, asked.rank) if asked.gap is None else passage_around(place, asked.gap.start)


def rounds(case: Case, limits: Limits) -> Iterator[Sequence[Question]]:
    """The questions for a case.

    Where something passes: what would the model write there? Then for the likeliest function and for what belongs in
    place of its likeliest line; then other opinions at a higher temperature, and other lines.
    """
    best = max((place.suspect.score for place in case.places), default=0.0)
    places = [n for n, p in enumerate(case.places) if p.suspect.score >= limits.likely * best][: limits.places]
    if not places:
        return
    own = gaps_of_passing(case)
    others = [asked for asked in gaps_of_lines(case, places) if asked not in own]

    def again(asked: Question, number: int) -> Question:
        return msgspec.structs.replace(asked, temperature=limits.temperature, seed=number + 1)

    if own:
        yield [msgspec.structs.replace(asked, plain=True) for asked in own]
        yield own
    yield [Question(place=places[0], one_line=False), *others[:_GAPS]]
    gaps = own or others[:_GAPS]
    for number in range(limits.answers):
        place, hint = places[number % len(places)], number // 2 if number % 2 else None
        opinion = again(Question(place=place, rank=number // len(places), hint=hint), number)
        sampled = [again(gaps[number % len(gaps)], number + 1)] if gaps else []
        lines = others[_GAPS * (number + 1) : _GAPS * (number + 2)]
        yield [*lines, *sampled, opinion, msgspec.structs.replace(opinion, one_line=False)]


def gaps_of_passing(case: Case) -> list[Question]:
    """One question for each place where something that passes makes a change, the most probable first."""
    found: list[Question] = []
    for passing in case.passing:
        gap = gap_of(case.places[passing.place].text, passing.text)
        if gap is not None and gap.end - gap.start <= LONGEST:
            asked = Question(place=passing.place, gap=gap)
            found += [asked] if asked not in found else []
    return found[:_PASSING]


def gaps_of_lines(case: Case, places: Sequence[int]) -> list[Question]:
    """One question for each suspicious line: the likeliest of each place, then the second ones, and so on."""
    lines = [
        [(n, line - case.places[n].suspect.place.start) for line in suspicious_lines(case.places[n])] for n in places
    ]
    inorder = [pair for row in itertools.zip_longest(*lines) for pair in row if pair is not None]
    gaps = [(n, line_gap(case.places[n].text, line)) for n, line in inorder]
    return [Question(place=n, gap=gap) for n, gap in gaps if gap is not None]
