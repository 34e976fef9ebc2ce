"""Virtual keys: stored with the hash of their secret, never with the secret. Knows nothing of how it is made."""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import canonical
from karkhana.domain.virtual_keys import VirtualKey
from karkhana.storage.database import Database
from karkhana.storage.tables import virtual_keys


class VirtualKeyStore:
    """All virtual keys of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: VirtualKey, secret_sha256: str, connection: sa.Connection | None = None) -> None:
        """``secret_sha256``: in hexadecimal."""
        with self._database.joining(connection) as joined:
            joined.execute(sa.insert(virtual_keys).values(secret_sha256=secret_sha256, **_values(key)))

    def put(self, key: VirtualKey) -> None:
        """Change all of a key but its secret. Raises ``InvalidInput`` if there is no such key."""
        with self._database.writing() as connection:
            changed = sa.update(virtual_keys).where(virtual_keys.c.key_id == key.key_id).values(_values(key))
            if not connection.execute(changed).rowcount:
                raise _unknown(key.key_id)

    def remove(self, key_id: str, connection: sa.Connection | None = None) -> None:
        """Forget a key; what it did cost stays in the ledger. Raises ``InvalidInput`` if there is no such key."""
        with self._database.joining(connection) as joined:
            if not joined.execute(sa.delete(virtual_keys).where(virtual_keys.c.key_id == key_id)).rowcount:
                raise _unknown(key_id)

    def get(self, key_id: str) -> VirtualKey:
        """Raises ``InvalidInput`` if there is no such key."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(virtual_keys).where(virtual_keys.c.key_id == key_id)).first()
        if row is None:
            raise _unknown(key_id)
        return _key(row)

    def all(self) -> Mapping[str, VirtualKey]:
        """By the hashes of their secrets, the oldest first."""
        query = sa.select(virtual_keys).order_by(virtual_keys.c.created_at, virtual_keys.c.key_id)
        with self._database.reading() as connection:
            return {row.secret_sha256: _key(row) for row in connection.execute(query)}

    def version(self) -> tuple[int, int]:
        """Something else after each change; cheaper to ask for than the keys."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(virtual_keys.c.changed), 0))
        with self._database.reading() as connection:
            count, total = connection.execute(query).one()
        return int(count), int(total)


def _values(key: VirtualKey) -> dict[str, Any]:
    # a number of its own for each change, so that the sum of all tells that there was one
    return {
        **msgspec.structs.asdict(key),
        "models": canonical(key.models).decode(),
        "changed": secrets.randbits(40),
    }


def _key(row: sa.Row[Any]) -> VirtualKey:
    fields = {name: getattr(row, name) for name in VirtualKey.__struct_fields__}
    return VirtualKey(**{**fields, "models": tuple(msgspec.json.decode(row.models))})


def _unknown(key_id: str) -> InvalidInput:
    return InvalidInput(f"there is no key {key_id}", "list the keys to see their identifiers")
