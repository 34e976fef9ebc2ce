"""A form that is sent twice, as by a double click or a reload, is carried out once: each page's forms carry a key.

What is remembered of a form is an HMAC of it that only its session can make, since a form may hold a secret. Knows
nothing of what forms do.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TypeAlias

import sqlalchemy as sa
from starlette.requests import Request

from karkhana.domain.errors import InvalidInput
from karkhana.storage.answer_store import AnswerStore
from karkhana.web.site import Site, who

Keep: TypeAlias = Callable[[str, sa.Connection | None], None]
"""Remembers what is told, in the transaction of the work where there is one."""
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


def once(site: Site, request: Request, about: str, work: Callable[[Keep], str]) -> str:
    """What is told: of this form, or of the same one when it came before.

    ``about`` is what the form does, and with what. Work that keeps nothing came to nothing, and may be sent again.
    """
    form: dict[str, str] = request.state.form
    key = form.get("once", "")
    if not _KEY.fullmatch(key):
        return work(lambda _told, _connection: None)
    store, of = AnswerStore(site.stores.database), f"page:{who(request).via}:{who(request).name}"
    key = f"{key}:{about}"
    known = store.begin(of, key, _digest(request, form))
    if known.answer is not None:
        return known.answer.decode()
    if not known.mine:
        return "This form was sent before; what came of it stands on this page." if known.other else "It is under way."

    def keep(told: str, connection: sa.Connection | None) -> None:
        mine = store.keep(of, key, known.begun_at, told.encode(), connection)
        if not mine and connection is not None:
            # nothing of this one is written: whoever has the key now carries it out
            raise InvalidInput("it is under way", "Look at the page again")

    try:
        return work(keep)
    finally:
        # what was kept stays
        store.give_up(of, key, known.begun_at)


def _digest(request: Request, form: dict[str, str]) -> str:
    sent = "\0".join(f"{name}={value}" for name, value in sorted(form.items()) if name not in ("csrf", "once"))
    secret: str = request.state.session.form_token
    return hmac.new(secret.encode(), sent.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
