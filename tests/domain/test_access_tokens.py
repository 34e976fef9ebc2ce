"""A token's secret can be told from other text, and a program's approval is not a person's."""

import pytest
from msgspec.structs import replace

from karkhana.domain.access import Principal, Role
from karkhana.domain.access_tokens import OWN_S, AccessToken, keeps, new_secret, well_formed, withheld


def test_secrets_are_many_and_well_formed():
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(well_formed(secret) and len(secret) == 39 for secret in made)


@pytest.mark.parametrize("place", [3, 20, 32, 33, 38])
def test_a_mistyped_secret_is_told(place):
    secret = new_secret()
    other = "a" if secret[place] != "a" else "b"
    assert not well_formed(secret[:place] + other + secret[place + 1 :])


def test_a_program_approves_only_where_it_is_let():
    token = AccessToken(token_id="t", name="n", owner="asha", roles={"*": Role.ADMIN}, created_at=0.0, expires_at=1.0)
    principal = token.principal()
    assert principal.may(Role.APPROVER, "shop")
    bound = replace(principal, approves=False)
    assert not bound.may(Role.APPROVER, "shop")
    assert bound.may(Role.ADMIN, "shop")
    assert bound.may(Role.OPERATOR, "shop")
    assert bound.products(Role.APPROVER) == (False, frozenset())


@pytest.mark.parametrize(
    ("had", "asked", "may"),
    [
        ({"shop": "operator"}, {"shop": "operator"}, True),
        ({"shop": "operator"}, {"shop": "approver"}, False),
        ({"shop": "operator"}, {"bank": "viewer"}, False),
        ({"shop": "operator"}, {"*": "viewer"}, False),
        ({"*": "operator"}, {"bank": "operator", "shop": "viewer"}, True),
        ({"*": "operator", "bank": "viewer"}, {"*": "operator"}, False),
        ({"*": "operator", "bank": "viewer"}, {"*": "operator", "bank": "viewer"}, True),
        ({"*": "admin", "bank": "viewer"}, {"*": "admin"}, False),
        ({"*": "viewer", "shop": "admin"}, {"*": "viewer"}, True),
    ],
)
def test_nobody_gives_more_than_they_have(had, asked, may):
    person = Principal(name="asha", roles={product: Role(role) for product, role in had.items()}, via="session")
    roles = {product: Role(role) for product, role in asked.items()}
    assert (withheld(person, roles, OWN_S) == "") is may
    # where the maker is no admin it would outlast their role for too long
    assert withheld(person, roles, OWN_S + 1) != ""
    program = replace(person, via="token", token_id="tok-1", owner="asha")
    assert withheld(program, roles, 60.0) != ""


def test_an_admin_gives_for_a_year_and_so_does_their_program():
    person = Principal(name="asha", roles={"shop": Role.ADMIN})
    assert withheld(person, {"shop": Role.ADMIN}, 365 * 86_400) == ""
    assert withheld(replace(person, token_id="tok-1", approves=False), {"shop": Role.APPROVER}, 60.0) == ""


def test_a_programs_makers_tokens_are_not_the_programs():
    token = AccessToken(token_id="t", name="n", owner="asha", roles={"shop": Role.VIEWER}, created_at=0, expires_at=1)
    person = Principal(name="asha", roles={"shop": Role.VIEWER})
    assert keeps(person, token)
    assert not keeps(replace(person, token_id="tok-1", owner="asha"), token)
