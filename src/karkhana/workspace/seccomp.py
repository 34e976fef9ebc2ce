"""Compiles the list of refused system calls into the kernel's filter program (classic BPF).

Knows nothing of who is filtered. The list is data: ``seccomp.toml``.

>>> len(program("x86_64")) % 8
0
"""

import errno
import functools
import platform
import struct
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from karkhana.domain.errors import SandboxUnavailable

# linux/audit.h, linux/seccomp.h, linux/bpf_common.h
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _GREATER_EQUAL, _ANY_BIT = 0x15, 0x35, 0x45
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

_Instruction = tuple[int, int, int, int]


@functools.cache
def program(machine: str | None = None) -> bytes:
    """The filter for ``machine`` (as ``uname -m``; this one by default).

    A call of another architecture ends the process. Raises ``SandboxUnavailable`` for a machine without a list.
    """
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        raise SandboxUnavailable(f"no system call list for {machine}", "run on x86_64 or aarch64")
    lines = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_GREATER_EQUAL, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    data = tomllib.loads(resources.files(__package__).joinpath("seccomp.toml").read_text("utf-8"))
    lines += _refuse(data["deny"], machine, "EPERM")
    lines += _refuse(data["missing"], machine, "ENOSYS")
    for rule in data["when"]:
        lines += _refuse_when(rule, machine)
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _refuse(calls: Mapping[str, Mapping[str, int]], machine: str, error: str) -> Iterable[_Instruction]:
    for numbers in calls.values():
        if machine in numbers:
            yield (_EQUAL, 0, 1, numbers[machine])
            yield (_RETURN, 0, 0, _ERRNO | getattr(errno, error))


def _refuse_when(rule: Mapping[str, Any], machine: str) -> Iterable[_Instruction]:
    """For each call: fall through to the refusal when every test holds, else jump over it and reload the number."""
    for numbers in rule["calls"].values():
        if machine not in numbers:
            continue
        body: list[_Instruction] = []
        for test in rule["tests"]:
            body += _test(test)
        body.append((_RETURN, 0, 0, _ERRNO | getattr(errno, rule.get("error", "EPERM"))))
        resolved = [_resolve(line, len(body) - at - 1) for at, line in enumerate(body)]
        yield (_EQUAL, 0, len(body) + 1, numbers[machine])
        yield from resolved
        yield (_LOAD, 0, 0, _NUMBER)


_OUT = 255
"""Jump target that stands for the end of the rule until its length is known."""


def _test(test: Mapping[str, Any]) -> list[_Instruction]:
    lines: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * test["arg"])]  # both machines are little-endian
    if "any" in test:
        return [*lines, (_ANY_BIT, 0, _OUT, test["any"])]
    if "mask" in test:
        lines.append((_AND, 0, 0, test["mask"]))
    if "not_in" in test:
        return [*lines, *((_EQUAL, _OUT, 0, value) for value in test["not_in"])]
    values = test["in"]
    last = len(values) - 1
    return [*lines, *((_EQUAL, last - at, _OUT if at == last else 0, value) for at, value in enumerate(values))]


def _resolve(line: _Instruction, rest: int) -> _Instruction:
    code, true, false, operand = line
    return (code, rest if true == _OUT else true, rest if false == _OUT else false, operand)
