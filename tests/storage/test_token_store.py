"""A token opens what it is for, until it expires or is revoked; its secret is nowhere."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from karkhana.domain.access import Role
from karkhana.domain.errors import InvalidInput
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import access_tokens
from karkhana.storage.token_store import TokenStore

DAY = 86_400.0
ROLES = {"shop": Role.OPERATOR}


@pytest.fixture
def database_url(sqlite_home: Path) -> str:
    """One kind here; see test_access_postgres.py for the other."""
    return f"sqlite:///{sqlite_home}/karkhana.sqlite3"


@pytest.fixture
def tokens(database, clock) -> TokenStore:
    return TokenStore(database, clock)


def test_a_token_opens_until_it_expires(tokens, clock, database):
    token, secret = tokens.create("nightly", ROLES, seconds=DAY, owner="asha")
    opened = tokens.opened_by(secret)
    assert opened is not None
    principal = opened.principal()
    assert (principal.name, principal.via, principal.token_id) == ("token:nightly", "token", token.token_id)
    assert (principal.owner, principal.roles) == ("asha", ROLES)
    with database.reading() as connection:
        row = connection.execute(sa.select(access_tokens)).one()
    assert secret not in str(row)
    assert secret[3:30] not in str(row)
    clock.move(DAY - 1)
    assert tokens.opened_by(secret) is not None
    clock.move(1)
    assert tokens.opened_by(secret) is None
    assert not tokens.lives(token.token_id)


def test_a_revoked_token_opens_nothing(tokens):
    token, secret = tokens.create("nightly", ROLES, seconds=DAY, owner="asha")
    assert tokens.lives(token.token_id)
    ended = tokens.revoke(token.token_id)
    assert ended.revoked_at is not None
    assert tokens.opened_by(secret) is None
    assert not tokens.lives(token.token_id)
    assert tokens.revoke(token.token_id) == ended
    with pytest.raises(InvalidInput, match="no token"):
        tokens.revoke("tok-0")


def test_its_use_is_written_once_a_minute(tokens, clock):
    _, secret = tokens.create("nightly", ROLES, seconds=DAY, owner="asha")
    assert tokens.all()[0].used_at is None
    tokens.opened_by(secret)
    first = tokens.all()[0].used_at
    clock.move(59)
    tokens.opened_by(secret)
    assert tokens.all()[0].used_at == first
    clock.move(1)
    tokens.opened_by(secret)
    assert tokens.all()[0].used_at == first + 60


@pytest.mark.parametrize("secret", ["", "kk_", "x", "kk_" + "a" * 36, "kk_" + "é" * 36, "kk_" + "a" * 99])
def test_what_is_no_token_opens_nothing(tokens, secret):
    tokens.create("nightly", ROLES, seconds=DAY, owner="asha")
    assert tokens.opened_by(secret) is None


@pytest.mark.parametrize(
    ("name", "roles", "seconds"),
    [("", ROLES, DAY), ("a\nb", ROLES, DAY), ("a", {}, DAY), ("a", ROLES, 0), ("a", ROLES, 367 * DAY)],
)
def test_a_token_without_sense_or_end_is_refused(tokens, name, roles, seconds):
    with pytest.raises(InvalidInput):
        tokens.create(name, roles, seconds=seconds, owner="asha")
    assert tokens.all() == []


def test_a_token_is_redacted_wherever_it_stands(tokens):
    _, secret = tokens.create("nightly", ROLES, seconds=DAY, owner="asha")
    assert Redactor({}).text(f"curl -H 'Authorization: Bearer {secret}'") == (
        "curl -H 'Authorization: Bearer [redacted:karkhana-token]'"
    )
