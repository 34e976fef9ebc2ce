"""A short run of the fuzzer against a real server: nothing that it objects to, and it was answered."""

from pathlib import Path

import pytest
from benchmarks.api_fuzz_own import fuzz, served, told, world

from components import need
from karkhana.workspace.local import fuzzer_folder


@pytest.mark.slow
def test_the_fuzzer_has_nothing_to_object_to(tmp_path: Path) -> None:
    need(fuzzer_folder().is_dir(), "schemathesis: make setup installs it")
    token = world(tmp_path)
    with served(tmp_path) as address:
        code = fuzz(tmp_path, address, token, examples=1, phases="coverage", only="/(me|tasks|runs|webhooks)$")
    found = told(tmp_path / "report.ndjson")
    assert found["failures"] == 0, (tmp_path / "printed.txt").read_text()
    assert code == 0
    assert found["operations_with_success"] >= 5
    assert found["cases"] > 100
