"""Where clients tell how the answers to their calls were. Knows nothing of what is learnt from it.

A call of another key is answered as one that never was, so that nobody learns what others ask.

>>> read(b'{"call": "18a4f-7", "passed": true}')
Word(call='18a4f-7', passed=True)
"""

import msgspec

from karkhana.domain.errors import DatabaseUnavailable, InfrastructureFailure
from karkhana.domain.routes import Report
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, Message, Receive, Send, body_of
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.clients import Clients
from karkhana.routing.gateway.doors import key_of
from karkhana.routing.gateway.sending import JSON, send_refusal, send_whole
from karkhana.routing.policy.notebook import Notebook
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest

PATH = "/v1/karkhana/outcomes"
LARGEST = 4096
"""Bytes of a word."""
_CONFLICT = 409
_UNAVAILABLE = 503


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a call's answer was, as its client says."""

    call: str
    passed: bool


def read(body: bytes) -> Word:
    """Raises :class:`BadRequest`."""
    try:
        return msgspec.json.decode(body, type=Word)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f'an outcome is written {{"call": "…", "passed": true}}: {error}') from error


async def take(notebook: Notebook | None, clients: Clients, scope: Message, receive: Receive, send: Send) -> None:
    """Answers one word on a call; it is written down before it is acknowledged."""
    wire, status = WIRES["openai"], None
    try:
        account = clients.known(key_of(scope["headers"]))
        word = read(await body_of(receive, LARGEST))
        told = Report.UNKNOWN if notebook is None else await notebook.report(word.call, account.key_id, word.passed)
        if told is Report.RECORDED:
            await send_whole(send, 200, msgspec.json.encode({"call": word.call, "recorded": True}), [JSON])
            return
        fault = ProviderFault(Fault.UNKNOWN_MODEL, f"no call {word.call[:100]!r} of this key can be told about")
        if told is Report.TWICE:
            fault = ProviderFault(Fault.INVALID, f"the call {word.call[:100]!r} was told about before")
            status = _CONFLICT
    except ClientLeft:
        return
    except BodyTooLong as error:
        fault, status = ProviderFault(Fault.TOO_LONG, str(error)), 413
    except BadRequest as error:
        fault = ProviderFault(Fault.INVALID, error.message)
    except ProviderFault as refused:
        fault = refused
    except (InfrastructureFailure, DatabaseUnavailable) as failure:
        fault, status = ProviderFault(Fault.OVERLOADED, failure.message), _UNAVAILABLE
    await send_refusal(send, wire, fault, status)
