"""Anthropic's Messages, as a client of it and as a server of it.

Source: https://platform.claude.com/docs/en/api/messages (request, answer, stream events, errors). Structured output
is ``output_config.format``; the older ``output_format`` is still read.
"""

from karkhana.routing.wires.anthropic.client import MessagesClient
from karkhana.routing.wires.anthropic.server import MessagesServer
from karkhana.routing.wires.wire import Wire

NAME = "anthropic"
WIRE = Wire(NAME, MessagesClient(), MessagesServer())
