"""The page Access: each role sees and keeps what is theirs, and no secret is where it could be read again."""

import re

import pytest
from web_support import PORT, as_if, signed_in

from karkhana.domain.access import Role
from karkhana.domain.access_settings import AccessSettings, Person
from karkhana.storage.audit import Audit
from karkhana.web.app import dashboard

SECRET = "correct horse battery staple"
TOKEN = re.compile(r"kk_[0-9A-Za-z]{36}")
NEW = {"name": "nightly", "role": "viewer", "product": "shop", "days": "30"}


@pytest.fixture
def seen_by(stores):
    """A client of somebody with roles, in a process of its own."""
    opened = []

    def made(name: str = "mira", **roles: str):
        app = dashboard(stores, account="asha", port=PORT)
        client = signed_in(as_if(app, name, **roles) if roles else app)
        opened.append(client.__enter__())
        return opened[-1]

    yield made
    for client in opened:
        client.__exit__(None, None, None)


def send(client, place: str, **form: str):
    return client.post(place, data={"csrf": client.form_token} | form)


def told(client, place: str, **form: str) -> str:
    answer = send(client, place, **form)
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"]).text
    return re.search(r'class="told" role="status">([^<]*)<', page)[1]


def newest(stores):
    return stores.audit.entries(limit=1)[0]


def everything_kept(stores) -> bytes:
    """What the database's files hold."""
    return b"".join(file.read_bytes() for file in stores.settings.home.iterdir() if file.is_file())


def once(client) -> str:
    return re.search(r'name="once" value="([^"]+)"', client.get("/access").text)[1]


def test_a_token_is_made_shown_once_and_works(client, stores):
    form = NEW | {"role": "operator", "once": once(client)}
    answer = send(client, "/access/tokens", **form)
    (secret,) = set(TOKEN.findall(answer.text))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    token = stores.tokens.opened_by(secret)
    assert (token.name, token.owner, dict(token.roles)) == ("nightly", "asha", {"shop": Role.OPERATOR})
    assert token.expires_at - token.created_at == 30 * 86_400
    entry = newest(stores)
    assert (entry.actor, entry.action, entry.target, entry.outcome) == ("asha", "token.create", token.token_id, "done")
    assert entry.details["roles"] == {"shop": "operator"}
    # a reload sends the form again: nothing is made, and nothing is shown
    assert "made; its secret was shown then" in told(client, "/access/tokens", **form)
    assert len(stores.tokens.all()) == 1
    page = client.get("/access")
    assert "nightly" in page.text
    assert TOKEN.findall(page.text) == []
    assert secret.encode() not in everything_kept(stores)


def test_a_token_is_revoked_and_shown_as_over(client, stores):
    token, secret = stores.tokens.create("nightly", {"shop": Role.VIEWER}, seconds=600, owner="asha")
    assert "opens nothing any more" in told(client, "/access/tokens/revoke", token=token.token_id)
    assert stores.tokens.opened_by(secret) is None
    assert (newest(stores).action, newest(stores).target) == ("token.revoke", token.token_id)
    assert "Tokens that are over (1)" in client.get("/access").text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": ""}, "name must be"),
        ({"name": "x" * 101}, "name must be"),
        ({"role": "owner"}, "needs a role"),
        ({"days": "0"}, "must expire"),
        ({"days": "367"}, "must expire"),
        ({"days": "soon"}, "must expire"),
        ({"product": ""}, "needs a role for a product"),
    ],
)
def test_what_is_no_token_is_not_made(client, stores, wrong, why):
    assert why in told(client, "/access/tokens", **(NEW | wrong))
    assert stores.tokens.all() == []
    assert (newest(stores).action, newest(stores).outcome) == ("token.create", "refused")


def test_who_is_no_admin_gives_what_they_have_and_for_thirty_days(seen_by, stores):
    mira = seen_by(shop="operator", bank="viewer")
    assert send(mira, "/access/tokens", **NEW).status_code == 200
    assert send(mira, "/access/tokens", **(NEW | {"role": "operator"})).status_code == 200
    for more in ({"role": "approver"}, {"product": "bank", "role": "operator"}, {"product": "*"}, {"product": "mill"}):
        assert "you have not the role" in told(mira, "/access/tokens", **(NEW | more)), more
    assert "30 days at most" in told(mira, "/access/tokens", **(NEW | {"days": "31"}))
    assert len(stores.tokens.all()) == 2
    page = mira.get("/access").text
    assert 'value="365"' not in page
    assert "<option>operator</option>" in page
    assert "<option>approver</option>" not in page


def test_who_has_less_of_one_product_gives_no_more_of_it_with_all(seen_by, stores):
    kim = seen_by("kim", everything="admin", bank="viewer")
    assert "role admin for bank" in told(kim, "/access/tokens", **(NEW | {"product": "*", "role": "admin"}))
    assert send(kim, "/access/tokens", **(NEW | {"role": "admin", "days": "365"})).status_code == 200
    assert [dict(token.roles) for token in stores.tokens.all()] == [{"shop": Role.ADMIN}]


def test_everybody_sees_their_own_tokens_and_admins_those_of_their_products(seen_by, stores):
    for owner, product in (("mira", "shop"), ("kim", "shop"), ("kim", "bank"), ("kim", "*")):
        stores.tokens.create(f"{owner}-{product}", {product: Role.VIEWER}, seconds=600, owner=owner)
    stores.tokens.create("both", {"shop": Role.VIEWER, "bank": Role.VIEWER}, seconds=600, owner="kim")

    def names(client) -> set[str]:
        return set(re.findall(r'<th scope="row">([\w*-]+)<span class="quiet id">tok-', client.get("/access").text))

    assert names(seen_by("mira", shop="approver")) == {"mira-shop"}
    assert names(seen_by("mira", shop="admin")) == {"mira-shop", "kim-shop"}
    assert names(seen_by("ravi", everything="operator")) == set()
    assert names(seen_by("ravi", everything="admin")) == {"mira-shop", "kim-shop", "kim-bank", "kim-*", "both"}


def test_a_token_of_others_is_as_one_that_does_not_exist(seen_by, stores):
    token, secret = stores.tokens.create("kims", {"bank": Role.VIEWER}, seconds=600, owner="kim")
    mira = seen_by(shop="admin")
    answers = [told(mira, "/access/tokens/revoke", token=each) for each in (token.token_id, "tok-000000000000")]
    assert answers[0].replace(token.token_id, "tok-000000000000") == answers[1]
    assert stores.tokens.opened_by(secret) is not None


def test_an_act_its_audit_and_its_memory_are_one(seen_by, stores, monkeypatch):
    client, record = seen_by(), Audit.record_within

    def broken(*words, **more):
        record(*words, **more)
        raise ZeroDivisionError

    key = once(client)
    with monkeypatch.context() as patched:
        patched.setattr(Audit, "record_within", broken)
        with pytest.raises(ZeroDivisionError):
            send(client, "/access/tokens", **NEW, once=key)
    assert stores.tokens.all() == []
    assert send(client, "/access/tokens", **NEW, once=key).status_code == 200


@pytest.fixture
def sealing(stores, tmp_path):
    stores.sealed._file.path = tmp_path / "keys" / "secrets.key"
    return stores.sealed


def test_a_secret_is_set_replaced_and_deleted_and_never_shown(client, stores, sealing, capfd):
    answer = send(client, "/access/secrets", name="slack-token", value=SECRET, once=once(client))
    assert answer.status_code == 303
    assert SECRET.split()[0] not in answer.headers["location"]
    assert sealing.reveal("slack-token") == SECRET
    entry = newest(stores)
    assert (entry.action, entry.target, entry.details) == ("secret.set", "slack-token", {"version": 1})
    page = client.get("/access").text
    assert "slack-token" in page
    assert "karkhana secrets set" not in page, "it is not empty"
    assert "version 2" in told(client, "/access/secrets", name="slack-token", value="line one\r\nline two\r\n")
    assert sealing.reveal("slack-token") == "line one\nline two"
    assert SECRET not in page + client.get("/access").text + capfd.readouterr().out
    assert SECRET.encode() not in everything_kept(stores)
    assert "is forgotten" in told(client, "/access/secrets/remove", name="slack-token")
    assert sealing.all() == []
    assert (newest(stores).action, newest(stores).target) == ("secret.remove", "slack-token")


def test_a_value_in_the_wrong_field_is_told_to_nobody(client, stores, sealing):
    answer = send(client, "/access/secrets", name=SECRET, value="slack", once=once(client))
    assert answer.status_code == 303
    assert "correct" not in answer.headers["location"]
    assert newest(stores).outcome == "refused"
    assert "horse" not in repr(newest(stores))
    assert b"horse" not in everything_kept(stores)


def test_what_is_remembered_of_a_secrets_form_cannot_be_guessed_from(client, stores, sealing):
    """The same words from two sessions leave nothing that is the same: it is no plain hash of them."""
    with signed_in(dashboard(stores, account="asha", port=PORT)) as other:
        for each in (client, other):
            send(each, "/access/secrets", name="pin", value="1234", once=once(each))
    with stores.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT request FROM api_answers").scalars().all()
    assert len(set(kept)) == 2


@pytest.mark.parametrize("roles", [{"shop": "admin"}, {"everything": "approver"}])
def test_secrets_are_those_of_an_admin_of_everything(seen_by, stores, sealing, roles):
    sealing.put("slack-token", SECRET, by="asha")
    mira = seen_by(**roles)
    assert "slack-token" not in mira.get("/access").text
    for place in ("/access/secrets", "/access/secrets/remove"):
        assert send(mira, place, name="slack-token", value="mine").status_code == 404
        assert (newest(stores).actor, newest(stores).outcome) == ("mira", "refused")
    assert sealing.reveal("slack-token") == SECRET


def test_sessions_are_listed_and_ended_but_for_this_one(client, stores):
    site = client.app.state.site
    others = [site.doors.enter(site.doors.link()) for _ in range(3)]
    page = client.get("/access").text
    handles = re.findall(r'name="session" value="([0-9a-f]{16})"', page)
    assert len(handles) == 3
    assert page.count("this one</span>") == 1
    assert not any(session_id in page for session_id in (*others, client.cookies[site.cookie]))
    assert "1 session was ended" in told(client, "/access/sessions/end", session=handles[0])
    assert site.doors.session(others[2]) is None, "the newest comes first"
    assert (newest(stores).action, newest(stores).target) == ("session.end", handles[0])
    assert "no such session" in told(client, "/access/sessions/end", session=handles[0])
    assert "no such session" in told(client, "/access/sessions/end")
    assert "2 sessions were ended" in told(client, "/access/sessions/end", all="1")
    assert [site.doors.session(session_id) for session_id in others] == [None] * 3
    assert client.get("/access").status_code == 200


@pytest.fixture
def team(stores):
    """A page as a team's admin of the shop, of all, or a viewer sees it; without a sign-in."""
    access = AccessSettings(
        mode="team",
        people={
            "kim@example.org": Person(name="kim", roles={"shop": Role.APPROVER}),
            "ravi@example.org": Person(roles={"bank": Role.ADMIN}),
            "zoe": Person(roles={"*": Role.VIEWER, "shop": Role.OPERATOR}),
        },
        groups={"tellers": {"bank": Role.OPERATOR}, "all": {"*": Role.VIEWER}},
    )

    def page(**roles: str) -> str:
        app = dashboard(stores, account="asha", port=PORT)
        app.state.site.threshold.roster._current = access
        with signed_in(as_if(app, "mira", **roles)) as opened:
            return re.sub(r"\s+", " ", opened.get("/access").text)

    return page


def test_people_and_roles_are_shown_to_admins_as_far_as_their_products_go(team):
    whole = team(everything="admin")
    for found in ("kim@example.org", "ravi@example.org", "viewer of all products", "everybody in tellers"):
        assert found in whole
    shop = team(shop="admin")
    assert "approver of shop" in shop
    assert "everybody in all</th><td>group</td><td>viewer of shop" in shop
    assert not any(word in shop for word in ("ravi", "bank", "tellers"))
    assert "People and their roles" not in team(everything="approver")


def test_one_person_is_told_where_a_team_is_named(client):
    page = client.get("/access").text
    assert "config.toml" in page
    assert "karkhana tokens create" in page
    assert "karkhana secrets set NAME" in page


def test_a_chosen_product_leaves_out_tokens_of_others(client, stores):
    stores.tokens.create("of-shop", {"shop": Role.VIEWER}, seconds=600, owner="asha")
    stores.tokens.create("of-bank", {"bank": Role.VIEWER}, seconds=600, owner="asha")
    client.cookies.set("karkhana_product", "shop")
    page = client.get("/access").text
    assert "of-shop" in page
    assert "of-bank" not in page


def test_a_form_without_the_pages_own_token_does_nothing(client, stores):
    for place in ("/access/tokens", "/access/secrets", "/access/sessions/end"):
        assert client.post(place, data=NEW | {"csrf": "0" * 64}).status_code == 403
    assert stores.tokens.all() == []


def test_an_expired_token_is_over(client, stores, monkeypatch):
    token, _ = stores.tokens.create("late", {"shop": Role.VIEWER}, seconds=1, owner="asha")
    monkeypatch.setattr("karkhana.web.pages.access.time.time", lambda: token.expires_at + 1)
    page = client.get("/access").text
    assert "Tokens that are over (1)" in page
    assert "expired" in page
