"""What is read as a backup, and what is not."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from karkhana.domain.errors import InvalidInput
from karkhana.factory.archive import FORMAT, MANIFEST, Manifest, described, read_archive, write_archive
from karkhana.storage.contents import Contents

FILES = {"karkhana.sqlite3": b"trail" * 1000, "strategies/slow.toml": b"name = 'slow'\n"}


def manifest_of(folder: Path) -> Manifest:
    return Manifest(
        format=FORMAT,
        made_at="2026-05-12T08:30:00+00:00",
        version="1",
        line="1",
        kind="sqlite",
        server="3",
        contents=Contents(schema="0001"),
        members=described(folder, FILES),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "from"


@pytest.mark.parametrize("name", ["kept.tar", "kept.tar.gz"])
def test_what_is_written_is_read(folder: Path, tmp_path: Path, name: str) -> None:
    written = manifest_of(folder)
    write_archive(tmp_path / name, written, folder)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert read_archive(tmp_path / name, tmp_path / "to") == written
    assert {n: (tmp_path / "to" / n).read_bytes() for n in FILES} == FILES


def test_a_draft_that_fails_leaves_what_was_there(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.tar"
    target.write_bytes(b"the one before")
    written = manifest_of(folder)
    (folder / "strategies/slow.toml").unlink()
    with pytest.raises(FileNotFoundError):
        write_archive(target, written, folder)
    assert target.read_bytes() == b"the one before"
    assert {path.name for path in tmp_path.iterdir()} == {"from", "kept.tar"}


def rewritten(source: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    """The archive with its members changed."""
    with tarfile.open(source) as archive:
        members = []
        for found in archive:
            content = archive.extractfile(found)
            assert content is not None
            members.append((found, content.read()))
    change(members)
    with tarfile.open(source, "w") as archive:
        for information, content in members:
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return source


def altered(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[1] = (members[1][0], b"TRAIL" + members[1][1][5:])


def longer(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[1] = (members[1][0], members[1][1] + b"!")


def missing(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    del members[2]


def added(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.append((tarfile.TarInfo("more"), b""))


def twice(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.append(members[1])


def linked(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[2][0].type, members[2][0].linkname = tarfile.SYMTYPE, "/etc/passwd"
    members[2] = (members[2][0], b"")


def outside(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    name = "../outside"
    told = msgspec.json.decode(members[0][1], type=Manifest)
    moved = (*told.members[:1], msgspec.structs.replace(told.members[1], path=name))
    members[0] = (members[0][0], msgspec.json.encode(msgspec.structs.replace(told, members=moved)))
    members[2][0].name = name


def later(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[0] = (members[0][0], b'{"format": 2, "unheard": "of"}')


def garbled(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[0] = (members[0][0], b'{"format": "\xff')


def headless(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    del members[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (altered, "karkhana.sqlite3 was altered"),
        (longer, "karkhana.sqlite3 does not belong"),
        (missing, "strategies/slow.toml is missing"),
        (added, "more does not belong"),
        (twice, "karkhana.sqlite3 does not belong"),
        (linked, "strategies/slow.toml does not belong"),
        (outside, "../outside does not belong"),
        (later, "newer version of Karkhana"),
        (garbled, "manifest cannot be read"),
        (headless, "is no backup of Karkhana"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], said: str
) -> None:
    write_archive(tmp_path / "kept.tar", manifest_of(folder), folder)
    with pytest.raises(InvalidInput, match=said):
        read_archive(rewritten(tmp_path / "kept.tar", change), tmp_path / "to")
    assert not (tmp_path / "outside").exists()


def test_half_a_file_and_no_archive_are_refused(folder: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "kept.tar.gz", manifest_of(folder), folder)
    whole = (tmp_path / "kept.tar.gz").read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"not at all", b"", MANIFEST.encode())):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(InvalidInput, match=r"cannot be read as a backup|no backup"):
            read_archive(tmp_path / "other", tmp_path / f"to-{number}")
