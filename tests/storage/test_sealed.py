"""A sealed secret opens with its key and its own name, and with nothing else."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, SecretsUnavailable
from karkhana.storage.redaction import Redactor
from karkhana.storage.sealed import KeyFile, SealedSecrets, _ours_alone, new_key
from karkhana.storage.tables import sealed_secrets

VALUE = "xoxb-correct-horse\nline two ü"


@pytest.fixture
def database_url(sqlite_home: Path) -> str:
    """One kind here; see test_access_postgres.py for the other."""
    return f"sqlite:///{sqlite_home}/karkhana.sqlite3"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "secrets.key"


@pytest.fixture
def sealed(database, key_file, clock) -> SealedSecrets:
    return SealedSecrets(database, key_file, clock=clock)


def test_a_secret_is_told_again_as_it_was(sealed, key_file):
    first = sealed.put("slack", VALUE, by="asha")
    assert (first.version, first.changed_by) == (1, "asha")
    assert sealed.reveal("slack") == VALUE
    assert sealed.put("slack", "other", by="ravi").version == 2
    assert sealed.reveal("slack") == "other"
    assert [(each.name, each.version, each.changed_by) for each in sealed.all()] == [("slack", 2, "ravi")]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    sealed.remove("slack")
    with pytest.raises(InvalidInput, match="no sealed secret"):
        sealed.reveal("slack")
    with pytest.raises(InvalidInput, match="no sealed secret"):
        sealed.remove("slack")


def test_nothing_of_it_stands_in_the_database(sealed, database):
    sealed.put("slack", VALUE, by="asha")
    with database.reading() as connection:
        row = connection.execute(sa.select(sealed_secrets)).one()
    assert b"correct" not in b"".join(str(value).encode() for value in row) + row.sealed
    sealed.put("other", VALUE, by="asha")
    with database.reading() as connection:
        rows = connection.execute(sa.select(sealed_secrets)).all()
    assert len({row.nonce for row in rows}) == len({row.sealed for row in rows}) == 2


@pytest.mark.parametrize("name", ["", "-x", "a b", "ä", "x" * 64, "../x"])
def test_odd_names_are_refused(sealed, name):
    with pytest.raises(InvalidInput, match="no name"):
        sealed.put(name, "value", by="asha")


def test_a_secret_has_a_value_and_an_end(sealed):
    for value in ("", "x" * 65_537):
        with pytest.raises(InvalidInput, match="empty or too long"):
            sealed.put("slack", value, by="asha")


def test_no_row_stands_in_for_another(sealed, database):
    sealed.put("slack", "one", by="asha")
    sealed.put("github", "two", by="asha")
    names, table = ("slack", "github"), sealed_secrets.c
    with database.writing() as connection:
        rows = {n: connection.execute(sa.select(sealed_secrets).where(table.name == n)).one() for n in names}
        swapped = {"nonce": rows["github"].nonce, "sealed": rows["github"].sealed}
        connection.execute(sa.update(sealed_secrets).where(table.name == "slack").values(swapped))
    with pytest.raises(SecretsUnavailable, match="altered"):
        sealed.reveal("slack")
    with database.writing() as connection:
        older = {"nonce": rows["github"].nonce, "sealed": rows["github"].sealed, "version": 2}
        connection.execute(sa.update(sealed_secrets).where(table.name == "github").values(older))
    with pytest.raises(SecretsUnavailable, match="altered"):
        sealed.reveal("github")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(sealed, key_file, mode):
    sealed.put("slack", VALUE, by="asha")
    key_file.chmod(mode)
    with pytest.raises(SecretsUnavailable, match="others could read") as raised:
        sealed.reveal("slack")
    assert "chmod 600" in raised.value.next


@pytest.fixture
def mounted(sealed, key_file, tmp_path) -> Path:
    """The key's file behind two links, as Kubernetes mounts a secret."""
    sealed.put("slack", VALUE, by="asha")
    version = tmp_path / "..2026_11_22"
    version.mkdir()
    (tmp_path / "..data").symlink_to(version.name)
    real = key_file.rename(version / "key")
    key_file.symlink_to(tmp_path / "..data" / "key")
    return real


def test_a_key_behind_links_opens_and_seals(sealed, mounted):
    sealed.put("github", "two", by="asha")
    assert [sealed.reveal("slack"), sealed.reveal("github")] == [VALUE, "two"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_link_to_a_key_that_others_can_read_is_refused(sealed, mounted, mode):
    mounted.chmod(mode)
    with pytest.raises(SecretsUnavailable, match="others could read"):
        sealed.reveal("slack")


def test_a_link_leads_to_a_file(sealed, mounted):
    mounted.unlink()
    with pytest.raises(SecretsUnavailable, match="cannot be read"):
        sealed.put("github", "two", by="asha")
    os.mkfifo(mounted, 0o600)
    with pytest.raises(SecretsUnavailable, match="others could read or replace"):
        sealed.reveal("slack")


def test_a_key_behind_a_link_is_not_rotated_apart_from_it(sealed, key_file, mounted):
    before = mounted.read_text()
    with pytest.raises(SecretsUnavailable, match="is a link"):
        sealed.rotate()
    assert key_file.is_symlink()
    assert mounted.read_text() == before
    assert sealed.reveal("slack") == VALUE


def owned(mode: int, user: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, user, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "user", "ours"),
    [
        (stat.S_IFREG | 0o400, 7, 7, True),
        (stat.S_IFREG | 0o440, 7, 7, False),
        (stat.S_IFREG | 0o440, 0, 7, True),
        (stat.S_IFREG | 0o440, 0, 0, False),
        (stat.S_IFREG | 0o460, 0, 7, False),
        (stat.S_IFREG | 0o444, 0, 7, False),
        (stat.S_IFREG | 0o400, 8, 7, False),
        (stat.S_IFDIR | 0o500, 7, 7, False),
    ],
)
def test_whose_a_key_is(mode, owner, user, ours):
    assert _ours_alone(owned(mode, owner), user) is ours


def test_a_lost_key_is_told_and_not_made_anew(sealed, key_file):
    sealed.put("slack", VALUE, by="asha")
    key_file.unlink()
    for act in (lambda: sealed.reveal("slack"), lambda: sealed.put("other", "x", by="asha"), sealed.rotate):
        with pytest.raises(SecretsUnavailable, match="cannot be read"):
            act()
    assert not key_file.exists()
    KeyFile(key_file).write(dict([new_key()]))
    with pytest.raises(SecretsUnavailable, match="is not in"):
        sealed.reveal("slack")


@pytest.mark.parametrize("content", ["", "k1", "k1 !!", "k1 YWJj\n"])
def test_a_damaged_key_is_told(sealed, key_file, content):
    sealed.put("slack", VALUE, by="asha")
    key_file.write_text(content)
    with pytest.raises(SecretsUnavailable, match="damaged"):
        sealed.reveal("slack")


def test_a_new_key_opens_what_the_old_one_sealed(sealed, key_file, database):
    sealed.put("slack", VALUE, by="asha")
    sealed.put("github", "two", by="asha")
    old = KeyFile(key_file).keys()
    assert sealed.rotate() == 2
    new = KeyFile(key_file).keys()
    assert not old.keys() & new.keys()
    assert len(new) == 1
    assert (sealed.reveal("slack"), sealed.reveal("github")) == (VALUE, "two")
    assert sealed.all()[0].version == 1
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_a_rotation_that_was_cut_off_leaves_all_open(sealed, key_file):
    sealed.put("slack", VALUE, by="asha")
    keys = KeyFile(key_file).keys()
    KeyFile(key_file).write(dict([new_key()]) | keys)
    assert sealed.reveal("slack") == VALUE
    sealed.put("github", "two", by="asha")
    assert sealed.rotate() == 2
    assert sealed.reveal("slack") == VALUE


def test_what_was_opened_is_redacted_from_then_on(database, key_file, clock):
    redactor = Redactor({"API_KEY": "correct-horse"})
    SealedSecrets(database, key_file, clock=clock).put("slack", "xq-7781-battery", by="asha")
    assert redactor.text("xq-7781-battery") == "xq-7781-battery"
    sealed = SealedSecrets(database, key_file, learn=redactor.learn, clock=clock)
    sealed.reveal("slack")
    assert redactor.text("a xq-7781-battery correct-horse") == "a [redacted:slack] [redacted:API_KEY]"
    sealed.put("slack", "xq-9914-staple", by="asha")
    assert redactor.text("xq-7781-battery xq-9914-staple").count("redacted") == 2


def test_keys_are_changed_by_one_at_a_time(sealed, key_file):
    """Of two that rotate at once, the second would forget the key that the first has just sealed with."""
    sealed.put("slack", VALUE, by="asha")
    before = key_file.read_bytes()
    with ThreadPoolExecutor(2) as pool:
        with KeyFile(key_file).held():
            waiting = [pool.submit(sealed.rotate), pool.submit(sealed.put, "other", VALUE, by="asha")]
            assert wait(waiting, timeout=0.3).done == set()
            assert key_file.read_bytes() == before
        assert [each.result(60) is not None for each in waiting] == [True, True]
    assert key_file.read_bytes() != before
    assert (sealed.reveal("slack"), sealed.reveal("other")) == (VALUE, VALUE)


def test_a_first_key_that_was_cut_off_leaves_no_half_of_a_file(sealed, key_file, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("karkhana.storage.sealed.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            sealed.put("slack", VALUE, by="asha")
    assert list(key_file.parent.iterdir()) == []
    sealed.put("slack", VALUE, by="asha")
    assert sealed.reveal("slack") == VALUE
