"""Rules: promtool accepts every query and tests each alert both silent and firing; each alert has its chapter."""

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


def run_promtool(promtool: Path, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_its_configuration_and_every_rule(promtool: Path) -> None:
    run_promtool(promtool, "check", "config", "prometheus.yml")
    assert yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"] == ["*.rules.yml"]


def test_every_query_is_promql(promtool: Path, tmp_path: Path) -> None:
    """Includes the queries of the dashboards, written as rules so that promtool can read them."""
    rules = [{"record": "q", "expr": each.text.replace("$package", "one")} for each in queries()]
    assert len(rules) > 80
    file = tmp_path / "queries.rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    run_promtool(promtool, "check", "rules", "--lint=none", str(file))


@pytest.mark.timeout(120)
def test_each_alert_is_silent_or_fires_as_its_test_expects(promtool: Path) -> None:
    run_promtool(promtool, "test", "rules", str(TESTS))


def test_each_alert_has_a_test_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    results: dict[str, set[bool]] = {name: set() for name in NAMES}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for check in test["promql_expr_test"]:
            assert f'ALERTS{{alertname="{test["name"]}", alertstate="firing"}}' in check["expr"]
            results[test["name"]].add(bool(check["exp_samples"]))
    assert results == {name: {True, False} for name in NAMES}


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_what_it_means_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook"}
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert len(annotations["description"]) > 60
    page, _, anchor = annotations["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]


def test_every_chapter_is_about_an_existing_alert() -> None:
    chapters = (ROOT / "docs/alerts.md").read_text()
    assert re.findall(r"^### (\w+)$", chapters, re.MULTILINE) == NAMES


def test_every_recorded_series_is_used_and_every_used_one_is_recorded() -> None:
    used = {each.name for query in queries() for each in query.selectors if each.name.startswith("spreader:")}
    assert used == recorded()
    assert len(RULES) == 2
