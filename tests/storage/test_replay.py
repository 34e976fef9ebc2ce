import hashlib
import subprocess

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_support import ORDER

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK, FileChange, FileState
from karkhana.domain.errors import InvalidInput, UnknownRun
from karkhana.domain.events import RunStarted, ToolReturned
from karkhana.git import Repository, Scratch, make_patch
from karkhana.storage.replay import FileHistory, RedactedContent, replay, replay_states
from karkhana.storage.tables import blobs

STRANGE = 'caf\udce9 "x"\n.txt'


class Workbench:
    """Files that tools change, with the trail that a tool interface leaves."""

    def __init__(self, trail, files) -> None:
        self.trail = trail
        self.base = dict(files)
        self.files = dict(files)

    def change(self, **contents) -> None:
        self.change_paths(contents)

    def change_paths(self, contents) -> None:
        changes = []
        for path, file in contents.items():
            changes.append(FileChange(path, self.state(self.files.get(path)), self.state(file)))
            self.files[path] = file
        self.trail.record(ToolReturned(turn=1, changed=tuple(changes)))

    def state(self, file):
        return file and FileState(file[0], self.trail.keep(file[1]))

    def patch(self) -> str:
        paths = set(self.base) | set(self.files)
        return make_patch({path: (self.base.get(path), self.files.get(path)) for path in paths})


FILES = {
    "crlf.txt": (REGULAR, b"one\r\ntwo\r\n"),
    "open end.txt": (REGULAR, b"no newline"),
    "binary": (REGULAR, bytes(range(256)) * 40),
    "gone.py": (REGULAR, b"x = 1\n"),
    "run.sh": (REGULAR, b"#!/bin/sh\n"),
    "link": (SYMLINK, b"crlf.txt"),
    "becomes-a-folder": (REGULAR, b"file\n"),
    "twice.py": (REGULAR, b"a\nb\nc\n"),
    "and-back.py": (REGULAR, b"same\n"),
}
CALLS = [
    {"crlf.txt": (REGULAR, b"one\r\n2\r\n"), "open end.txt": (REGULAR, b"still none")},
    {"binary": (REGULAR, bytes(range(255, -1, -1)) * 40), "twice.py": (REGULAR, b"a\nB\nc\n")},
    {"gone.py": None, "new/file.py": (REGULAR, b"y = 2\n"), "new/empty": (REGULAR, b"")},
    {"run.sh": (EXECUTABLE, b"#!/bin/sh\n"), "link": (SYMLINK, b"run.sh")},
    {"becomes-a-folder": None, "becomes-a-folder/inside": (REGULAR, b"x"), STRANGE: (REGULAR, b"\xff\xfe")},
    {"twice.py": (REGULAR, b"a\nB\nC\n"), "and-back.py": (REGULAR, b"other\n"), "made-and-gone": (REGULAR, b"x")},
    {"and-back.py": (REGULAR, b"same\n"), "made-and-gone": None},
]


@pytest.fixture
def bench(log, run_id):
    return Workbench(log.trail(run_id, 1), FILES)


def test_the_patch_is_rebuilt_byte_for_byte(log, run_id, bench):
    for call in CALLS:
        bench.change_paths(call)
    patch = replay(log, run_id)
    assert patch == bench.patch()
    for sign in ("GIT binary patch", "old mode", "deleted file", "new file", "\\ No newline", "-two\r", r"caf\351"):
        assert sign in patch
    assert "and-back" not in patch
    assert "made-and-gone" not in patch


def test_every_prefix_can_be_rebuilt(log, run_id, bench):
    expected = [""]
    for call in CALLS:
        bench.change_paths(call)
        expected.append(bench.patch())
    assert [replay(log, run_id, until_seq=seq) for seq in range(len(CALLS) + 1)] == expected


def test_the_patch_applies_to_the_base_and_equals_the_one_of_the_repository(log, run_id, bench, tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    opened = Repository.open(tmp_path)
    for call in CALLS:
        bench.change_paths(call)
    with Scratch(opened) as scratch:
        base = scratch.commit(None, {**FILES, "untouched": (REGULAR, b"1")}, "base", at=1)
        head = scratch.commit(base, bench.files, "head", at=2)
        assert scratch.diff(base, head) == replay(log, run_id)


def test_states_name_the_first_before_and_the_last_after(log, run_id, bench):
    for content in (b"1", b"2", b"3"):
        bench.change(a=(REGULAR, content))
    last = FileState(REGULAR, hashlib.sha256(b"3").hexdigest())
    assert replay_states(log, run_id).files == {"a": FileHistory(None, last)}
    assert replay_states(log, run_id, until_seq=0).files == {}


def test_a_repository_with_sha256_names(log, run_id, bench):
    order = msgspec.structs.replace(ORDER, commit="a" * 64)
    log.trail(run_id).record(RunStarted(task_id="T", order=order, version="1"))
    bench.change(a=(REGULAR, b"1\n"))
    assert replay(log, run_id) == make_patch({"a": (None, (REGULAR, b"1\n"))}, object_format="sha256")


def test_a_run_that_changed_nothing_and_one_that_is_unknown(log, run_id):
    assert replay(log, run_id) == ""
    with pytest.raises(UnknownRun):
        replay(log, "run_x")


def test_a_file_with_a_secret_is_named_instead_of_rebuilt_wrongly(log, run_id, bench):
    bench.change(**{"settings.py": (REGULAR, b"TOKEN = 'tok-correct-horse'\n"), "other.py": (REGULAR, b"1\n")})
    with pytest.raises(RedactedContent, match=r"settings\.py"):
        replay(log, run_id)
    assert log.verify(run_id) == []


def test_missing_content_is_named(log, run_id, bench, database):
    bench.change(a=(REGULAR, b"1\n"))
    with database.writing() as connection:
        connection.execute(sa.delete(blobs))
    with pytest.raises(InvalidInput, match="not in the store"):
        replay(log, run_id)


files = st.none() | st.tuples(st.sampled_from([REGULAR, EXECUTABLE]), st.binary(max_size=40))
calls = st.lists(st.dictionaries(st.sampled_from(["a", "b/c", "ü", STRANGE]), files, min_size=1), max_size=6)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls)
def test_any_sequence_of_changes(log, tasks, made):
    run_id = tasks.add_and_claim(ORDER, "worker", 20.0)[1].run_id
    bench = Workbench(log.trail(run_id, 1), {"a": (REGULAR, b"1\n"), "ü": (EXECUTABLE, b"\r\n\0")})
    for call in made:
        bench.change_paths(call)
    assert replay(log, run_id) == bench.patch()
