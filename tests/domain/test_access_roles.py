"""What a role may do, per product."""

import pytest

from karkhana.domain.access import EVERYTHING, Principal, Role, single_user


@pytest.mark.parametrize("had", Role)
@pytest.mark.parametrize("wanted", Role)
def test_a_role_may_do_what_lesser_ones_may(had: Role, wanted: Role) -> None:
    order = ["viewer", "operator", "approver", "admin"]
    somebody = Principal(name="asha", roles={"shop": had})
    assert somebody.may(wanted, "shop") == (order.index(had.value) >= order.index(wanted.value))
    assert not somebody.may(wanted, "bank")
    assert not somebody.may(wanted, EVERYTHING)


def test_a_products_own_entry_counts_also_where_it_is_less() -> None:
    somebody = Principal(name="asha", roles={EVERYTHING: Role.ADMIN, "bank": Role.VIEWER})
    assert somebody.may(Role.ADMIN, "shop")
    assert not somebody.may(Role.OPERATOR, "bank")
    assert somebody.products(Role.OPERATOR) == (True, frozenset({"bank"}))
    assert somebody.products(Role.VIEWER) == (True, frozenset())


def test_without_an_entry_for_all_only_the_named_ones_are_shown() -> None:
    somebody = Principal(name="asha", roles={"shop": Role.VIEWER, "bank": Role.APPROVER})
    assert somebody.products(Role.VIEWER) == (False, frozenset({"shop", "bank"}))
    assert somebody.products(Role.APPROVER) == (False, frozenset({"bank"}))
    assert somebody.role("till") is None


def test_whoever_started_the_server_may_do_everything() -> None:
    assert single_user("asha").products(Role.ADMIN) == (True, frozenset())
