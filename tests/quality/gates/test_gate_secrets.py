"""The gate ``secrets``. The keys are put together here so that no file of ours holds one."""

import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.quality.gates.secrets import Secrets, entropy

AWS = "AKIA" + "IOSFODNN7ABCDEFG"[:16].replace("8", "2").replace("0", "2").replace("9", "3")
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
RANDOM = "q7Vx" + "Zp3LmT9sKd8RwYb2"


def check(before: str, after: str | bytes, path: str = "settings.py") -> GateResult:
    with still_context({path: before}, {path: after}) as context:
        return Secrets().check(context)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f'key = "{AWS}"\n', "aws-access-key-id"),
        (f"export GITHUB={GITHUB}\n", "github-token"),
        (f'DB_PASSWORD = "{RANDOM}"\n', "high-entropy value"),
        (f"  api_key: '{RANDOM}'\n", "high-entropy value"),
        ('"client_secret": "' + RANDOM + '",\n', "high-entropy value"),
    ],
)
def test_an_added_secret_fails_hard_and_is_not_repeated(line: str, kind: str) -> None:
    result = check("x = 1\n", "x = 1\n" + line)
    assert (result.status, result.hard) == (GateStatus.FAILED, True)
    assert [(f.line, kind in f.message) for f in result.findings] == [(2, True)]
    told = result.summary + "".join(f.message for f in result.findings)
    assert AWS not in told
    assert GITHUB not in told
    assert RANDOM not in told


@pytest.mark.parametrize("text", ["a.-", "token", "token-", "token=", "1.5-"])
def test_a_very_long_line_is_read_in_linear_time(text: str) -> None:
    assert check("", text * 100_000 + "\n").status is GateStatus.PASSED


def test_a_key_block_over_several_lines() -> None:
    body = "\n".join(f"{n:02d}" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" for n in range(20))
    block = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    result = check("", block, path="certs/server.pem")
    assert result.status is GateStatus.FAILED
    assert result.findings[0].line == 1


def test_a_secret_that_was_there_before_is_not_blamed() -> None:
    old = f'key = "{AWS}"\n'
    assert check(old, old + "y = 2\n").status is GateStatus.PASSED
    assert check(old + "y = 2\n", "y = 2\n").status is GateStatus.PASSED


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme-please-now"\n',
        "token = os.environ['SERVICE_TOKEN_FOR_DEPLOYS']\n",
        'api_key = "${SERVICE_API_KEY_FOR_IT}"\n',
        'secret = "short1"\n',
        'password_field_name = "customer.password"\n',
        'greeting = "q7VxZp3LmT9sKd8RwYb2"\n',
    ],
)
def test_ordinary_lines_pass(line: str) -> None:
    assert check("", line).status is GateStatus.PASSED


def test_binary_files_are_left_alone() -> None:
    assert check("", b"\0" + AWS.encode(), path="a.bin").status is GateStatus.PASSED


def test_entropy_in_bits_per_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
