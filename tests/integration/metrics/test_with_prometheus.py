"""A real Prometheus scrapes a filled ledger both ways: each panel shows data, and an alert says what to do, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from scheduled_tasks.metrics import exporter, exposition, samples
from scheduled_tasks.metrics.prometheus.alerting_rules import Rules, rules_yaml
from scheduled_tasks.metrics.textfile import NAME
from scheduled_tasks.project import database_now
from tests.integration.metrics.filled import fill
from tests.integration.metrics.prometheus_server import Prometheus, node_exporter, prometheus
from tests.integration.metrics.test_dashboard import ALL, expressions, substituted
from tests.integration.metrics.test_scrapes import listening
from tests.integration.operate.shop import Database
from tests.machine.waiting import wait_for
from tests.roots import lacking, require

NEEDED = {"prometheus": "prometheus", "prometheus-node-exporter": "prometheus-node-exporter"}


@pytest.fixture
def scraped(connection: Database, database_url: str, hour: datetime, tmp_path: Path) -> Iterator[Prometheus]:
    require(lacking("a scrape", NEEDED, root=False))
    fill(connection, hour)
    textfile = exporter.text_once(connection, database_now(connection), samples.Some.ALL, "app1")
    (tmp_path / NAME).write_text(textfile + exposition.text(samples.pending("app1", 2)))
    rules = rules_yaml(Rules()).replace("interval: 60s", "interval: 1s")
    with listening(database_url) as (_, listener), node_exporter(tmp_path) as node:
        ports = {"scheduled_tasks": listener, "node": node}
        with prometheus(tmp_path, ports, rules) as running:
            wait_for("two scrapes of both", lambda: len(running.query("count_over_time(up[1m]) > 2")) == 2)
            wait_for("an alert", lambda: running.query('ALERTS{alertname="ScheduledTaskOverdue"}'))
            yield running


def test_each_panel_returns_data_and_a_job_alerts_once_and_says_what_to_do(scraped: Prometheus) -> None:
    values = ALL | {"clock": "shop|till", "owner": ".*"}
    without_data = [panel for panel, expr in expressions() if not scraped.query(substituted(expr, values))]
    assert without_data == []
    assert len(scraped.query('scheduled_tasks_job_bad_slots_in_a_row{job_name="count"}')) == 2
    [overdue] = [alert for alert in scraped.alerts() if alert["labels"]["alertname"] == "ScheduledTaskOverdue"]
    assert overdue["labels"] == {
        "alertname": "ScheduledTaskOverdue", "clock": "shop", "job_name": "count", "owner": "data",
        "severity": "critical",
    }  # fmt: skip
    assert overdue["state"] == "firing"
    assert overdue["annotations"] == {
        "summary": "shop/count: no host has run it",
        "description": "It was due and no host ran it: a host was down, a timer stopped.\n"
        "Do: its reason says which; then `clocks backfill shop/count --from FROM --to TO`.",
        "command": "clocks history shop/count --limit 5",
        "runbook_url": "https://wiki/count",
    }
