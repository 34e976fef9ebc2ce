"""The alerts and the dashboard that ship speak of figures that exist."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import need
from karkhana.factory.metrics import WorkerMetrics, new_registry
from karkhana.storage.database import open_database
from karkhana.web.measuring import WebMetrics

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMTOOL = Path("/usr/bin/promtool")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every family, with the endings that its samples may have."""
    registry = new_registry()
    WorkerMetrics(registry)
    with open_database(None, tmp_path_factory.mktemp("home")) as database:
        WebMetrics(database, registry=registry)
        families = [(metric.name, metric.type) for metric in registry.collect()]
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}
    return {f"{name}{ending}" for name, kind in families for ending in endings[kind]}


def expressions() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    panels: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "karkhana.json").read_text())["panels"]
    return [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]


def test_they_speak_of_figures_that_exist_and_leave_none_out(names: set[str]) -> None:
    used = set(re.findall(r"\b(?:karkhana|process)_[a-z_]+", " ".join(expressions())))
    assert used - names == set()
    stems = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in used}
    ours = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in names if name.startswith("karkhana_")}
    assert ours - stems == {
        "karkhana_build_info",
        "karkhana_runs_started",
        "karkhana_model_calls",
        "karkhana_worker_runs",
    }


def test_prometheus_takes_the_files_and_every_expression(tmp_path: Path) -> None:
    need(PROMTOOL.exists(), "the Debian package prometheus")
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    panels = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [*groups, {"name": "panels", "rules": panels}]}))
    done = subprocess.run(
        [PROMTOOL, "check", "rules", tmp_path / "panels.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    configured = [PROMTOOL, "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml"]
    assert subprocess.run(configured, capture_output=True, check=False).returncode == 0


def test_each_panel_and_alert_says_what_it_is_for() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "karkhana.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len(dashboard["panels"])
    for rule in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]:
        assert rule["annotations"].keys() == {"summary", "action"}
        assert rule["labels"]["severity"] in ("page", "ticket")
