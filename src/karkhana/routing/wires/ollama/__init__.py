"""Ollama's own interface (``/api/chat``), as a client of it and as a server of it. It streams one JSON value a line.

Source: https://docs.ollama.com/api/chat. Ollama's OpenAI-compatible interface is the wire ``openai``.
"""

from karkhana.routing.framing import JSON_LINES
from karkhana.routing.wires.ollama.client import OllamaClient
from karkhana.routing.wires.ollama.server import OllamaServer
from karkhana.routing.wires.wire import Wire

NAME = "ollama"
WIRE = Wire(NAME, OllamaClient(), OllamaServer(), JSON_LINES)
