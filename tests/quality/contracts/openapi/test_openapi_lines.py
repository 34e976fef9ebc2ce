"""Lines of places in a description."""

import pytest

from karkhana.quality.contracts.openapi.lines import lines

YAML = b"""openapi: 3.1.0
paths:
  /a/b:
    get: &shared
      responses:
        200: {description: x}
        404:
          description: y
    put: *shared
  "/c":
    - one
    - [two,
       three]
"""
JSON = b'{\n "paths": {\n  "/a~b": {\n   "get": {}, "put": [\n{}]\n  }\n }\n}\n'


@pytest.mark.parametrize(
    ("content", "pointer", "line"),
    [
        (YAML, "/paths/~1a~1b", 3),
        (YAML, "/paths/~1a~1b/get/responses/200/description", 6),
        (YAML, "/paths/~1a~1b/get/responses/404", 7),
        (YAML, "/paths/~1a~1b/put", 9),
        (YAML, "/paths/~1a~1b/post", 3),
        (YAML, "/paths/~1c/0", 11),
        (YAML, "/paths/~1c/1/1", 13),
        (YAML, "/info", 0),
        (YAML, "", 0),
        (JSON, "/paths/~1a~0b/put/0", 5),
        (JSON, "/paths/~1a~0b/get", 4),
        (b"a: 1\nb: [", "/a", 1),
        (b"\x00", "/a", 0),
        (b"[" * 100_000, "/0/0", 1),
    ],
)
def test_lines(content: bytes, pointer: str, line: int) -> None:
    assert lines(content, [pointer, "/else"])[pointer] == line
