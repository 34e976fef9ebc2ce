import os
import stat
from pathlib import Path

import pytest

from karkhana.domain.changes import SYMLINK
from karkhana.domain.errors import InvalidInput
from karkhana.git import Repository, checkout


def test_checkout_writes_what_is_in_the_commit(tree, tmp_path):
    tree.write(os.fsdecode(b"n/\xff\n"), "x")
    tree.write("big", os.urandom(3 << 20))
    (tree.root / "link").symlink_to("../outside")
    tree.write("run.sh", "#!/bin/sh\n")
    (tree.root / "run.sh").chmod(0o755)
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    (tree.root / "vendor/lib").mkdir(parents=True)
    tree.write(".gitattributes", "* text eol=crlf ident\n")
    commit = tree.commit()
    target = tmp_path / "new/checkout"
    opened = Repository.open(tree.root)
    checkout(opened, commit, target)
    expected = {p.relative_to(tree.root) for p in tree.root.rglob("*") if ".git" not in p.parts}
    assert {p.relative_to(target) for p in target.rglob("*")} == expected
    assert Path("vendor/lib") in expected
    files = opened.files(commit)
    blobs = opened.read_blobs([oid for _, oid in files.values()])
    for path, (mode, oid) in files.items():
        if mode != SYMLINK:
            assert (target / path).read_bytes() == blobs[oid]
    assert (target / "link").readlink().as_posix() == "../outside"
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "README").stat().st_mode) == 0o644


def test_checkout_runs_no_filter_and_no_hook(tree, tmp_path):
    canary = tmp_path / "canary"
    tree.git("config", "filter.evil.smudge", f"touch {canary}; cat")
    hook = tree.root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    tree.write(".gitattributes", "* filter=evil\n")
    checkout(Repository.open(tree.root), tree.commit(), tmp_path / "out")
    assert not canary.exists()


def test_checkout_refuses_a_folder_with_something_in_it(tree, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link").symlink_to("/etc")
    with pytest.raises(InvalidInput, match="not empty"):
        checkout(Repository.open(tree.root), tree.git("rev-parse", "HEAD"), tmp_path / "out")


def raw_tree(tree, *entries: tuple[bytes, bytes, str]) -> str:
    """A tree object with exactly these (mode, name, object) entries, unchecked."""
    content = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return tree.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=content)


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b".", b"git~1"])
def test_checkout_refuses_unsafe_names(tree, tmp_path, name):
    blob = tree.git("hash-object", "-w", "--stdin", stdin=b"x")
    inner = raw_tree(tree, (b"100644", b"config", blob))
    for top in (raw_tree(tree, (b"40000", name, inner)), raw_tree(tree, (b"100644", name, blob))):
        commit = tree.git("commit-tree", "-m", "x", top)
        with pytest.raises(InvalidInput, match="unsafe path"):
            checkout(Repository.open(tree.root), commit, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_checkout_never_writes_through_a_symbolic_link(tree, tmp_path):
    """A crafted tree that holds ``a`` as a link to a host folder and as a folder with a file."""
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tree.git("hash-object", "-w", "--stdin", stdin=os.fsencode(outside))
    blob = tree.git("hash-object", "-w", "--stdin", stdin=b"stolen")
    inner = raw_tree(tree, (b"100644", b"file", blob))
    top = raw_tree(tree, (b"120000", b"a", link), (b"40000", b"a", inner))
    commit = tree.git("commit-tree", "-m", "x", top)
    with pytest.raises(InvalidInput, match="one path twice"):
        checkout(Repository.open(tree.root), commit, tmp_path / "out")
    assert list(outside.iterdir()) == []
