"""Nobody gets past the guard but by a link, from our own address, with our own forms."""

import pytest
from starlette.testclient import TestClient
from web_support import DIGEST, HOST

from karkhana.web.guard import LARGEST_FORM

EVERY_PAGE = ("/", "/runs", "/approvals", "/jump?q=a", "/help", "/runs/x", "/runs/x/trail/1", "/runs/x/patch", "/live")


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_without_a_session_there_is_nothing_but_the_door(app, path):
    with TestClient(app, base_url=f"http://{HOST}", headers={"accept": "text/html"}) as client:
        answer = client.get(path)
        assert answer.status_code == 401
        assert "karkhana serve" in answer.text
        client.cookies.set("karkhana_8321", "made up")
        assert client.get(path).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8321.evil.example", ""])
def test_another_host_is_refused_though_the_session_is_right(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "Now" not in answer.text


def test_a_link_signs_in_once(app):
    token = app.state.site.doors.link()
    with TestClient(app, base_url=f"http://{HOST}", follow_redirects=False) as client:
        answer = client.get(f"/enter?token={token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/").status_code == 200
        client.cookies.clear()
        assert client.get(f"/enter?token={token}").status_code == 403
        assert client.get("/").status_code == 401


def test_guessing_links_is_slowed_down(app):
    with TestClient(app, base_url=f"http://{HOST}") as client:
        codes = [client.get(f"/enter?token={n}").status_code for n in range(12)]
        assert codes == [403] * 10 + [429] * 2
        # other sites can use the tries up, and must not lock anybody out
        assert client.get(f"/enter?token={app.state.site.doors.link()}", follow_redirects=False).status_code == 303
        demands = [client.post("/link", headers={"origin": f"http://{HOST}"}).status_code for _ in range(11)]
        assert demands == [200] * 10 + [429]


def test_a_new_link_is_told_on_the_terminal_only(app, links):
    with TestClient(app, base_url=f"http://{HOST}", headers={"origin": f"http://{HOST}"}) as client:
        answer = client.post("/link")
        assert answer.status_code == 200
        assert len(links) == 1
        assert links[0] not in answer.text
        assert app.state.site.doors.enter(links[0]) is not None


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8321"])
def test_a_form_from_elsewhere_is_refused(client, runs, answers, origin):
    form = {"csrf": client.form_token, "verdict": "approve", "seen": DIGEST}
    assert client.post(f"/runs/{runs['waiting']}/answer", data=form, headers={"origin": origin}).status_code == 403
    assert answers.given == []


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_without_the_token_is_refused(client, runs, answers, token):
    form = {"csrf": token, "verdict": "approve", "seen": DIGEST}
    assert client.post(f"/runs/{runs['waiting']}/answer", data=form).status_code == 403
    assert answers.given == []


def test_a_form_may_not_be_huge_and_other_methods_do_nothing(client):
    assert client.post("/theme", data={"csrf": "x" * LARGEST_FORM}).status_code == 413
    assert client.request("DELETE", "/runs").status_code == 405


@pytest.mark.parametrize("path", ["/", "/enter?token=x", "/healthz", "/nothing", "/static/app.css"])
def test_every_answer_says_what_a_page_may_do(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")


def test_who_signs_out_is_out(client):
    assert client.post("/leave", data={"csrf": client.form_token}).status_code == 303
    assert client.get("/").status_code == 401


def test_health_needs_no_session(app):
    with TestClient(app, base_url=f"http://{HOST}") as client:
        assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
