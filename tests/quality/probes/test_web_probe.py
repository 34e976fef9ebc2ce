"""Applications are found by what their files say, and the programs of the sandbox can be joined."""

from pathlib import Path

import pytest

from karkhana.quality.probes import program
from karkhana.quality.probes.openapi_probe import SIGNS, candidates
from karkhana.quality.probes.web_probe import WEB_SIGNS


@pytest.mark.parametrize(
    "text",
    [
        "app = FastAPI()", "app = OpenAPI(__name__)", "app = Starlette (", "app = Quart(__name__)", "app = Flask('a')",
        "app = Bottle()", "app = falcon.App()", "app = falcon.asgi.App()", "api = falcon.API()",
        "app = config.make_wsgi_app()", "def main(environ, start_response):", "application = get_wsgi_application()",
        "async def app(scope: Scope, receive: Receive, send: Send):", "application = get_asgi_application()",
    ],
)  # fmt: skip
def test_what_makes_an_application_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("web.py", "test_web.py", "tests/web.py", "web.txt"):
        (tmp_path / name).write_text(f"import x\n{text}\n")
    assert [path.name for path, _ in candidates(tmp_path, 9, WEB_SIGNS)] == ["web.py"]


@pytest.mark.parametrize("text", ["FastAPI()", "OpenAPI()", "APISpec()", "Swagger(app)", "'drf_spectacular'"])
def test_what_describes_itself_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "api.py").write_text(text)
    assert [path.name for path, _ in candidates(tmp_path, 9, SIGNS)] == ["api.py"]
    (tmp_path / "api.py").write_text(text.lower().replace("drf_", ""))
    assert candidates(tmp_path, 9, SIGNS) == []


def test_joined_programs_import_nothing_of_karkhana() -> None:
    text = program("openapi_probe", "web_probe", "calling_probe", "fuzz_probe", "routes_probe", "survey_probe")
    compile(text, "joined", "exec")
    assert "karkhana." not in "".join(
        line for line in text.splitlines() if line.lstrip().startswith(("from", "import"))
    )
