"""OpenAI's Responses, as a client of it and as a server of it.

Source: https://platform.openai.com/docs/api-reference/responses (items, streaming events). Nothing is kept between
requests: a conversation is always sent whole, and reasoning comes back encrypted.
"""

from karkhana.routing.wires.openai_responses.client import ResponsesClient
from karkhana.routing.wires.openai_responses.server import ResponsesServer
from karkhana.routing.wires.wire import Wire

NAME = "openai_responses"
WIRE = Wire(NAME, ResponsesClient(), ResponsesServer())
