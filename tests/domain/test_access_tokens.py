"""A token's secret can be told from other text, and a program's approval is not a person's."""

import pytest
from msgspec.structs import replace

from karkhana.domain.access import Role
from karkhana.domain.access_tokens import AccessToken, new_secret, well_formed


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
