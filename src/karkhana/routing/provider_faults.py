"""What a failed exchange with a provider means, without its key. Knows nothing of what is done next.

>>> from karkhana.http.errors import BodyStalled
>>> fault_of(BodyStalled("http://localhost/v1", "nothing came for 3 s")).fault
<Fault.TIMEOUT: 'timeout'>
"""

from karkhana.http.errors import BodyStalled, ConnectTimeout, HttpError, PoolExhausted, ResponseTimeout
from karkhana.routing.faults import Fault, ProviderFault

LONGEST_MESSAGE = 2000
"""Characters of a provider's message that are kept."""


class CannotSay(ProviderFault):
    """The wire has no words for this request, and nothing was sent; another wire may have them."""

    def __init__(self, message: str) -> None:
        super().__init__(Fault.INVALID, message, code="cannot_say")


class NotSent(ProviderFault):
    """The provider never got the request, so that it can have cost nothing."""


def fault_of(error: HttpError) -> ProviderFault:
    """The fault for an exchange that did not come to its end."""
    kind = ProviderFault if error.may_have_run else NotSent
    match error:
        case ConnectTimeout() | ResponseTimeout() | BodyStalled():
            return kind(Fault.TIMEOUT, error.message)
        case PoolExhausted():
            return kind(Fault.OVERLOADED, error.message)
        case _:
            return kind(Fault.BROKEN, error.message)


def broken(message: str, status: int = 0) -> ProviderFault:
    """An answer that broke off or makes no sense."""
    return ProviderFault(Fault.BROKEN, message, status=status)


def cleaned(fault: ProviderFault, secret: str) -> ProviderFault:
    """The same fault with a short message that does not hold the key.

    >>> cleaned(ProviderFault(Fault.UNAUTHORISED, "no such key: sk-1"), "sk-1").message
    'no such key: [key]'
    """
    for name in ("message", "code"):
        text = getattr(fault, name)
        setattr(fault, name, (text.replace(secret, "[key]") if secret else text)[:LONGEST_MESSAGE])
    fault.args = (fault.message,)
    return fault
