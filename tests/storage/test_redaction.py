import base64
import json
import os
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.storage.redaction import Redactor, load_rules, secret_values

UPPER, LOWER, DIGITS = "QWERTYUIOPASDFGHJKLZXCVBNM", "qwertyuiopasdfghjklzxcvbnm", "2345672345672345"
MIXED = (UPPER + LOWER + DIGITS + LOWER + UPPER) * 4


def key(prefix: str, length: int, alphabet: str = MIXED) -> str:
    """A key of the right shape, put together here so that no file holds one."""
    return prefix + alphabet[:length]


KEYS = {
    "aws-access-key-id": [key("AKIA", 16, UPPER), key("ASIA", 16, "A2" * 8)],
    "karkhana-token": [key("kk_", 36)],
    "github-token": [key(prefix, 36) for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")],
    "github-fine-grained-token": [key("github_pat_", 22) + "_" + MIXED[:59]],
    "gitlab-token": [key("glpat-", 20), key("gldt-", 20)],
    "slack-token": [key("xoxb-", 12, "1234567890123") + "-" + MIXED[:24], key("xapp-1-", 30)],
    "google-api-key": [key("AIza", 35)],
    "google-oauth": [key("GOCSPX-", 28), key("ya29.", 60)],
    "anthropic-key": [key("sk-ant-api03-", 80), key("sk-ant-", 20)],
    "openai-key": [key("sk-", 48), key("sk-proj-", 60), key("sk-svcacct-", 40), key("sk-or-v1-", 64, "0a" * 32)],
    "stripe-key": [key("sk_live_", 24), key("rk_test_", 24)],
    "huggingface-token": [key("hf_", 34)],
    "npm-token": [key("npm_", 36)],
    "pypi-token": [key("pypi-AgEIcHlwaS5vcmc", 60)],
    "sendgrid-key": ["SG." + MIXED[:22] + "." + MIXED[:43]],
    "digitalocean-token": [key("dop_v1_", 64, "0f" * 32)],
    "vault-token": [key("hvs.", 30)],
    "age-secret-key": [key("AGE-SECRET-KEY-1", 58, UPPER * 3)],
    "json-web-token": [".".join(("eyJ" + MIXED[:20], "eyJ" + MIXED[:40], MIXED[:43]))],
}
CASES = [(name, secret) for name, secrets in KEYS.items() for secret in secrets]
AROUND = [
    "{}",
    "key={}",
    "'{}',",
    'x = "{}"\n',
    "a\n{}\nb",
    "curl -H 'X-Api-Key: {}' https://example.org/",
    "ü {} ü",
]


@pytest.fixture(scope="module")
def redactor():
    return Redactor({})


@pytest.mark.parametrize(("name", "secret"), CASES)
def test_keys_are_known_by_their_shape(redactor, name, secret):
    for around in AROUND:
        text, expected = around.format(secret), around.format(f"[redacted:{name}]")
        assert redactor.text(text) == expected
        assert redactor.data(text.encode()) == expected.encode()
        assert redactor.suspects(json.dumps({"text": text}, ensure_ascii=False).encode())


IN_CONTEXT = [
    ("aws-secret-access-key", "aws_secret_access_key = {}", key("", 40)),
    ("aws-secret-access-key", '"SecretAccessKey": "{}"', key("", 40)),
    ("authorization-header", "Authorization: Bearer {}", "abc.def-123"),
    ("authorization-header", "{{'authorization': 'Basic {}'}}", "dXNlcjpwYXNz"),
    ("authorization-header", "AUTHORIZATION: token {}", "0123456789"),
    ("password-in-url", "postgresql://shop:{}@db.example.org/shop", "hunter2hunter"),
    ("password-in-url", "redis://:{}@cache:6379", "hunter2hunter"),
    ("slack-webhook", "https://hooks.slack.com/{}", "services/T0000/B0000/" + MIXED[:24]),
    ("azure-account-key", "AccountName=x;AccountKey={};", key("", 86) + "=="),
]


@pytest.mark.parametrize(("name", "context", "secret"), IN_CONTEXT)
def test_only_the_secret_of_a_context_is_replaced(redactor, name, context, secret):
    assert redactor.text(context.format(secret)) == context.format(f"[redacted:{name}]")


BODY = "\n".join(MIXED[n : n + 64] for n in range(0, 192, 64))


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_private_keys_whole_and_cut_off(redactor, kind):
    begin, end = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
    whole = f"a\n{begin}\n{BODY}\n{end}\nb"
    assert redactor.text(whole) == "a\n[redacted:private-key]\nb"
    assert BODY[:64] not in redactor.text(f"{begin}\n{BODY}")
    escaped = json.dumps(whole)
    assert redactor.text(escaped) == '"a\\n[redacted:private-key]\\nb"'


ORDINARY = [
    "def total(items):\n    return sum(i.price for i in items)\n",
    "task-list, disk-usage-of-the-whole-machine, risk-assessment-document-2024",
    "sk-estimator-doc-link-rendered sk-container-id-1 sk-top-container",
    "https://example.org/a?b=c and git@github.com:me/shop.git",
    "postgresql://postgres:postgres@localhost/test",
    "-----BEGIN PUBLIC KEY-----\n" + BODY + "\n-----END PUBLIC KEY-----",
    "if '-----BEGIN PRIVATE KEY-----' in text: raise ValueError('no keys')",
    "5c1f0d1e2f3a4b5c6d7e8f901234567890abcdef " + "0123456789abcdef" * 4,
    "Authorization: Bearer {token}",
    "AKIA is the prefix; ghp_ too; eyJ starts a token",
    "sha256:" + "ab" * 32 + " sha512-" + MIXED[:86] + "==",
    "x" * 5000 + "=" * 500 + "-" * 300,
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(redactor, text):
    assert redactor.text(text) == text
    assert redactor.data(text.encode()) == text.encode()


VALUE = 'p"ss w\\rd/ü+1?'


@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda v: json.dumps(v)[1:-1],
        lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
        lambda v: repr(v)[1:-1],
        lambda v: urllib.parse.quote(v, safe=""),
        urllib.parse.quote_plus,
        lambda v: v.encode().hex(),
        lambda v: v.encode().hex().upper(),
    ],
)
def test_the_value_of_a_secret_in_any_encoding(encode):
    redactor = Redactor({"SHOP_PASSWORD": VALUE})
    for around in ("{}", "a {} b", "x={}&y", "{0}{0}"):
        text = around.format(encode(VALUE))
        assert redactor.text(text) == around.format("[redacted:SHOP_PASSWORD]")
        assert redactor.data(text.encode()) == around.format("[redacted:SHOP_PASSWORD]").encode()
        assert redactor.suspects(json.dumps([text], ensure_ascii=False).encode())


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_the_value_of_a_secret_in_base64_at_any_offset(before, encode):
    redactor = Redactor({"SHOP_PASSWORD": VALUE})
    text = encode(f"{before}{VALUE} after".encode()).decode()
    cleaned = redactor.text(text)
    assert "[redacted:SHOP_PASSWORD]" in cleaned
    assert base64.b64encode(VALUE.encode()[3:9]).decode() not in cleaned


def test_the_longer_of_two_values_goes_first():
    redactor = Redactor({"A": "correct-horse", "B": "correct-horse-battery"})
    assert redactor.text("correct-horse-battery correct-horse") == "[redacted:B] [redacted:A]"


def test_nested_data_with_its_keys():
    redactor = Redactor({"A": "correct-horse"})
    data = {"correct-horse": ["correct-horse", b"correct-horse", 1, None, ("correct-horse",)], "ok": {"x": 1.5}}
    clean = "[redacted:A]"
    assert redactor.nested(data) == {clean: [clean, clean.encode(), 1, None, (clean,)], "ok": {"x": 1.5}}


def test_bytes_that_are_no_text():
    redactor = Redactor({"A": "correct-horse"})
    data = bytes(range(256)) + b"correct-horse" + key("ghp_", 36).encode() + bytes(range(255, -1, -1))
    expected = bytes(range(256)) + b"[redacted:A]" + b"[redacted:github-token]" + bytes(range(255, -1, -1))
    # the letters before a token belong to it only where they cannot be part of a word
    assert redactor.data(data.replace(b"horsegh", b"horse gh")) == expected.replace(b"A][", b"A] [")


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_secret_between_any_bytes_goes_and_the_bytes_stay(before, after):
    redactor = Redactor({"A": "correct-horse"})
    assert redactor.data(before + b" correct-horse " + after).startswith(before[:1])
    assert b"correct-horse" not in redactor.data(before + b"correct-horse" + after)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_text_without_gates_is_the_same_object(text):
    assert Redactor({"A": "correct-horse"}).text(text) is text or "correct" in text


def test_which_variables_hold_secrets(tmp_path):
    environment = {
        "OPENAI_API_KEY": "0123456789",
        "GITHUB_TOKEN": "0123456789",
        "db_password": "0123456789",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path),
        "SHORT_TOKEN": "0123",
        "PATH": "/usr/bin:/bin",
        "KEYBOARD_LAYOUT": "de-nodeadkeys",
        "SSH_AUTH_SOCK": "/tmp/ssh-agent",
        "TOKEN_TYPE": "bearer-token",
        "KARKHANA_DATABASE_URL": "postgresql://shop:s3cret%2Fpass@db/shop",
        "SHOP_PIN": "1234",
        "OTHER_PIN": "123",
    }
    assert secret_values(environment, names=["SHOP_PIN", "OTHER_PIN", "MISSING"]) == {
        "OPENAI_API_KEY": "0123456789",
        "GITHUB_TOKEN": "0123456789",
        "db_password": "0123456789",
        "KARKHANA_DATABASE_URL": "s3cret%2Fpass",
        "SHOP_PIN": "1234",
    }


def test_a_value_too_short_to_be_told_from_text_is_not_replaced():
    assert Redactor({"A": "abc", "B": ""}).text("abc") == "abc"


def test_every_shape_has_a_case():
    shown = set(KEYS) | {name for name, _, _ in IN_CONTEXT} | {"private-key"}
    assert {shape.name for shape in load_rules().shapes} == shown


def test_hostile_text_takes_no_long_time(redactor):
    """The expressions run on text of an attacker's choice: each must end within the suite's time-out."""
    pieces = ["-----BEGIN PRIVATE KEY-----", "eyJ" * 9 + ".", "://a:", "sk-proj-", "authorization: bearer ", "\\n"]
    for piece in pieces:
        redactor.text(piece * (400_000 // len(piece)))
        redactor.text((piece + "A" * 70 + "@") * 4000)


def test_random_bytes_are_left_alone(redactor):
    data = os.urandom(1 << 20)
    assert redactor.data(data) == data
