"""Records the requests that a web application gets, so that a later change can be asked the same.

Put one of the two in front of an application, in a test run or on a staging machine:

    app = RecordAsgi(app, "recordings/shop.har")        # FastAPI, Starlette, Quart, Django
    app = RecordWsgi(app, "recordings/shop.har")        # Flask, Django, Falcon, Bottle

Commit the file; the gate ``traffic`` replays what lies in ``*.har``. Secrets are left out by the names of headers,
cookies, parameters and fields, and by their shape. Standard library only; knows nothing of the rest of Karkhana.
"""

from karkhana.recording.asgi import RecordAsgi
from karkhana.recording.har import HarFile
from karkhana.recording.wsgi import RecordWsgi

__all__ = ["HarFile", "RecordAsgi", "RecordWsgi"]
