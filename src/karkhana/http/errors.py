"""What can go wrong between us and an upstream, one class per cause.

::

    HttpError                     url, and whether the request may have been carried out
    ├── ConnectFailed             no connection: name, route, refusal, TLS, proxy
    │   └── ConnectTimeout        no connection in time
    ├── PoolExhausted             no free connection in time
    ├── Disconnected              the connection ended before the answer began
    ├── ResponseTimeout           the answer did not begin in time
    ├── BodyStalled               the answer began, then nothing came for too long
    ├── BodyTruncated             the answer ended before its announced end
    ├── BodyTooLarge              the answer is longer than the caller wants to hold
    └── MalformedResponse         what came is no HTTP
"""

from typing import ClassVar


class HttpError(Exception):
    """An exchange with an upstream that did not come to its end."""

    may_have_run: ClassVar[bool] = True
    """Whether the upstream may have carried the request out, so that sending it again may do it twice."""

    def __init__(self, url: str, message: str) -> None:
        super().__init__(f"{url}: {message}")
        self.url = url
        self.message = message


class ConnectFailed(HttpError):
    """No connection: name, route, refusal, TLS, proxy."""

    may_have_run = False


class ConnectTimeout(ConnectFailed):
    """No connection in time."""


class PoolExhausted(HttpError):
    """No free connection in time."""

    may_have_run = False


class Disconnected(HttpError):
    """The connection ended before the answer began."""


class ResponseTimeout(HttpError):
    """The answer did not begin in time."""


class BodyStalled(HttpError):
    """The answer began, then nothing came for too long."""


class BodyTruncated(HttpError):
    """The answer ended before its announced end."""


class BodyTooLarge(HttpError):
    """The answer is longer than the caller wants to hold."""


class MalformedResponse(HttpError):
    """What came is no HTTP."""
