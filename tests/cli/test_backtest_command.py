"""``karkhana backtest`` as a user calls it."""

import json

from typer.testing import CliRunner

from histories import History
from karkhana.cli.commands.backtest import StageProgress, app


def shop(root):
    history = History(root)
    for number in range(90):
        history.commit(f"Add {number}", {f"m{number}.py": f"x = {number}\ny = {number}\n"}, days=5)
        if number % 6 == 0:
            history.commit(f"Fix crash of {number}", {f"m{number}.py": f"x = {number}\ny = 0\n"})
    history.write()
    return root


def test_figures_for_people_programs_and_browsers(tmp_path, monkeypatch):
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    root = shop(tmp_path / "shop")
    asked = ["--repo", str(root), "--days", "60"]
    told = CliRunner().invoke(app, [*asked, "--html", str(tmp_path / "report.html")])
    assert told.exit_code == 0
    assert "AUC" in told.stdout
    assert "SCORE ABOVE" in told.stdout
    assert "reading commits: " in told.stderr
    assert "forecasting commits in the order of time: 12 of 12" in told.stderr
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert found["repository"] == "shop"
    assert found["bad"] > 5
    assert 0 <= found["measures"]["brier"] <= 1
    assert {band["decision"] for band in found["policy"]} == {"deploy", "canary", "review"}


def test_a_report_that_cannot_be_written_is_told_before_the_work(tmp_path):
    found = CliRunner().invoke(app, ["--repo", str(tmp_path), "--html", str(tmp_path / "nowhere" / "r.html")])
    assert "cannot be written" in str(found.exception)


def test_progress_is_told_now_and_then_and_at_every_end(capsys):
    progress = StageProgress(every_s=1000)
    for done in range(5):
        progress("reading", done, 4)
    progress("counting", 0, 2)
    progress.end()
    assert capsys.readouterr().err.splitlines() == ["reading: 0 of 4", "reading: 4 of 4", "counting: 0 of 2"]
