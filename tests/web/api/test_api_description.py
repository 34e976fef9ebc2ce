"""The description is valid, says all that operations do, and nothing that they do not."""

import json

from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from karkhana.web.api.contract import About
from karkhana.web.api.description import describe, statuses
from karkhana.web.api.operations import OPERATIONS


def test_it_is_valid_openapi() -> None:
    told = json.loads(json.dumps(describe(OPERATIONS)))
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []


def test_it_is_served_and_can_be_kept(as_) -> None:
    client: TestClient = as_()
    first = client.get("/openapi.json")
    assert first.status_code == 200
    assert first.json()["openapi"].startswith("3.1")
    again = client.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_each_operation_is_there_once_with_its_role_and_problems() -> None:
    told = describe(OPERATIONS)
    names = [each["operationId"] for path in told["paths"].values() for each in path.values()]
    assert sorted(names) == sorted({operation.name for operation in OPERATIONS})
    for operation in OPERATIONS:
        found = told["paths"][operation.path][operation.method.lower()]
        assert {str(status) for status in statuses(operation)} <= set(found["responses"])
        if operation.action:
            assert operation.role.value in found["description"]


def test_names_of_shapes_do_not_tell_where_they_are_in_the_code() -> None:
    assert not [name for name in describe(OPERATIONS)["components"]["schemas"] if "." in name]


def test_everything_that_changes_something_is_audited_and_needs_more_than_a_viewer() -> None:
    for operation in OPERATIONS:
        assert bool(operation.action) == (operation.method != "GET"), operation.name
        kept = operation.method == "GET" or operation.about is About.OWN
        assert kept or operation.role.value != "viewer", operation.name
