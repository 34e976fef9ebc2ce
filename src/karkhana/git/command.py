"""Runs one git command with nothing of its surroundings able to change what it does.

Knows nothing of what the commands mean.

>>> GitCommand().run("version").startswith(b"git version")
True
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from karkhana.domain.errors import ConfigurationError, InfrastructureFailure

_SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.quotePath=true",
    "core.alternateRefsCommand=true",
    "core.untrackedCache=false",
    "submodule.recurse=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
)
"""Settings that could start a program or alter output, whoever configured them."""

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "Karkhana",
    "GIT_COMMITTER_EMAIL": "karkhana@localhost",
    "LC_ALL": "C",
}
_NEUTRAL = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}


class GitFailed(InfrastructureFailure):
    """A git command ended with an error; ``exit_code_of_git`` and ``stderr`` tell which."""

    def __init__(self, arguments: Sequence[str], exit_code: int, stderr: bytes) -> None:
        self.exit_code_of_git = exit_code
        self.stderr = stderr.decode("utf-8", "replace").strip()
        said = self.stderr.splitlines()[-1] if self.stderr else f"exit code {exit_code}"
        super().__init__(f"git {arguments[0]} failed: {said}", "check the repository with: git fsck")


def path_text(raw: bytes) -> str:
    """A path of a tree as text; bytes that are not UTF-8 are surrogate-escaped."""
    return raw.decode("utf-8", "surrogateescape")


def path_bytes(path: str) -> bytes:
    """Inverse of :func:`path_text`."""
    return path.encode("utf-8", "surrogateescape")


class GitCommand:
    """How to call git for one git directory.

    ``users_config`` lets the user's global and system configuration apply (line endings, safe.directory);
    plumbing whose output must be the same everywhere goes without it.
    """

    def __init__(
        self,
        git_dir: Path | None = None,
        *,
        work_tree: Path | None = None,
        users_config: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        self.cwd = str(work_tree or git_dir or "/")
        self._prefix = ["git", *(f"--git-dir={git_dir}" for _ in range(git_dir is not None))]
        if work_tree is not None:
            self._prefix.append(f"--work-tree={work_tree}")
        for setting in (*_SAFE, *settings):
            self._prefix += ["-c", setting]
        self.environment = _environment(users_config)

    def arguments(self, *arguments: str) -> list[str]:
        """The whole command line."""
        return [*self._prefix, *arguments]

    def run(self, *arguments: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> bytes:
        """Run to the end and return stdout. Raises :class:`GitFailed` for an exit code outside ``ok``."""
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate(stdin)
        if process.returncode not in ok:
            raise GitFailed(arguments, process.returncode, stderr)
        return stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start with pipes on all three streams. Raises ``ConfigurationError`` when git is not installed."""
        try:
            return subprocess.Popen(
                self.arguments(*arguments),
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError as error:
            if error.filename == self.cwd:
                raise InfrastructureFailure(f"the folder {self.cwd} is gone") from error
            raise ConfigurationError("git is not installed", "install it, e.g.: apt-get install git") from error


def _environment(users_config: bool) -> Mapping[str, str]:
    kept = {"PATH": os.environ.get("PATH", os.defpath)}
    if users_config:
        kept |= {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in os.environ}
        return kept | _QUIET
    return kept | _QUIET | _NEUTRAL
