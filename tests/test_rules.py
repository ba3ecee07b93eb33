"""Rules: promtool finds every query whole, and sees each alert silent and firing; each has its chapter."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from promql import RULES, queries, recorded, rules

ROOT = Path(__file__).parent.parent
PROMETHEUS = ROOT / "deploy/prometheus"
TESTS = PROMETHEUS / "tests/alerts_test.yml"
ALERTS = [rule for rule in rules() if "alert" in rule]
NAMES = [rule["alert"] for rule in ALERTS]


def judged(promtool: Path, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_and_every_rule(promtool: Path) -> None:
    judged(promtool, "check", "config", "prometheus.yml")
    assert yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"] == ["*.rules.yml"]


def test_every_query_is_promql(promtool: Path, tmp_path: Path) -> None:
    """Those of the dashboards as well: as rules, which promtool can read."""
    asked = [{"record": "q", "expr": each.text.replace("$package", "one")} for each in queries()]
    assert len(asked) > 80
    file = tmp_path / "queries.rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": asked}]}))
    judged(promtool, "check", "rules", "--lint=none", str(file))


@pytest.mark.timeout(120)
def test_each_alert_is_silent_and_fires_as_its_test_says(promtool: Path) -> None:
    judged(promtool, "test", "rules", str(TESTS))


def test_each_alert_has_a_test_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    looks: dict[str, set[bool]] = {name: set() for name in NAMES}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for look in test["promql_expr_test"]:
            assert f'ALERTS{{alertname="{test["name"]}", alertstate="firing"}}' in look["expr"]
            looks[test["name"]].add(bool(look["exp_samples"]))
    assert looks == {name: {True, False} for name in NAMES}


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_what_it_means_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    said = alert["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert len(said["description"]) > 60
    page, _, anchor = said["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_no_chapter_is_about_an_alert_that_is_not_there() -> None:
    chapters = (ROOT / "docs/alerts.md").read_text()
    assert re.findall(r"^### (\w+)$", chapters, re.MULTILINE) == NAMES


def test_what_is_recorded_is_used_and_what_is_used_is_recorded() -> None:
    used = {each.name for query in queries() for each in query.selectors if each.name.startswith("spreader:")}
    assert used == recorded()
    assert len(RULES) == 2
