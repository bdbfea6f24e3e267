"""A real Prometheus scrapes a filled ledger: each panel shows data, and alerts say what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scheduled_tasks.metrics import exposition, samples
from scheduled_tasks.metrics.exposition import CONTENT_TYPE
from scheduled_tasks.metrics.prometheus.alerting_rules import Rules, rules_yaml
from tests.integration.metrics.filled import fill
from tests.integration.metrics.prometheus_server import Prometheus, prometheus
from tests.integration.metrics.scrape import scrape
from tests.integration.metrics.test_dashboard import ALL, expressions, substituted
from tests.integration.operate.shop import Database
from tests.machine.waiting import wait_for
from tests.roots import lacking, require


@pytest.fixture
def scraped(connection: Database, hour: datetime, tmp_path: Path) -> Iterator[Prometheus]:
    require(lacking("a scrape", {"prometheus": "prometheus"}, root=False))
    fill(connection, hour)
    text = (scrape().text + exposition.text(samples.pending("app1", 2))).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        rules = rules_yaml(Rules()).replace("interval: 60s", "interval: 1s")
        with prometheus(tmp_path, f"127.0.0.1:{server.server_port}", rules) as running:
            wait_for("two scrapes", lambda: running.query("count_over_time(up[1m]) > 2"))
            wait_for("an alert", lambda: running.query('ALERTS{alertname="ScheduledTaskOverdue"}'))
            yield running
    finally:
        server.shutdown()
        server.server_close()


def test_each_panel_returns_data_and_an_alert_says_what_to_do(scraped: Prometheus) -> None:
    values = ALL | {"clock": "shop|till", "owner": ".*"}
    without_data = [panel for panel, expr in expressions() if not scraped.query(substituted(expr, values))]
    assert without_data == []
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
