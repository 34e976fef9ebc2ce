"""Tokens, sessions and sealed secrets on PostgreSQL, as test_token_store.py and its neighbours tell of SQLite."""

import pytest

from karkhana.domain.access import Role
from karkhana.storage.database import open_database
from karkhana.storage.sealed import SealedSecrets
from karkhana.storage.session_store import SessionStore
from karkhana.storage.token_store import TokenStore


@pytest.mark.postgres
def test_the_stores_of_access_work_there(postgres_migrated_url, tmp_path, clock):
    with open_database(postgres_migrated_url, tmp_path / "home") as database:
        tokens, sessions = TokenStore(database, clock), SessionStore(database, clock)
        sealed = SealedSecrets(database, tmp_path / "secrets.key", clock=clock)
        token, secret = tokens.create("nightly", {"shop": Role.OPERATOR}, seconds=60, owner="asha")
        assert tokens.opened_by(secret).roles == {"shop": Role.OPERATOR}
        assert tokens.revoke(token.token_id).revoked_at is not None
        assert tokens.opened_by(secret) is None

        session_id = sessions.begin("s-1", "", ("a", "b"), 60)
        assert sessions.find(session_id).groups == ("a", "b")
        assert sessions.end_all("s-1") == 1
        assert sessions.find(session_id) is None

        sealed.put("slack", "one", by="asha")
        assert sealed.put("slack", "two", by="asha").version == 2
        assert sealed.rotate() == 1
        assert sealed.reveal("slack") == "two"
