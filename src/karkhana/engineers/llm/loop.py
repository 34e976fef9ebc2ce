"""The loop: ask the model, carry out what it calls, tell it what came of that, until it hands over or gives up.

>>> # loop = Loop(model, tools, trail, Conversation(rules, task, room=9000), fence=Fence(), limits=Limits())
>>> # loop.run().solved
"""

import time
from collections.abc import Callable, Iterator

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, StopReason, Text, Tool, ToolCall, ToolResult
from karkhana.domain.errors import BudgetExhausted, PromptTooLong, ToolRefused
from karkhana.domain.events import ConversationCompacted, ModelNudged
from karkhana.domain.money import ZERO, Money, shown, usd
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import EditFile, PushChanges, ReviewDiff, WriteFile
from karkhana.engineers.llm.acceptance import Acceptance
from karkhana.engineers.llm.calls import READERS, GiveUp, Unreadable, read
from karkhana.engineers.llm.claims import Claims
from karkhana.engineers.llm.conversation import Conversation
from karkhana.engineers.llm.critique import Critic, Proposal
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.foreseeing import foresee
from karkhana.engineers.llm.manner import Manner
from karkhana.engineers.llm.prompting import nudge, told
from karkhana.engineers.llm.rendering import shown as rendered
from karkhana.engineers.llm.sight import Sight
from karkhana.engineers.llm.stuck import Pattern, Watch
from karkhana.engineers.llm.telling import tell
from karkhana.engineers.llm.written_calls import in_text, one_call, with_calls
from karkhana.ports import ChatModel, Handover, Tools, Trail


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may take, besides the tools' own budget."""

    usd: Money = usd(2)
    answers: int = 400
    """Answers of the model."""
    answer_tokens: int = 8192
    """Of one answer."""
    silences: int = 3
    """Answers in a row that call no tool."""
    temperature: float | None = None


UNTESTED = "none were run after the last edit"


class Ended(Exception):
    """Control flow: the work is over."""

    def __init__(self, handover: Handover) -> None:
        super().__init__(handover.reason)
        self.handover = handover


class Loop:
    """One attempt of one model."""

    def __init__(
        self,
        model: ChatModel,
        tools: Tools,
        trail: Trail,
        conversation: Conversation,
        *,
        fence: Fence,
        limits: Limits,
        manner: Manner,
        critic: Critic | None = None,
        claims: Claims | None = None,
        acceptance: Acceptance | None = None,
        foreign: tuple[Tool, ...] = (),
        sight: Sight | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._tools, self._trail = model, tools, trail
        self._conversation, self._fence, self._limits, self._clock = conversation, fence, limits, clock
        self._critic = critic
        self._manner, self._offered = manner, (*manner.tools, *foreign)
        self._foreign = frozenset(tool.name for tool in foreign)
        self._acceptance = acceptance
        self._claims = claims or Claims(tests_known=False)
        self._tests = UNTESTED
        self._watch = Watch()
        self._sight = sight or Sight()
        self._nudged = False
        self._answers = self._silences = 0
        self.spent = ZERO

    def run(self) -> Handover:
        """Work to the end. Raises ``RunCancelled``, ``ModelUnavailable``, ``BudgetExhausted``."""
        try:
            while True:
                answer = self._ask()
                if answer.calls:
                    self._carry_out(answer)
                else:
                    self._silence(answer)
                self._compact()
        except Ended as ended:
            return ended.handover

    # -- the model

    def _ask(self) -> ChatAnswer:
        if self._answers >= self._limits.answers:
            raise BudgetExhausted(f"all {self._limits.answers} answers are used up", "give it more with --max-turns")
        if self.spent >= self._limits.usd:
            raise BudgetExhausted(f"{shown(self.spent)} are spent", "give it more with --budget")
        started = self._clock()
        try:
            said = self._model.ask(self._request())
        except PromptTooLong:
            # The estimate was too low: make more room once, then it is the provider's word that counts.
            self._compact(self._conversation.tokens // 2)
            said = self._model.ask(self._request())
        self._answers += 1
        self.spent = Money(self.spent + (said.cost or ZERO))
        answer = _identified(said.answer, self._answers)
        said = msgspec.structs.replace(said, answer=answer)
        tell(self._trail, self._model, said, purpose="work", turn=self._answers, duration_s=self._clock() - started)
        answer = _identified(with_calls(answer, self._offered, self._conversation.shown), self._answers)
        self._conversation.answered(answer)
        return answer

    def _request(self) -> ChatRequest:
        messages, written = self._conversation.messages(), self._manner.written
        stirred = self._manner.stirred if self._watch.again else None
        return ChatRequest(
            model=self._model.name,
            messages=in_text(messages) if written else messages,
            tools=() if written else self._offered,
            format=one_call(self._offered, self._sight) if written else None,
            max_tokens=self._limits.answer_tokens,
            temperature=self._limits.temperature if stirred is None else stirred,
        )

    # -- its calls

    def _carry_out(self, answer: ChatAnswer) -> None:
        self._silences = 0
        results, patterns, tested = [], [], False
        failed_before = False
        foresee(self._tools, answer.calls)
        for call, cut in _calls(answer):
            if failed_before:
                results.append(_result(call, told("result", "missed"), failed=True))
                continue
            text, failed, report = self._one(call, cut=cut)
            tested |= report
            failed_before = failed and call.name not in READERS
            patterns.append(self._watch.seen(f"{call.name} {call.arguments}", text, failed=failed))
            if self._watch.again and self._manner.brief and call.name in READERS:
                text = told("step", "seen")
            results.append(_result(call, text, failed=failed))
        self._conversation.returned(results, tests=tested)
        for pattern in filter(None, patterns):
            self._nudge(pattern)

    def _one(self, call: ToolCall, *, cut: bool) -> tuple[str, bool, bool]:
        """What the model is told of one call, whether it failed, and whether it is a test report."""
        try:
            wanted = read(call.name, call.arguments, cut=cut, foreign=self._foreign)
            if isinstance(wanted, GiveUp):
                raise Ended(Handover(solved=False, reason=wanted.reason, question=wanted.question))
            if isinstance(wanted, PushChanges) and (objections := self._objections(wanted)):
                return objections, True, False
            if self._acceptance is not None:
                if refusal := self._acceptance.refusal(wanted):
                    return refusal, True, False
                wanted = self._acceptance.held(wanted)
            result = self._tools.call(wanted)
        except Unreadable as unreadable:
            return str(unreadable), True, False
        except ToolRefused as refusal:
            step = self._manner.next_step(None) if isinstance(wanted, EditFile) else ""
            return self._fence.around(f"{refusal.message}\n{refusal.next}".strip()) + step, True, False
        if isinstance(wanted, PushChanges):
            raise Ended(self._handed_over(wanted))
        self._claims.saw(wanted, result)
        if self._manner.brief:
            self._sight.saw(wanted, result)
        if self._acceptance is not None:
            self._acceptance.saw(wanted, result)
        text = rendered(self._fence, result, self._manner.longest) + self._manner.next_step(result)
        if isinstance(result, TestReport):
            self._tests = text
        elif isinstance(wanted, EditFile | WriteFile):
            self._tests = UNTESTED
        return text, False, isinstance(result, TestReport)

    def _objections(self, wanted: PushChanges) -> str:
        """What stands in the way of handing over: claims that nothing shows, and what a review objects to."""
        unproven = self._claims.objection(wanted, self._fence.around)
        if not unproven and self._acceptance is not None:
            unproven = self._acceptance.objection(wanted)
        if unproven or self._critic is None:
            return unproven
        diff = self._tools.call(ReviewDiff()).patch
        proposal = Proposal(title=wanted.title, summary=wanted.summary, diff=diff, tests=self._tests)
        spent = self._critic.spent
        objections = self._critic.objections(proposal)
        self.spent = Money(self.spent + self._critic.spent - spent)
        return objections

    def _handed_over(self, wanted: PushChanges) -> Handover:
        return Handover(
            solved=True,
            reason=wanted.title,
            title=wanted.title,
            summary=wanted.summary,
            objections=(
                *self._claims.standing(wanted),
                *(self._acceptance.standing if self._acceptance is not None else ()),
                *(self._critic.standing if self._critic is not None else ()),
            ),
        )

    # -- when it does not get on

    def _silence(self, answer: ChatAnswer) -> None:
        self._silences += 1
        if answer.stop is StopReason.REFUSED:
            raise Ended(Handover(solved=False, reason=f"the model refused: {answer.text[:300]}"))
        if self._silences >= self._limits.silences:
            raise Ended(Handover(solved=False, reason=f"the model called no tool any more: {answer.text[:300]}"))
        self._conversation.told(nudge("cut" if answer.stop is StopReason.LENGTH else "silence"))

    def _nudge(self, pattern: Pattern) -> None:
        """Once; the second time it is over."""
        if self._nudged:
            raise Ended(Handover(solved=False, reason=f"the model did not get on ({pattern.name})"))
        self._nudged = True
        self._trail.record(ModelNudged(pattern=pattern.name, count=pattern.times))
        self._conversation.told(nudge(pattern.name, count=pattern.times))

    def _compact(self, room: int | None = None) -> None:
        done = self._conversation.compact(room)
        if done is not None:
            self._trail.record(ConversationCompacted(**msgspec.structs.asdict(done)))


def _calls(answer: ChatAnswer) -> Iterator[tuple[ToolCall, bool]]:
    """The calls; of an answer that was cut off, the last one may not be whole."""
    calls = answer.calls
    for index, call in enumerate(calls):
        yield call, answer.stop is StopReason.LENGTH and index == len(calls) - 1


def _identified(answer: ChatAnswer, number: int) -> ChatAnswer:
    """Every call has an identifier of its own, whatever the model wrote."""
    ids = [call.id for call in answer.calls]
    if all(ids) and len(set(ids)) == len(ids):
        return answer
    parts = tuple(
        msgspec.structs.replace(part, id=f"call_{number}_{index}") if isinstance(part, ToolCall) else part
        for index, part in enumerate(answer.parts)
    )
    return msgspec.structs.replace(answer, parts=parts)


def _result(call: ToolCall, text: str, *, failed: bool) -> ToolResult:
    return ToolResult(id=call.id, name=call.name, parts=(Text(text=text),), failed=failed)
