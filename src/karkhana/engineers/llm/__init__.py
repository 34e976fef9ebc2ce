"""The engineer that asks a language model what to do next.

It acts through the same tools, budget and trail as every other engineer. It knows neither queues nor providers: a
model is whatever answers a :class:`karkhana.domain.chat.ChatRequest`.
"""

from karkhana.engineers.llm.engineer import LlmEngineer

__all__ = ["LlmEngineer"]
