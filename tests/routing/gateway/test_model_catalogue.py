"""The lists of models in the words of each wire."""

import pytest

from karkhana.routing.gateway.catalogue import listing

NAMES = ["fast", "smart"]


def test_openai_anthropic_and_google_read_the_same_list() -> None:
    found = listing("/v1/models", NAMES)
    assert found is not None
    wire, told = found
    assert wire == "openai"
    assert told is not None
    assert [entry["id"] for entry in told["data"]] == NAMES
    assert {entry["object"] for entry in told["data"]} == {"model"}
    assert [entry["name"] for entry in told["models"]] == ["models/fast", "models/smart"]
    assert (told["object"], told["first_id"], told["last_id"], told["has_more"]) == ("list", "fast", "smart", False)


def test_gemini_and_ollama_have_lists_of_their_own() -> None:
    gemini = listing("/v1beta/models", NAMES)
    assert gemini is not None
    assert gemini[0] == "gemini"
    assert [entry["name"] for entry in (gemini[1] or {})["models"]] == ["models/fast", "models/smart"]
    ollama = listing("/api/tags", NAMES)
    assert ollama is not None
    assert [entry["model"] for entry in (ollama[1] or {})["models"]] == NAMES


@pytest.mark.parametrize("start", ["/v1/models/", "/v1beta/models/"])
def test_one_model_is_told_or_is_not_there(start: str) -> None:
    found, missing = listing(start + "fast", NAMES), listing(start + "nobody", NAMES)
    assert found is not None
    assert found[1] is not None
    assert missing is not None
    assert missing[1] is None


def test_without_models_the_list_is_empty() -> None:
    found = listing("/v1/models", [])
    assert found is not None
    assert found[1] == {
        "object": "list",
        "data": [],
        "models": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_elsewhere_no_models_are_told() -> None:
    assert listing("/v1/chat/completions", NAMES) is None
