"""Every answer says how long it took, also one that the guard gives."""

import re

import pytest


@pytest.mark.parametrize("path", ["/", "/runs", "/healthz", "/static/app.css", "/runs/run_nothing"])
def test_an_answer_says_how_long_it_took(client, runs, path):
    assert re.fullmatch(r"app;dur=\d+\.\d", client.get(path).headers["server-timing"])


def test_a_refusal_does_too(client):
    client.cookies.clear()
    answer = client.get("/runs")
    assert answer.status_code == 401
    assert answer.headers["server-timing"].startswith("app;dur=")
