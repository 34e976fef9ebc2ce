"""The wires by their names."""

from karkhana.routing.wires import anthropic, gemini, ollama, openai_chat, openai_responses
from karkhana.routing.wires.wire import Wire

WIRES: dict[str, Wire] = {
    wire.name: wire for wire in (openai_chat.WIRE, anthropic.WIRE, gemini.WIRE, openai_responses.WIRE, ollama.WIRE)
}
