"""The dashboard's log of requests."""

import structlog
from starlette.testclient import TestClient


def test_each_request_has_an_identifier_and_a_line_without_its_query(client: TestClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = client.get("/runs?status=failed&token=tok-correct-horse")
    (line,) = [each for each in lines if each["event"] == "request.answered"]
    assert line["request"] == answer.headers["x-request-id"]
    assert (line["status"], line["path"], line["route"], line["account"]) == (200, "/runs", "/runs", "asha")
    assert line["bytes"] > 100
    assert "tok-correct-horse" not in str(lines)


def test_what_is_asked_every_few_seconds_is_only_told_to_who_debugs(client: TestClient) -> None:
    with structlog.testing.capture_logs() as lines:
        client.get("/healthz")
        client.get("/metrics")
        client.get("/static/app.css")
    assert {line["log_level"] for line in lines} == {"debug"}
    assert len(lines) == 3


def test_an_identifier_of_the_sender_is_not_taken(client: TestClient) -> None:
    answer = client.get("/runs", headers={"x-request-id": "chosen"})
    assert answer.headers["x-request-id"] != "chosen"
