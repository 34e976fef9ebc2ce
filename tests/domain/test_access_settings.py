"""Who may what, as the settings give it."""

import pytest

from karkhana.domain.access import Role
from karkhana.domain.access_settings import AccessSettings, Person
from karkhana.domain.errors import InvalidSetting

TEAM = {"mode": "team", "public_url": "https://k.test", "issuer": "https://id.test", "client_id": "k"}
GIVEN = AccessSettings(
    people={
        "Asha@Example.org": Person(name="asha", roles={"shop": Role.VIEWER}),
        "s-9": Person(roles={"*": Role.ADMIN}),
    },
    groups={"dev": {"shop": Role.OPERATOR, "bank": Role.VIEWER}, "lead": {"bank": Role.APPROVER, "*": Role.VIEWER}},
)


@pytest.mark.parametrize(
    ("subject", "email", "groups", "roles"),
    [
        ("x", "", (), {}),
        ("x", "", ("dev",), {"shop": "operator", "bank": "viewer"}),
        ("x", "", ("dev", "lead", "none"), {"shop": "operator", "bank": "approver", "*": "viewer"}),
        ("x", "", ("lead", "dev"), {"shop": "operator", "bank": "approver", "*": "viewer"}),
        # what somebody was given themselves counts, also where it is less
        ("x", "asha@example.ORG", ("dev",), {"shop": "viewer", "bank": "viewer"}),
        ("s-9", "", (), {"*": "admin"}),
        # a name at the provider is no address, and an address no name
        ("Asha@Example.org", "", (), {}),
        ("x", "s-9", (), {}),
    ],
)
def test_roles_are_of_a_person_and_their_groups(subject, email, groups, roles):
    assert GIVEN.roles(subject, email, groups) == roles


def test_a_name_here_is_the_one_that_was_given():
    assert GIVEN.name("x", "asha@example.org") == "asha"
    assert GIVEN.name("x", "ravi@example.org") == "ravi@example.org"
    assert GIVEN.name("s-9", "") == "s-9"


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_hours": 0},
        {"session_hours": 10_000},
        {"requests_per_minute": 0},
        {"certificate": "/a"},
        {"proxies": ("nowhere",)},
        {"client_secret_variable": "A", "client_secret_sealed": "b"},
        {"groups": {"dev": {"": Role.VIEWER}}},
        {"people": {"a\nb": Person()}},
    ],
)
def test_what_does_not_fit_together_is_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        AccessSettings(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"public_url": ""},
        {"public_url": "http://k.test"},
        {"public_url": "https://k.test/sub"},
        {"public_url": "https://u:p@k.test"},
        {"issuer": "http://id.test"},
        {"issuer": ""},
        {"client_id": ""},
        {"scopes": ("email",)},
    ],
)
def test_a_team_needs_its_provider(wrong):
    with pytest.raises(InvalidSetting):
        AccessSettings(**{**TEAM, **wrong}).check_team()


def test_a_team_is_complete():
    AccessSettings(**TEAM).check_team()
    AccessSettings(**{**TEAM, "issuer": "http://127.0.0.1:9000"}).check_team()
    assert AccessSettings(**{**TEAM, "public_url": "https://K.test:8443"}).origin == "https://k.test:8443"
