"""Signing in with a real provider on loopback: only its word, for us, for this attempt, lets anybody in."""

import base64
import dataclasses
import json
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from joserfc import jwk, jwt
from oidc_support import CLIENT, PUBLIC, SECRET, FakeProvider, provider
from starlette.testclient import TestClient

from karkhana.domain.access import Role
from karkhana.domain.access_settings import AccessSettings, Person
from karkhana.domain.access_tokens import new_secret
from karkhana.domain.errors import InvalidSetting
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.web.app import dashboard

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def made_provider() -> Iterator[FakeProvider]:
    with provider() as opened:
        yield opened


@pytest.fixture
def idp(made_provider: FakeProvider) -> FakeProvider:
    made_provider.reset()
    return made_provider


def access_for(issuer: str, **more) -> AccessSettings:
    return AccessSettings(
        mode="team",
        public_url=PUBLIC,
        issuer=issuer,
        client_id=CLIENT,
        client_secret_sealed="oidc",
        people={"asha@example.org": Person(name="asha", roles={"shop": Role.APPROVER})},
        groups={"developers": {"*": Role.VIEWER}},
        **more,
    )


@pytest.fixture
def stores(tmp_path: Path, idp: FakeProvider) -> Iterator[Stores]:
    settings = msgspec.structs.replace(
        load_settings({}),
        home=tmp_path / "home",
        database_url=None,
        access=access_for(idp.issuer),
        secrets_key_file=tmp_path / "secrets.key",
    )
    with open_stores(settings) as opened:
        opened.sealed.put("oidc", SECRET, by="asha")
        yield opened


@pytest.fixture
def app(stores: Stores):
    return dashboard(stores, account="asha", port=443, answering=lambda *_a, **_k: None)


@pytest.fixture
def patient(monkeypatch):
    """Lets one address fail as often as it likes."""
    monkeypatch.setattr("karkhana.web.threshold.FAILURES", 100_000)


@pytest.fixture
def strict(monkeypatch):
    """Lets nobody have more than was theirs at the beginning."""
    monkeypatch.setattr("karkhana.web.limits.PERIOD_S", 1e9)
    monkeypatch.setattr("karkhana.web.threshold.SIGN_INS", 100)


@pytest.fixture
def browser(app) -> Iterator[TestClient]:
    with TestClient(app, base_url=PUBLIC, follow_redirects=False, headers=HTML) as opened:
        yield opened


def signed_in(browser: TestClient, idp: FakeProvider, back: str = "/"):
    """The answer to a browser that comes back from the provider."""
    begun = browser.get("/signin", params={"back": back})
    assert begun.status_code == 303, begun.text
    return browser.get(idp.authorize(begun.headers["location"]))


def test_somebody_signs_in_and_out(browser, idp, stores):
    closed = browser.get("/runs?status=failed")
    assert closed.status_code == 401
    assert "/signin?back=%2Fruns%3Fstatus%3Dfailed" in closed.text
    answer = signed_in(browser, idp, "/runs?status=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?status=failed")
    cookies = {each.split("=")[0]: each.lower() for each in answer.headers.get_list("set-cookie")}
    session = cookies["__Host-karkhana"]
    assert all(each in session for each in ("httponly", "secure", "path=/", "samesite=lax"))
    assert "max-age=0" in cookies["__Host-karkhana-login"]
    page = browser.get("/")
    assert page.status_code == 200
    assert "strict-transport-security" in page.headers
    assert ">asha<" in page.text
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    assert browser.post("/leave", data={"csrf": csrf}).status_code == 403
    kept = browser.cookies["__Host-karkhana"]
    assert browser.post("/leave", data={"csrf": csrf}, headers={"origin": PUBLIC}).status_code == 303
    browser.cookies.set("__Host-karkhana", kept)
    assert browser.get("/").status_code == 401
    assert [(e.action, e.actor, e.via) for e in stores.audit.entries()] == [
        ("session.end", "asha", "session"),
        ("session.begin", "asha", "session"),
    ]


def test_the_way_back_is_a_path_of_ours(patient, browser, idp):
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\\b", "x", "/a\n", "/" * 2000, ""):
        assert signed_in(browser, idp, back).headers["location"] == "/", back


def test_a_key_of_another_kind_signs_too(browser, idp):
    idp.add_key("second", "EC", "P-256")
    idp.algorithm, idp.signs_with = "ES256", "second"
    assert signed_in(browser, idp).status_code == 303


def test_a_new_key_is_found_when_it_is_needed(browser, idp, app, monkeypatch):
    assert signed_in(browser, idp).status_code == 303
    idp.add_key("second", "RSA", 2048)
    idp.published, idp.signs_with = ["second"], "second"
    later = time.time() + 60
    monkeypatch.setattr(app.state.site.threshold.provider, "_clock", lambda: later)
    assert signed_in(browser, idp).status_code == 303
    assert idp.asked.count("/keys") == 2


def unsigned(claims):
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, ""))


def with_another_key(claims):
    key = jwk.generate_key("RSA", 2048, {"kid": "first"})
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, key)


def with_our_own_secret(claims):
    key = jwk.import_key(SECRET * 3, "oct")
    return jwt.encode({"alg": "HS256", "kid": "first"}, claims, key, ["HS256"])


def with_the_public_key_as_secret(idp):
    def token(claims):
        key = jwk.import_key(idp.keys["first"].as_pem(private=False), "oct")
        return jwt.encode({"alg": "HS256", "kid": "first"}, claims, key, ["HS256"])

    return token


def altered(idp):
    def token(claims):
        head, _, signature = idp.signed(claims).split(".")
        changed = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "s-2"}).encode()).decode().rstrip("=")
        return f"{head}.{changed}.{signature}"

    return token


WRONG = {
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "nonces": {"nonce": ["another"]},
    "audience": {"aud": "another"},
    "audiences": {"aud": ["another"]},
    "several audiences": {"aud": [CLIENT, "another"]},
    "authorized party": {"azp": "another"},
    "issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1_700_000_000},
    "no end": {"exp": None},
    "issued tomorrow": {"iat": 4_000_000_000},
    "not yet": {"nbf": 4_000_000_000},
    "nobody": {"sub": ""},
    "no subject": {"sub": None},
}


def refused(browser, idp, stores, what):
    before = stores.audit.head()[0]
    answer = signed_in(browser, idp)
    assert answer.status_code == 400, (what, answer.text)
    assert "You are not signed in" in answer.text, what
    assert "__Host-karkhana" not in browser.cookies, what
    assert browser.get("/").status_code == 401, what
    assert [entry.outcome for entry in stores.audit.entries(after=before)] == ["refused"], what


def test_a_token_for_something_else_lets_nobody_in(patient, browser, idp, stores):
    for name, wrong in WRONG.items():
        idp.spoil = lambda claims, wrong=wrong: claims.update(wrong)
        refused(browser, idp, stores, name)
    idp.spoil = lambda _claims: None
    assert signed_in(browser, idp).status_code == 303


def test_a_token_that_is_not_the_providers_lets_nobody_in(patient, browser, idp, stores):
    forged = (unsigned, with_another_key, with_our_own_secret, with_the_public_key_as_secret(idp), altered(idp))
    for number, forge in enumerate((*forged, lambda _claims: "x.y.z", lambda _claims: "")):
        idp.token_of = forge
        refused(browser, idp, stores, number)
    idp.token_of = idp.signed
    assert signed_in(browser, idp).status_code == 303


def test_a_code_counts_once(browser, idp):
    begun = browser.get("/signin")
    login = browser.cookies["__Host-karkhana-login"]
    back = idp.authorize(begun.headers["location"])
    assert browser.get(back).status_code == 303
    browser.cookies.clear()
    assert browser.get(back).status_code == 400
    browser.cookies.set("__Host-karkhana-login", login)
    assert browser.get(back).status_code == 400
    assert "__Host-karkhana" not in browser.cookies


def test_a_sign_in_of_somebody_else_is_not_taken_over(app, browser, idp):
    """Log-in CSRF: an attacker's code in a victim's browser."""
    begun = browser.get("/signin")
    stolen = idp.authorize(begun.headers["location"])
    with TestClient(app, base_url=PUBLIC, follow_redirects=False, headers=HTML) as other:
        assert other.get(stolen).status_code == 400
        other.get("/signin")
        assert other.get(stolen).status_code == 400
        state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(stolen).query))["state"]
        other.cookies.set("__Host-karkhana-login", f"seed.{state}")
        assert other.get(stolen).status_code == 400


def test_an_answer_that_names_another_provider_is_refused(browser, idp):
    for stated, expected in (("https://evil.example", 400), (idp.issuer, 303)):
        back = idp.authorize(browser.get("/signin").headers["location"])
        assert browser.get(f"{back}&{urllib.parse.urlencode({'iss': stated})}").status_code == expected


def test_what_the_provider_refuses_is_told(browser, idp):
    begun = browser.get("/signin")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(begun.headers["location"]).query)["state"][0]
    answer = browser.get("/signin/done", params={"error": "access_denied", "state": state})
    assert answer.status_code == 400
    assert "the provider let nobody in" in answer.text


def test_an_address_that_was_not_verified_is_nobodys(patient, browser, idp, stores):
    for said in (False, None, "false", 1, "yes", ["true"]):
        idp.person |= {"email_verified": said, "groups": []}
        answer = signed_in(browser, idp)
        assert answer.status_code == 403, said
        assert "no role was given" in answer.text
        assert stores.audit.entries()[0].details["email"] == ""


def test_what_the_token_lacks_is_asked_for(browser, idp):
    full = dict(idp.person)
    idp.person = {"sub": "s-1"}
    idp.userinfo = full | {"sub": "s-2"}
    assert signed_in(browser, idp).status_code == 403


def test_userinfo_of_the_same_person_counts(browser, idp):
    idp.userinfo, idp.person = dict(idp.person), {"sub": "s-1"}
    assert signed_in(browser, idp).status_code == 303
    assert ">asha<" in browser.get("/").text


def test_a_provider_that_is_another_or_away_lets_nobody_in(browser, idp):
    idp.metadata = {"issuer": "https://evil.example"}
    assert browser.get("/signin").status_code == 502
    idp.metadata = {"token_endpoint": 7}
    assert browser.get("/signin").status_code == 502


def test_the_provider_is_not_asked_without_end(strict, browser, idp):
    begun = [browser.get("/signin") for _ in range(101)]
    assert [each.status_code for each in begun] == [303] * 100 + [429]
    back = idp.authorize(begun[99].headers["location"])
    asked = list(idp.asked)
    assert browser.get(back).status_code == 429
    assert idp.asked == asked


def test_an_office_behind_one_address_signs_in_whatever_fails_there(strict, browser, idp, stores):
    tried = [browser.get("/api/v1/me", headers={"authorization": f"Bearer {new_secret()}"}) for _ in range(21)]
    assert tried[-1].status_code == 429
    for _ in range(21):
        state = urllib.parse.parse_qs(browser.get("/signin").headers["location"])["state"][0]
        assert browser.get(f"/signin/done?code=made-up&state={state}").status_code == 400
    assert [signed_in(browser, idp).status_code for _ in range(21)] == [303] * 21
    assert browser.get("/").status_code == 200
    outcomes = [entry.outcome for entry in stores.audit.entries()]
    assert (outcomes.count("refused"), outcomes.count("done")) == (20, 21), "who fails without end fills no audit"


def test_the_ways_of_one_person_are_shut_for_a_team(browser, idp, app):
    link = app.state.site.doors.link()
    assert browser.get(f"/enter?token={link}").status_code == 401
    signed_in(browser, idp)
    assert browser.get(f"/enter?token={link}").status_code == 404
    assert browser.get("/", headers={"host": "127.0.0.1:443"}).status_code == 421
    assert browser.get("/healthz", headers={"host": "10.0.0.7"}).status_code == 200


def test_a_session_serves_every_process_and_ends_for_all(browser, idp, stores):
    signed_in(browser, idp)
    other = dashboard(stores, account="asha", port=443, answering=lambda *_a, **_k: None)
    with TestClient(other, base_url=PUBLIC, headers=HTML, cookies=dict(browser.cookies)) as second:
        assert second.get("/").status_code == 200
        stores.sessions.end_all("s-1")
        assert second.get("/").status_code == 401
        assert browser.get("/").status_code == 401


def test_a_team_without_its_settings_does_not_begin(stores):
    for name in ("public_url", "issuer", "client_id"):
        lacking = msgspec.structs.replace(stores.settings.access, **{name: ""})
        settings = msgspec.structs.replace(stores.settings, access=lacking)
        with pytest.raises(InvalidSetting, match=name):
            dashboard(dataclasses.replace(stores, settings=settings), account="asha", port=443)
