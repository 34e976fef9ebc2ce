"""Whether traces are made. Cheap to import: what makes them takes half a second, which only those pay who want them.

>>> wanted({}), wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
(False, True)
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from karkhana.factory.traces import Traces

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ``OTEL_*`` names a collector and does not turn traces off."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


@contextmanager
def tracing(service: str, environ: Mapping[str, str] = os.environ) -> Iterator["Traces | None"]:
    """Traces while the block is open; ``None`` when nobody wants any."""
    if not wanted(environ):
        yield None
        return
    from karkhana.factory.traces import Traces

    traces = Traces(service, environ=environ)
    try:
        yield traces
    finally:
        traces.close()
