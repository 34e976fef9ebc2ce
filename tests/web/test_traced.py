"""Spans of requests and deliveries of the whole dashboard."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
from web_support import PORT, repository

from karkhana.domain.settings import IntakeDoor
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.factory.traces import Traces
from karkhana.web.app import dashboard

SECRET = "a secret of some length"
ISSUE = {"number": 7, "title": "total() is wrong", "html_url": "https://forge.test/7", "labels": []}
BODY = {
    "action": "opened",
    "issue": ISSUE,
    "repository": {"full_name": "octo/shop", "default_branch": "main"},
    "sender": {"login": "asha"},
}


def delivered(client: TestClient, name: str) -> Any:
    body = json.dumps(BODY).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-github-event": "issues", "x-github-delivery": name}
    return client.post("/hooks/forge", content=body, headers={**headers, "x-hub-signature-256": f"sha256={signature}"})


def test_a_delivery_and_its_task_know_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_SECRET", SECRET)
    root, _commit = repository(tmp_path / "shop")
    door = IntakeDoor(
        kind="github", secret_variables=("FORGE_SECRET",), repositories={"*": str(root)}, senders=("asha",)
    )
    usual = load_settings({})
    settings = msgspec.structs.replace(usual, home=tmp_path / "home", database_url=None, intake={"forge": door})
    exporter = InMemorySpanExporter()
    traces = Traces("serve", exporter)
    with open_stores(settings) as stores:
        app = dashboard(stores, account="asha", port=PORT, traces=traces)
        with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as client:
            task_id = delivered(client, "d-1").json()["task_id"]
            assert delivered(client, "d-1").json()["task_id"] == task_id
            client.get("/runs")
            client.get("/healthz")
    traces.close()
    spans = exporter.get_finished_spans()
    # nobody is signed in, so that no route answers /runs
    assert sorted(span.name for span in spans) == ["GET other", "POST /hooks/{name}", "POST /hooks/{name}", "task"]
    (task,) = [span for span in spans if span.name == "task"]
    assert (task.attributes or {})["karkhana.task.id"] == task_id
    asked = [span for span in spans if (span.attributes or {}).get("karkhana.task.id") == task_id and span is not task]
    assert [link.context.span_id for link in task.links] == [span.context.span_id for span in asked if span.context]
    assert "total() is wrong" not in str([span.to_json() for span in spans])
