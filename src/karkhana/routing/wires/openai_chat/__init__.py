"""OpenAI's Chat Completions, as a client of it and as a server of it; also what most compatible servers speak.

Source: https://platform.openai.com/docs/api-reference/chat (request, answer, stream chunks, errors).
"""

from karkhana.routing.wires.openai_chat.client import ChatClient
from karkhana.routing.wires.openai_chat.server import ChatServer
from karkhana.routing.wires.wire import Wire

WIRE = Wire("openai", ChatClient(), ChatServer())
