"""Lists the models that a client may ask for, in the words of each wire. Knows nothing of who answers for them.

OpenAI, Anthropic and Google share the path ``/v1/models``, so what is told there holds the words of all three. Sources:
https://platform.openai.com/docs/api-reference/models,
https://platform.claude.com/docs/en/api/models-list, https://ai.google.dev/api/models, https://docs.ollama.com/api/tags.

>>> wire, told = listing("/v1/models", ["fast"])
>>> wire, told["data"][0]["id"], told["has_more"]
('openai', 'fast', False)
"""

from collections.abc import Sequence

from karkhana.routing.wires.wire import Json

_LISTS = {"/v1/models": "openai", "/models": "openai", "/v1beta/models": "gemini", "/api/tags": "ollama"}
_BEGINNING = "1970-01-01T00:00:00Z"
"""Nobody asks a gateway when a model was made, but libraries want a date."""


def listing(path: str, names: Sequence[str]) -> tuple[str, Json | None] | None:
    """The wire that is spoken at ``path`` and the list, or the one model, that it names.

    ``None``: no models are told of there. The second is ``None`` for a model that is not among ``names``.
    """
    wire = _LISTS.get(path.rstrip("/"))
    if wire is not None:
        return wire, _listed(wire, names)
    for start in ("/v1/models/", "/v1beta/models/"):
        if path.startswith(start):
            wire, name = _LISTS[start[:-1]], path.removeprefix(start)
            return wire, _ENTRIES[wire](name) if name in names else None
    return None


def _openai(name: str) -> Json:
    ours = {"id": name, "object": "model", "created": 0, "owned_by": "karkhana"}
    return ours | {"type": "model", "display_name": name, "created_at": _BEGINNING} | _gemini(name)


def _gemini(name: str) -> Json:
    verbs = ["generateContent", "streamGenerateContent"]
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": verbs}


def _ollama(name: str) -> Json:
    return {"name": name, "model": name, "modified_at": _BEGINNING, "size": 0, "digest": "", "details": {}}


_ENTRIES = {"openai": _openai, "gemini": _gemini, "ollama": _ollama}


def _listed(wire: str, names: Sequence[str]) -> Json:
    entries = [_ENTRIES[wire](name) for name in names]
    if wire != "openai":
        return {"models": entries}
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None, "has_more": False}
    return {"object": "list", "data": entries, "models": entries} | ends
