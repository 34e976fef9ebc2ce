"""Settings come from five places in a fixed order, and a mistake names its place."""

from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidSetting
from karkhana.domain.policy import Autonomy
from karkhana.factory.configuration import load_settings
from karkhana.quality.gates import default_gates, without


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return {"KARKHANA_HOME": str(tmp_path / "home")}


def user_file(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "config" / "karkhana"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)


def test_precedence(tmp_path: Path, environ: dict[str, str]) -> None:
    user_file(tmp_path, "[budget]\nturns = 1\nseconds = 1\nusd = 1\n[sandbox]\nprocesses = 11")
    repository = "[budget]\nturns = 2\nseconds = 2\n"
    settings = load_settings(
        {"budget": {"turns": 4, "usd": None}},
        environ={**environ, "KARKHANA_BUDGET_TURNS": "3", "KARKHANA_BUDGET_SECONDS": "3"},
        repository_text=repository,
    )
    assert (settings.budget.turns, settings.budget.seconds, settings.budget.usd) == (4, 3.0, 1.0)
    without = load_settings({}, environ=environ, repository_text=repository)
    assert (without.budget.turns, without.budget.seconds) == (1, 1.0)
    assert settings.sandbox.processes == 11
    assert settings.home == tmp_path / "home"


def test_a_repository_may_not_set_what_belongs_to_the_operator(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match="may not set sandbox"):
        load_settings({}, environ=environ, repository_text="[sandbox]\nmemory_mb = 1")


def test_a_repository_may_not_say_how_hard_it_is_looked_at(environ: dict[str, str]) -> None:
    for text in ('[gates]\neffort = "brief"', '[gates]\nskip = ["mutation"]'):
        with pytest.raises(InvalidSetting, match="may not set gates"):
            load_settings({}, environ=environ, repository_text=text)
    assert load_settings({}, environ=environ).gates.effort == "auto"
    assert load_settings({}, environ={**environ, "KARKHANA_GATES_EFFORT": "thorough"}).gates.effort == "thorough"
    with pytest.raises(InvalidSetting):
        load_settings({}, environ={**environ, "KARKHANA_GATES_EFFORT": "none"})


def test_a_repository_may_not_name_a_program_for_the_host_to_run(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=r"environment\.python"):
        load_settings({}, environ=environ, repository_text="[environment]\npython = './evil'")
    assert not load_settings({}, environ=environ, repository_text="[environment]\ninstall = false").environment.install


def test_a_repository_may_only_tighten_policy_and_budget(tmp_path: Path, environ: dict[str, str]) -> None:
    lax = (
        '[policy]\nautonomy = "human_out_of_the_loop"\ndeploy_above = 0.7\nveto_s = 5\n[budget]\nusd = 1e9\nturns = 3\n'
    )
    settings = load_settings({}, environ=environ, repository_text=lax)
    assert settings.policy.autonomy is Autonomy.IN_THE_LOOP
    assert settings.policy.deploy_above == 0.90
    assert settings.policy.veto_s == 3600.0
    assert (settings.budget.usd, settings.budget.turns) == (2.0, 3)
    user_file(tmp_path, '[policy]\nautonomy = "human_out_of_the_loop"\n')
    strict = '[policy]\nautonomy = "human_on_the_loop"\ncanary_from = 0.8\n'
    policy = load_settings({}, environ=environ, repository_text=strict).policy
    assert (policy.autonomy, policy.canary_from) == (Autonomy.ON_THE_LOOP, 0.8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[budget\n", "karkhana.toml"),
        ("[budget]\nturns = 'many'\n", r"karkhana.toml.*budget.turns"),
        ("[budget]\nturn = 3\n", r"karkhana.toml.*turn"),
        ("[policy]\ncanary_from = 0.2\n", "thresholds"),
        ("[policy]\ndeploy_above = nan\n", "thresholds"),
        ("[environment]\ntimeout_s = inf\n", r"karkhana.toml.*timeout_s"),
        ("[environment]\ntimeout_s = nan\n", r"karkhana.toml.*timeout_s"),
        ("[environment]\ntimeout_s = 0\n", r"karkhana.toml.*timeout_s"),
        ("a = " + "[" * 100_000, "karkhana.toml"),
        ("#" * 1_000_001, "karkhana.toml has more than"),
    ],
)
def test_a_mistake_names_its_place(environ: dict[str, str], text: str, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        load_settings({}, environ=environ, repository_text=text)


@pytest.mark.parametrize("name", ["KARKHANA_SANDBOX_MEMROY_MB", "KARKHANA_NONSENSE"])
def test_a_misspelt_variable_is_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        load_settings({}, environ={**environ, name: "1"})


def test_secret_variables_are_a_comma_separated_list(environ: dict[str, str]) -> None:
    settings = load_settings({}, environ={**environ, "KARKHANA_SECRET_VARIABLES": "A,B"})
    assert settings.secret_variables == ("A", "B")


def test_dear_gates_may_be_left_out_and_no_others(environ: dict[str, str]) -> None:
    assert load_settings({}, environ={**environ, "KARKHANA_GATES_SKIP": ""}).gates.skip == ()
    chosen = load_settings({}, environ={**environ, "KARKHANA_GATES_SKIP": "mutation, performance"}).gates
    assert [g.name for g in without(default_gates(), chosen.skip)] == [
        g.name for g in default_gates() if g.name not in ("mutation", "performance")
    ]
    with pytest.raises(InvalidSetting, match="secrets"):
        load_settings({}, environ={**environ, "KARKHANA_GATES_SKIP": "secrets"})
