"""The guide and the reference of the rules: commands run, snippets are what Prometheus and Alertmanager accept."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scheduled_tasks.metrics.families import FAMILIES
from scheduled_tasks.metrics.prometheus.alerting_rules import Rules, rules_yaml
from tests.documented import DOCS, ROOT, blocks, run_shown, table
from tests.integration.metrics.promtool import RULES, require_promtool
from tests.roots import lacking, require

PAGE = "how-to/alert-with-prometheus.md"
PROMETHEUS, ALERTMANAGER = (block.text for block in blocks(PAGE) if block.language == "yaml")


def test_the_commands_of_the_guide_print_what_it_shows(tmp_path: Path) -> None:
    require_promtool()
    for block in blocks(PAGE, "promtool"):
        for command, output in block.steps:
            done = run_shown(command, cwd=ROOT, own=tmp_path)
            assert done.returncode == 0, done.stderr
            assert output.strip() in {"", done.stdout.strip()}


def test_prometheus_accepts_its_snippet(tmp_path: Path) -> None:
    require_promtool()
    (tmp_path / RULES).write_text(rules_yaml(Rules()))
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS)
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "SUCCESS: 16 rules found" in done.stdout


def test_alertmanager_accepts_its_snippet_and_routes_by_owner(tmp_path: Path) -> None:
    require(lacking("routing", {"amtool": "prometheus-alertmanager"}, root=False))
    path = tmp_path / "alertmanager.yml"
    path.write_text(ALERTMANAGER)
    subprocess.run(["amtool", "check-config", str(path)], capture_output=True, check=True)
    for labels, receiver in (
        (["owner=data", "severity=critical"], "data"),
        (["alertname=ScheduledTaskSlow", "severity=warning"], "tickets"),
        (["alertname=ScheduledTaskWatchSilent", "severity=critical", "host=app1"], "ops"),
    ):
        command = ["amtool", "config", "routes", "test", f"--config.file={path}", *labels]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == receiver


def test_the_reference_has_each_alert_with_its_severity() -> None:
    rows = table("reference/prometheus.md", "alert")
    assert {alert: severity for alert, (severity, *_) in rows.items()} == {
        alert.alert: alert.severity for alert in Rules().alerts()
    }


def test_the_reference_has_each_metric_as_it_is_exported(pytestconfig: pytest.Config) -> None:
    rows = [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |"
        for family in FAMILIES
    ]
    heading = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    page = DOCS / "reference/prometheus.md"
    before, _, _ = page.read_text().partition(heading)
    expected = before + heading + "".join(f"{row}\n" for row in rows).replace("|  |", "| |")
    if pytestconfig.getoption("--write-golden"):
        page.write_text(expected)
    assert page.read_text() == expected
