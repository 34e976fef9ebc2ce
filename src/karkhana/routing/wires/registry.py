"""The wires by their names."""

from karkhana.routing.wires import anthropic, openai_chat
from karkhana.routing.wires.wire import Wire

WIRES: dict[str, Wire] = {wire.name: wire for wire in (openai_chat.WIRE, anthropic.WIRE)}
