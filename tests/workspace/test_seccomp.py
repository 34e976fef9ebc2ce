import errno
import struct
import tomllib
from importlib import resources

import pytest

from karkhana.domain.errors import SandboxUnavailable
from karkhana.workspace.seccomp import program

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
DATA = tomllib.loads(resources.files("karkhana.workspace").joinpath("seccomp.toml").read_text("utf-8"))


def judge(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run the filter as the kernel would: classic BPF over struct seccomp_data."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *padded)
    code = program(machine)
    lines = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    accumulator, at = 0, 0
    while True:
        operation, true, false, operand = lines[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("I", data, operand)
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x06:
            return int(operand)
        else:
            holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
            at += true if holds[operation] else false


def refused(name: str) -> int:
    return 0x00050000 | int(getattr(errno, name))


@pytest.mark.parametrize("machine", ARCH)
def test_every_listed_call_is_refused(machine: str) -> None:
    for calls, error in ((DATA["deny"], "EPERM"), (DATA["missing"], "ENOSYS")):
        for name, numbers in calls.items():
            if machine in numbers:
                assert judge(machine, numbers[machine]) == refused(error), name


@pytest.mark.parametrize("machine", ARCH)
def test_every_other_call_is_allowed(machine: str) -> None:
    named = {
        numbers[machine]
        for group in (DATA["deny"], DATA["missing"], *(rule["calls"] for rule in DATA["when"]))
        for numbers in group.values()
        if machine in numbers
    }
    assert len(named) > 50
    for number in range(500):
        if number not in named:
            assert judge(machine, number) == ALLOW


CASES = [
    # (x86_64, aarch64, arguments, answer)
    (56, 220, (17,), ALLOW),
    (56, 220, (0x01200011,), ALLOW),
    (56, 220, (0x003D0F00,), ALLOW),
    (56, 220, (0x10000011,), refused("EPERM")),
    (56, 220, (0x40000011,), refused("EPERM")),
    (56, 220, (0x00020011,), refused("EPERM")),
    (41, 198, (1, 1), ALLOW),
    (41, 198, (2, 1), ALLOW),
    (41, 198, (10, 0x80002), ALLOW),
    (41, 198, (16, 3), refused("EAFNOSUPPORT")),
    (41, 198, (40, 1), refused("EAFNOSUPPORT")),
    (41, 198, (2, 0x80003), refused("EPERM")),
    (16, 29, (0, 0x5401), ALLOW),
    (16, 29, (0, 0x5412), refused("EPERM")),
    (16, 29, (0, 0x541C), refused("EPERM")),
    (16, 29, (0, 0xFFFFFFFF_00005412), refused("EPERM")),
    (135, 92, (0,), ALLOW),
    (135, 92, (0xFFFFFFFF,), ALLOW),
    (135, 92, (8,), refused("EPERM")),
    (91, 52, (3, 0o755), ALLOW),
    (91, 52, (3, 0o4755), refused("EPERM")),
    (268, 53, (0, 0, 0o1777), ALLOW),
    (268, 53, (0, 0, 0o2755), refused("EPERM")),
    (257, 56, (0, 0, 0, 0o4755), ALLOW),
    (257, 56, (0, 0, 0o101, 0o644), ALLOW),
    (257, 56, (0, 0, 0o101, 0o4755), refused("EPERM")),
    (257, 56, (0, 0, 0o20200001, 0o4755), refused("EPERM")),
    (259, 33, (0, 0, 0o100644), ALLOW),
    (259, 33, (0, 0, 0o010644), ALLOW),
    (259, 33, (0, 0, 0o020644), refused("EPERM")),
    (259, 33, (0, 0, 0o060644), refused("EPERM")),
    (259, 33, (0, 0, 0o104755), refused("EPERM")),
]


@pytest.mark.parametrize("case", CASES)
def test_arguments_decide(case: tuple[int, int, tuple[int, ...], int]) -> None:
    x86, arm, arguments, answer = case
    assert judge("x86_64", x86, *arguments) == answer
    assert judge("aarch64", arm, *arguments) == answer


def test_old_calls_of_x86() -> None:
    assert judge("x86_64", 2, 0, 0, 0o4755) == ALLOW
    assert judge("x86_64", 2, 0, 0o100, 0o4755) == refused("EPERM")
    assert judge("x86_64", 85, 0, 0o4755) == refused("EPERM")
    assert judge("x86_64", 90, 0, 0o2755) == refused("EPERM")
    assert judge("x86_64", 133, 0, 0o020666) == refused("EPERM")


def test_other_architectures_are_killed() -> None:
    assert judge("x86_64", 39, arch=0x40000003) == KILL
    assert judge("x86_64", 0x40000000 + 39) == KILL
    assert judge("aarch64", 172, arch=ARCH["x86_64"]) == KILL


def test_an_unknown_machine_is_said_to_be_unknown() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        program("riscv64")
