"""Rules, their tests, dashboards and pages for alerts: they parse, and what they name exists."""

import json
import re
import runpy
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.stack import eventually

SUFFIXES = ("", "_total", "_bucket", "_sum", "_count", "_info")


@pytest.fixture
def folder(root):
    return root / "deploy/prometheus"


@pytest.fixture
def rules(folder):
    groups = yaml.safe_load((folder / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture
def dashboards(root):
    return runpy.run_path(str(root / "deploy/grafana/dashboards.py"))


def tool(name, *words, cwd):
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    ran = subprocess.run([found, *words], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    "words", [("promtool", "check", "rules", "rules.yml"), ("promtool", "test", "rules", "tests.yml"),
              ("amtool", "check-config", "alertmanager.yml")], ids=" ".join,
)  # fmt: skip
def test_tools_accept_them(folder, words):
    tool(*words, cwd=folder)


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pages"), ("ticket", "tickets")])
def test_pages_and_tickets_have_receivers_of_their_own(folder, severity, receiver):
    said = tool(
        "amtool", "config", "routes", "test", "--config.file=alertmanager.yml", f"severity={severity}", cwd=folder
    )
    assert said.split() == [receiver]


def test_expressions_of_dashboards_parse(tmp_path, dashboards):
    expressions = [
        expression
        for panels in dashboards["DASHBOARDS"].values()
        for _, lines in panels.values()
        for expression in lines.values()
    ]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    tool("promtool", "check", "rules", "panels.yml", cwd=tmp_path)


def test_each_alert_has_a_page_and_a_case_and_is_in_the_table(root, folder, rules):
    alerts = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules if "alert" in rule}
    pages = {str(path.relative_to(root)) for path in (root / "docs/runbooks").glob("*.md")}
    assert set(alerts.values()) == pages
    cases = yaml.safe_load((folder / "tests.yml").read_text())["tests"]
    for case in cases:
        fires, ends = case["alert_rule_test"]
        assert fires["exp_alerts"] and not ends["exp_alerts"]
    assert {case["name"] for case in cases} == set(alerts)
    table = (root / "docs/metrics.md").read_text()
    assert [name for name in alerts if f"`{name}`" not in table] == []


def test_each_metric_that_is_named_exists(root, rules, dashboards, scene, caller, deliver):
    deliver()
    client, found = caller(role="admin"), []

    def are_read():
        found[:] = [client.get("/metrics").text]
        return 'scrape_errors{source="' in found[0] and not re.search(r"scrape_errors{.*} 1.0", found[0])

    eventually(are_read, "figures that are read in time")
    (text,) = found
    families = [family.name for family in text_string_to_metric_families(text)]
    known = {f"{name}{suffix}" for name in families for suffix in SUFFIXES}
    known |= {rule["record"] for rule in rules if "record" in rule} | {"taskmanager_backup_age_seconds"}
    named = re.findall(r"taskmanager[_:][a-z0-9_:]+", json.dumps([rules, dashboards["DASHBOARDS"]]))
    assert set(named) - known == set()
    documented = set(re.findall(r"`(taskmanager_[a-z_]+)`", (root / "docs/metrics.md").read_text()))
    assert documented - known == set()
    ours = {name for name in families if name.startswith("taskmanager")}
    assert {name for name in ours if not documented & {f"{name}{suffix}" for suffix in SUFFIXES}} == set()


def test_the_dashboards_are_what_the_script_makes(root, dashboards):
    for name in dashboards["DASHBOARDS"]:
        assert json.loads((root / f"deploy/grafana/{name}.json").read_text()) == dashboards["dashboard"](name)
