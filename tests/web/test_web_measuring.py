"""What the dashboard counts of itself, and who may read it."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from web_support import PORT

from karkhana.domain.settings import MetricsSettings
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.web.app import dashboard
from karkhana.web.measuring import Measured

TOKEN = "t" * 20


def here(app: Starlette, peer: str = "127.0.0.1") -> TestClient:
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", client=(peer, 5))


def figures(app: Starlette) -> str:
    answer = here(app).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text


def test_requests_are_counted_by_their_routes(client: TestClient, app: Starlette, runs: dict[str, str]) -> None:
    for run_id in runs.values():
        assert client.get(f"/runs/{run_id}").status_code == 200
    assert client.get("/no/such/page").status_code == 404
    client.request("BREW", "/runs")
    text = figures(app)
    assert 'karkhana_http_requests_total{method="GET",route="/runs/{run_id}",status="200"} 4.0' in text
    assert 'karkhana_http_request_seconds_count{route="/runs/{run_id}"} 4.0' in text
    assert 'method="other"' in text
    for untold in (*runs.values(), "/no/such", "BREW"):
        assert untold not in text
    assert 'karkhana_tasks{status="delivered"} 1.0' in text


def test_requests_of_the_api_are_counted_by_their_operations(
    client: TestClient, app: Starlette, runs: dict[str, str]
) -> None:
    for run_id in runs.values():
        assert client.get(f"/api/v1/runs/{run_id}").status_code == 200
    assert client.get("/api/v1/runs/none").status_code == 404
    assert client.get("/api/v1/nothing").status_code == 404
    counted = set(re.findall(r'karkhana_http_requests_total{.*route="(.*?)",status="(.*?)"}', figures(app)))
    assert counted >= {("/api/v1/runs/{run_id}", "200"), ("/api/v1/runs/{run_id}", "404"), ("other", "404")}
    assert not any("path" in route for route, _ in counted)


def test_an_open_page_that_is_kept_up_to_date_is_counted_once_it_is_closed_no_more(app: Starlette) -> None:
    (middleware,) = [each for each in app.user_middleware if each.cls is Measured]
    metrics = middleware.kwargs["metrics"]

    async def stream(_scope: object, _receive: object, send: object) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        assert metrics.registry.get_sample_value("karkhana_http_streams") == 1
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    measured = Measured(stream, metrics=metrics)
    assert TestClient(measured).get("/live").status_code == 200
    assert metrics.registry.get_sample_value("karkhana_http_streams") == 0


def test_only_this_machine_reads_them_without_a_token(app: Starlette) -> None:
    assert here(app, "10.0.0.9").get("/metrics").status_code == 403
    assert here(app).get("/metrics", headers={"x-forwarded-for": "10.0.0.9"}).status_code == 403
    assert here(app).get("/metrics", headers={"host": "evil.example"}).status_code == 403
    assert here(app).post("/metrics").status_code != 200


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Starlette]:
    settings = msgspec.structs.replace(
        load_settings({}), home=tmp_path / "home", database_url=None, metrics=MetricsSettings(token=TOKEN)
    )
    with open_stores(settings) as stores:
        yield dashboard(stores, account="asha", port=PORT)


def test_with_a_token_whoever_shows_it_reads_them_from_anywhere(guarded: Starlette) -> None:
    assert here(guarded).get("/metrics").status_code == 403
    shown = {"authorization": f"Bearer {TOKEN}", "host": "serve.internal:8321"}
    assert here(guarded, "10.0.0.9").get("/metrics", headers=shown).status_code == 200


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="16 characters"):
        MetricsSettings(token="short")
