"""Google's Gemini (generateContent, streamGenerateContent), as a client of it and as a server of it.

Source: https://ai.google.dev/api/generate-content (request, answer), https://ai.google.dev/gemini-api/docs/troubleshooting
(errors). The model stands in the path, and streams are asked for with ``alt=sse``.
"""

from karkhana.routing.wires.gemini.client import GeminiClient
from karkhana.routing.wires.gemini.server import GeminiServer
from karkhana.routing.wires.wire import Wire

NAME = "gemini"
WIRE = Wire(NAME, GeminiClient(), GeminiServer())
