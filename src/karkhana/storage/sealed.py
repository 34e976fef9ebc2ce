"""Secrets that Karkhana keeps for somebody: sealed in the database, with a key that lies in a file beside it.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits; the name, the version and the key's identifier are
authenticated with it, so that no sealed value can stand in for another one in its row. Whoever has the
database, or a backup of it, has nothing without the file. Whatever was opened is redacted from then on. Knows nothing
of what secrets are for.

>>> # stores.sealed.put("slack", "xoxb-…", by="asha"); stores.sealed.reveal("slack")
"""

import base64
import contextlib
import fcntl
import os
import re
import secrets as random
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, SecretsUnavailable
from karkhana.domain.json import canonical
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import sealed_secrets
from karkhana.storage.upserting import upsert

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
LONGEST = 65_536
"""Bytes of a secret: a private key with its chain fits."""
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,62}")


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a secret."""

    name: str
    version: int
    """From 1 on; counts the values that it had."""
    changed_at: float
    """Seconds since the epoch."""
    changed_by: str


class KeyFile:
    """The keys, the one that seals first: one a line, its identifier and 32 bytes in base64."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys(self) -> dict[str, bytes]:
        """By identifier. Raises ``SecretsUnavailable`` when the file is missing, damaged or open to others.

        A link is followed, as Kubernetes mounts secrets: what counts is the file that was opened.
        """
        try:
            # not blocking: at the end of a link may be a pipe that nobody writes into
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SecretsUnavailable(
                f"the key of sealed secrets cannot be read: {self.path}: {error.strerror}",
                "put the file back from where you keep it, or set the secrets anew: karkhana secrets set NAME",
            ) from error
        with os.fdopen(descriptor) as file:
            if not _ours_alone(os.fstat(descriptor), os.geteuid()):
                raise SecretsUnavailable(
                    f"others could read or replace the key of sealed secrets: {self.path}",
                    f"make it yours alone: chmod 600 {self.path}",
                )
            lines = file.read(65_536).split("\n")
        try:
            pairs = [line.split() for line in lines if line.strip()]
            read = {name: base64.b64decode(text, validate=True) for name, text in pairs}
        except ValueError as error:
            raise _damaged(self.path) from error
        if not read or any(len(key) != KEY_BYTES for key in read.values()):
            raise _damaged(self.path)
        return read

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While the file may change, and what is sealed with its keys: one at a time, in whichever process.

        Raises ``SecretsUnavailable``.
        """
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SecretsUnavailable(
                f"the folder of the key of sealed secrets cannot be used: {folder}: {error.strerror}",
                "name a file that you can write: KARKHANA_SECRETS_KEY_FILE",
            ) from error
        try:
            # the folder, since the file itself is replaced
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def write(self, keys: dict[str, bytes]) -> None:
        """Replace the file at once, readable by nobody else. Raises ``SecretsUnavailable`` where that cannot be."""
        if self.path.is_symlink():
            # the old key would stay where the link leads to, and who made the link would put it back
            raise SecretsUnavailable(
                f"the key of sealed secrets is a link, and is changed where it leads to: {self.path}",
                "rotate with a copy of it as KARKHANA_SECRETS_KEY_FILE, then put that in the place of the original",
            )
        lines = "".join(f"{name} {base64.b64encode(key).decode()}\n" for name, key in keys.items())
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".secrets-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(lines)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self.path)
            # what is sealed with a key must not outlive it
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def current(self) -> tuple[str, bytes]:
        """The key that seals; the first time, it is made. For whoever :meth:`held` the file."""
        if not os.path.lexists(self.path):
            self.write(dict([new_key()]))
        return next(iter(self.keys().items()))


def _ours_alone(found: os.stat_result, user: int) -> bool:
    """Whether nobody else can read or replace a file.

    What root gives to a user through a group of theirs is that user's, as Kubernetes does with ``fsGroup``.
    """
    others = 0o037 if found.st_uid == 0 and user != 0 else 0o077
    return stat.S_ISREG(found.st_mode) and not found.st_mode & others and found.st_uid in (user, 0)


def new_key() -> tuple[str, bytes]:
    """An identifier and a key."""
    return f"k{random.token_hex(4)}", random.token_bytes(KEY_BYTES)


class SealedSecrets:
    """All sealed secrets of a database."""

    def __init__(
        self,
        database: Database,
        key_file: Path,
        *,
        learn: Callable[[str, str], None] = lambda _name, _value: None,
        clock: Clock = utc_now,
    ) -> None:
        """``learn`` is told each name and value that is opened or sealed, so that it is redacted from then on."""
        self._database = database
        self._file = KeyFile(key_file)
        self._learn = learn
        self._clock = clock

    def put(self, name: str, value: str, *, by: str) -> SealedSecret:
        """Seal a value, in place of the one that was there. Raises ``InvalidInput`` or ``SecretsUnavailable``."""
        with self.held(), self._database.writing() as connection:
            return self.put_within(connection, name, value, by=by)

    def held(self) -> contextlib.AbstractContextManager[None]:
        """What :meth:`put_within` needs, and takes before its transaction: the key file, for nobody else."""
        return self._file.held()

    def put_within(self, connection: sa.Connection, name: str, value: str, *, by: str) -> SealedSecret:
        """As :meth:`put`, in the caller's transaction, while the file is :meth:`held`."""
        if not _NAME.fullmatch(name):
            # not which: somebody may have typed the value here
            raise InvalidInput("that is no name of a secret", "use letters, digits, - _ and ., up to 63 of them")
        if not value or len(value.encode("utf-8", "surrogateescape")) > LONGEST:
            raise InvalidInput("the secret is empty or too long", f"it may have {LONGEST} bytes")
        self._learn(name, value)
        known = connection.execute(sa.select(sealed_secrets.c.key_id).limit(1)).scalar()
        if known is not None and not self._file.path.exists():
            # a new key would hide that all other secrets are lost
            self._file.keys()
        key_id, key = self._file.current()
        before = sa.select(sealed_secrets.c.version).where(sealed_secrets.c.name == name)
        version = (connection.execute(before).scalar() or 0) + 1
        row = _sealed(name, version, key_id, key, value) | {
            "changed_at": self._clock().timestamp(),
            "changed_by": by,
        }
        insert = upsert(connection, sealed_secrets).values(row)
        connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
        return SealedSecret(name=name, version=version, changed_at=row["changed_at"], changed_by=by)

    def reveal(self, name: str) -> str:
        """The value. Raises ``InvalidInput`` when there is no such secret, ``SecretsUnavailable`` without its key."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(sealed_secrets).where(sealed_secrets.c.name == name)).one_or_none()
        if row is None:
            raise InvalidInput(f"there is no sealed secret {name}", f"set it: karkhana secrets set {name}")
        value = _opened(row, self._file)
        self._learn(name, value)
        return value

    def all(self) -> list[SealedSecret]:
        """By name, without their values."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(sealed_secrets).order_by(sealed_secrets.c.name)).all()
        return [
            SealedSecret(name=row.name, version=row.version, changed_at=row.changed_at, changed_by=row.changed_by)
            for row in rows
        ]

    def remove(self, name: str, connection: sa.Connection | None = None) -> None:
        """Forget a secret. Raises ``InvalidInput`` when there is no such secret."""
        with self._database.joining(connection) as joined:
            if not joined.execute(sa.delete(sealed_secrets).where(sealed_secrets.c.name == name)).rowcount:
                raise InvalidInput(f"there is no sealed secret {name}", "see them: karkhana secrets list")

    def rotate(self) -> int:
        """Seal everything with a new key, and forget the old ones; how many secrets there are.

        The new key is in the file before anything is sealed with it, and the old ones leave it last: wherever this is
        cut off, everything can still be opened. Raises ``SecretsUnavailable``.
        """
        with self._file.held():
            return self._rotated()

    def _rotated(self) -> int:
        if not self._file.path.exists() and not self.all():
            self._file.current()
            return 0
        keys = self._file.keys()
        key_id, key = new_key()
        self._file.write({key_id: key, **keys})
        with self._database.writing() as connection:
            rows = connection.execute(sa.select(sealed_secrets)).all()
            for row in rows:
                sealed = _sealed(row.name, row.version, key_id, key, _opened(row, self._file))
                connection.execute(sa.update(sealed_secrets).where(sealed_secrets.c.name == row.name).values(sealed))
        self._file.write({key_id: key})
        return len(rows)


def _aes(key: bytes) -> "AESGCM":
    # 0.04 s, which only those pay who keep secrets
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bound(name: str, version: int, key_id: str) -> bytes:
    return canonical(["karkhana sealed secret", name, version, key_id])


def _sealed(name: str, version: int, key_id: str, key: bytes, value: str) -> dict[str, Any]:
    nonce = random.token_bytes(NONCE_BYTES)
    content = _aes(key).encrypt(nonce, value.encode("utf-8", "surrogateescape"), _bound(name, version, key_id))
    return {"name": name, "version": version, "key_id": key_id, "nonce": nonce, "sealed": content}


def _opened(row: sa.Row[Any], file: KeyFile) -> str:
    from cryptography.exceptions import InvalidTag  # as above

    key = file.keys().get(row.key_id)
    if key is None:
        raise SecretsUnavailable(
            f"the secret {row.name} was sealed with the key {row.key_id}, which is not in {file.path}",
            f"put that key back into the file, or set the secret anew: karkhana secrets set {row.name}",
        )
    try:
        value = _aes(key).decrypt(row.nonce, row.sealed, _bound(row.name, row.version, row.key_id))
    except (InvalidTag, ValueError) as error:
        raise SecretsUnavailable(
            f"the secret {row.name} was altered, or sealed with another key of the same name",
            f"set it anew: karkhana secrets set {row.name}",
        ) from error
    return value.decode("utf-8", "surrogateescape")


def _damaged(path: Path) -> SecretsUnavailable:
    return SecretsUnavailable(
        f"the key of sealed secrets is damaged: {path}", "put the file back from where you keep it"
    )
