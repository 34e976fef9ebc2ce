"""How much thinking is asked for, as each generation of Anthropic's models wants it said.

Source: https://platform.claude.com/docs/en/build-with-claude/extended-thinking (budgets, what they exclude) and
``adaptive-thinking`` there.

>>> thinking_of(ChatRequest(model="claude-opus-4-8", messages=(), effort="high"))
{'effort': 'high', 'thinking': {'type': 'adaptive'}}
"""

from karkhana.domain.chat import ChatRequest, Message, Reasoning, Role, ToolCall, ToolResult, ToolUse
from karkhana.routing.wires.anthropic.models import ADAPTIVE, LEAST_BUDGET, NO_SAMPLING, generation
from karkhana.routing.wires.effort import effort_of, tokens_of
from karkhana.routing.wires.seals import own
from karkhana.routing.wires.wire import Json

_WORDS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_DEFAULT_BUDGET = 8192


def thinking_of(request: ChatRequest) -> Json:
    """Up to two keys: ``thinking``, as the wire has it, and ``effort``."""
    if not request.effort and request.reasoning_tokens is None:
        return {}
    if generation(request.model) >= ADAPTIVE:
        return _adaptive(request)
    budget = _budget(request)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget else {}


def _adaptive(request: ChatRequest) -> Json:
    word = request.effort or effort_of(request.reasoning_tokens)
    if word == "none":
        return {"thinking": {"type": "disabled"}}
    effort = _WORDS.get(word)
    if effort == "xhigh" and generation(request.model) < NO_SAMPLING:
        effort = "high"
    found: Json = {"effort": effort} if effort else {}
    if not _forced(request):
        found["thinking"] = {"type": "adaptive"} | ({"display": "summarized"} if request.show_reasoning else {})
    return found


def _budget(request: ChatRequest) -> int:
    """Tokens, 0 for no thinking: also where the wire refuses it."""
    tokens = request.reasoning_tokens if request.reasoning_tokens is not None else tokens_of(request.effort)
    budget = _DEFAULT_BUDGET if tokens is None else tokens
    if request.max_tokens is not None:
        budget = min(budget, request.max_tokens - 1)
    refused = _forced(request) or _unproven(request.messages)
    return 0 if budget < LEAST_BUDGET or refused else budget


def _forced(request: ChatRequest) -> bool:
    """A call cannot be both forced and thought about."""
    return bool(request.tools) and request.tool_choice is not None and request.tool_choice.use is ToolUse.REQUIRED


def _unproven(messages: tuple[Message, ...]) -> bool:
    """Whether calls whose results come now were made without thinking, or by another provider's model."""
    for message in reversed(messages):
        if message.role is Role.ASSISTANT:
            called = any(isinstance(part, ToolCall) for part in message.parts)
            thought = [part for part in message.parts if isinstance(part, Reasoning)]
            return called and not any(own(p.signature, "anthropic") or own(p.hidden, "anthropic") for p in thought)
        if not any(isinstance(part, ToolResult) for part in message.parts):
            return False
    return False
