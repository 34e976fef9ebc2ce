import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.errors import DeliveryFailed
from karkhana.git import Repository, Scratch, make_patch

REGULAR, EXECUTABLE, SYMLINK = 0o100644, 0o100755, 0o120000
STRANGE = os.fsdecode(b'd \xff/q"u\\o\nte\t.bin')


def test_a_commit_is_deterministic_and_leaves_the_repository_alone(tree):
    opened = Repository.open(tree.root)
    base = opened.head()
    before = sorted(p.name for p in (tree.root / ".git/objects").rglob("*"))
    made = []
    for _ in range(2):
        with Scratch(opened) as scratch:
            made.append(scratch.commit(base, {"README": (REGULAR, b"new\n")}, "message", at=1_700_000_000))
    assert made[0] == made[1]
    assert before == sorted(p.name for p in (tree.root / ".git/objects").rglob("*"))
    assert not scratch.git_dir.exists()


def test_a_commit_carries_contents_message_and_date(tree):
    opened = Repository.open(tree.root)
    contents = {
        "README": None,
        "src/cart.py": (EXECUTABLE, b"#!\n"),
        "link": (SYMLINK, b"src/cart.py"),
        STRANGE: (REGULAR, b"\0\xff"),
    }
    with Scratch(opened) as scratch:
        oid = scratch.commit(opened.head(), contents, "Fix ü\n\nRun: 1\n", at=1_700_000_000, author="N <n@e.org>")
        scratch.fetch_into(opened, oid, "refs/heads/karkhana/x")
    files = opened.files(oid)
    assert {path: mode for path, (mode, _) in files.items()} == {
        "data.bin": REGULAR,
        "link": SYMLINK,
        "src/cart.py": EXECUTABLE,
        STRANGE: REGULAR,
    }
    assert opened.read_blobs([files[STRANGE][1]])[files[STRANGE][1]] == b"\0\xff"
    assert (
        tree.git("log", "-1", "--format=%an %ae %at %ct %B", oid) == "N n@e.org 1700000000 1700000000 Fix ü\n\nRun: 1"
    )
    assert tree.git("rev-parse", f"{oid}^") == tree.git("rev-parse", "HEAD")
    tree.git("fsck", "--strict")


def test_a_file_gives_way_to_a_folder_and_back(tree):
    with Scratch() as scratch:
        one = scratch.commit(None, {"a": (REGULAR, b"1")}, "", at=0)
        two = scratch.commit(one, {"a": None, "a/b": (REGULAR, b"2")}, "", at=0)
        three = scratch.commit(two, {"a/b": None, "a": (REGULAR, b"1")}, "", at=0)
        assert scratch.diff(one, three) == ""
        assert scratch.git.run("ls-tree", "-r", "--name-only", two) == b"a/b\n"


def test_fetch_into_is_idempotent_and_never_moves_a_branch(tree):
    opened = Repository.open(tree.root)
    with Scratch(opened) as scratch:
        one = scratch.commit(opened.head(), {"README": (REGULAR, b"1")}, "one", at=1)
        two = scratch.commit(opened.head(), {"README": (REGULAR, b"2")}, "two", at=1)
        scratch.fetch_into(opened, one, "refs/heads/karkhana/t")
        scratch.fetch_into(opened, one, "refs/heads/karkhana/t")
        with pytest.raises(DeliveryFailed, match="points to another commit"):
            scratch.fetch_into(opened, two, "refs/heads/karkhana/t")
        with pytest.raises(DeliveryFailed, match="cannot create"):
            scratch.fetch_into(opened, two, "refs/heads/karkhana/t/below")
    assert opened.resolve("karkhana/t") == one
    assert opened.head() == tree.git("rev-parse", "main")
    assert tree.git("status", "--porcelain") == ""


def test_fetch_into_a_shallow_clone_brings_only_what_is_new(tree, tmp_path):
    for number in range(3):
        tree.write("README", f"{number}\n")
        tree.commit()
    tree.git("clone", "-q", "--depth", "1", f"file://{tree.root}", str(tmp_path / "shallow"))
    opened = Repository.open(tmp_path / "shallow")
    with Scratch(opened) as scratch:
        one = scratch.commit(opened.head(), {"a": (REGULAR, b"1")}, "one", at=1)
        two = scratch.commit(one, {"b": (REGULAR, b"2")}, "two", at=1)
        scratch.fetch_into(opened, two, "refs/heads/t")
        assert scratch.diff(opened.head(), two).count("new file mode") == 2
    assert len(list((tmp_path / "shallow/.git/objects").glob("??/*"))) == 6
    subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path / "shallow", check=True, capture_output=True)
    assert opened.files(two).keys() == {"README", "a", "b", "data.bin", "src/cart.py"}


def test_fetch_into_runs_no_hook(tree, tmp_path):
    canary = tmp_path / "canary"
    hooks = tree.root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "update", "pre-receive", "post-receive", "post-update"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n")
        (hooks / name).chmod(0o755)
    opened = Repository.open(tree.root)
    with Scratch(opened) as scratch:
        oid = scratch.commit(opened.head(), {"README": (REGULAR, b"1")}, "one", at=1)
        scratch.fetch_into(opened, oid, "refs/heads/t")
    assert not canary.exists()
    tree.git("update-ref", "refs/heads/other", oid)
    assert canary.exists()


HOSTILE = """
[diff]
    noprefix = true
    mnemonicPrefix = true
    algorithm = histogram
    context = 9
    external = /bin/false
    renames = copies
    suppressBlankEmpty = true
    orderFile = /dev/null
[diff "python"]
    textconv = /bin/false
[core]
    quotePath = false
    abbrev = 40
[color]
    ui = always
"""


def test_the_patch_is_the_same_whatever_is_configured(tree, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    contents = {
        "README": ((REGULAR, b"hello\n\nx\n"), (EXECUTABLE, b"hello\n\ny\n")),
        STRANGE: (None, (REGULAR, bytes(300))),
        "l": ((SYMLINK, b"a"), (SYMLINK, b"b")),
        "same": ((REGULAR, b"s"), (REGULAR, b"s")),
    }
    plain = make_patch(contents)
    (tmp_path / "home/.gitconfig").write_text(HOSTILE)
    (tmp_path / "home/attributes").write_text("* diff=python\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u9")
    assert make_patch(contents) == plain
    opened = Repository.open(tree.root)
    with Scratch(opened) as scratch:
        base = scratch.commit(opened.head(), {p: b for p, (b, _) in contents.items()}, "", at=5)
        after = scratch.commit(base, {p: a for p, (_, a) in contents.items()}, "", at=6)
        assert scratch.diff(base, after) == plain
    assert "same" not in plain
    assert "GIT binary patch" in plain


def test_no_changes_give_an_empty_patch():
    assert make_patch({"a": ((REGULAR, b"1"), (REGULAR, b"1"))}) == ""


def test_sha256_repositories(tmp_path):
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path)], check=True)
    opened = Repository.open(tmp_path)
    with Scratch(opened) as scratch:
        one = scratch.commit(None, {"a": (REGULAR, b"1\n")}, "one", at=1)
        two = scratch.commit(one, {"a": (REGULAR, b"2\n")}, "two", at=1)
        scratch.fetch_into(opened, two, "refs/heads/t")
        assert len(two) == 64
        expected = scratch.diff(one, two)
    pair = {"a": ((REGULAR, b"1\n"), (REGULAR, b"2\n"))}
    assert make_patch(pair, object_format="sha256") == expected
    assert make_patch(pair) != expected


def test_an_object_store_with_a_strange_path(tmp_path):
    root = tmp_path / os.fsdecode(b'# "s \xe9:p\n')
    root.mkdir()
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    opened = Repository.open(root)
    with Scratch(opened) as scratch:
        one = scratch.commit(None, {"a": (REGULAR, b"1\n")}, "one", at=1)
        scratch.fetch_into(opened, one, "refs/heads/t")
    with Scratch(opened) as scratch:
        two = scratch.commit(one, {"b": (REGULAR, b"2\n")}, "two", at=1)
        assert scratch.git.run("ls-tree", "-r", "--name-only", two) == b"a\nb\n"


files = st.none() | st.tuples(st.sampled_from([REGULAR, EXECUTABLE]), st.binary(max_size=60))


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b/c", "ü", "x y"]), st.tuples(files, files), max_size=4))
def test_git_applies_the_patch_to_exactly_the_files_after(tmp_path_factory, contents):
    patch = make_patch(contents).encode("utf-8", "surrogateescape")
    root = tmp_path_factory.mktemp("apply")
    for path, (before, _) in contents.items():
        if before:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(before[1])
            (root / path).chmod(before[0] & 0o777)
    if patch:
        subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
        subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=root, check=True, input=patch)
    for path, (_, after) in contents.items():
        assert (root / path).exists() == bool(after)
        if after:
            assert (root / path).read_bytes() == after[1]
            assert (root / path).stat().st_mode & 0o111 == after[0] & 0o111
