"""A model whose answers are kept."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from benchmarks.local_model import LocalModel

from karkhana.domain.chat import ChatRequest, Message, Role, Text
from karkhana.domain.errors import ModelUnavailable

NOBODY = "http://127.0.0.1:9/v1"


def request(text: str) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role=Role.USER, parts=(Text(text=text),)),))


@contextmanager
def model(kept: Path) -> Iterator[LocalModel]:
    one = LocalModel(NOBODY, kept)
    try:
        yield one
    finally:
        one.close()


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    with model(file) as one:
        with pytest.raises(ModelUnavailable):
            one.ask(request("a"))
        assert one.asked == 0
    answer: dict[str, object] = {"model": "m", "stop": "end", "parts": [{"part": "text", "text": "yes"}]}
    answer["usage"] = {"input": 3, "output": 2}
    kept = {"question": digest(request("a")), "seconds": 7.5, "answer": answer}
    file.write_bytes(msgspec.json.encode(kept) + b"\n")
    with model(file) as one:
        assert one.ask(request("a")).answer.text == "yes"
        assert (one.asked, one.seconds, dict(one.tokens)) == (1, 7.5, {"prompt": 3, "answer": 2})
        with pytest.raises(ModelUnavailable):
            one.ask(request("b"))


def digest(asked: ChatRequest) -> str:
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
