"""Entries of the journal as fields: run-task's as they are, and whatever else a service's journal holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduled_tasks.deploy.log_entries import entry_of

UNIT = "clock-shop-count.service"
NAMES = {UNIT: ("shop", "count")}
PLAIN: dict[str, Any] = {
    "__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1795571411482000", "PRIORITY": "6", "_HOSTNAME": "app1",
    "SYSLOG_IDENTIFIER": "run-task", "_SYSTEMD_UNIT": UNIT,
}  # fmt: skip


def test_a_line_of_run_task_is_kept_as_it_is() -> None:
    line = '{"timestamp": "2026-11-24T01:50:11.482Z",  "message": "x", "type": "cron"}'
    entry = entry_of(PLAIN | {"MESSAGE": line}, NAMES)
    assert (entry.json, entry.fields, entry.cursor) == (line, json.loads(line), "s=1")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("printed", "printed"),
        ('{"status": "my own"}', '{"status": "my own"}'),
        ("{not json", "{not json"),
        ("{" * 3 + '"a":' * 100_000, "{" * 3 + '"a":' * 100_000),
        ([27, 91, 50, 74, 255], "\x1b[2J\\xff"),  # what journalctl prints for text that a terminal would obey
        (["first", "last"], "last"),
        (None, ""),
    ],
    ids=["text", "json", "broken", "deep", "bytes", "repeated", "nothing"],
)
def test_what_else_a_service_writes_gets_the_journals_fields(message: object, text: str) -> None:
    entry = entry_of(PLAIN | {"MESSAGE": message}, NAMES)
    assert entry.fields == {
        "timestamp": "2026-11-25T01:50:11.482Z", "level": "info", "logger": "run-task", "message": text, "host": "app1",
        "clock": "shop", "job": "count",
    }  # fmt: skip
    assert json.loads(entry.json) == entry.fields


def test_what_systemd_says_of_a_service_has_its_level() -> None:
    entry = entry_of(
        {"MESSAGE": "Failed with result 'oom-kill'.", "PRIORITY": "4", "UNIT": UNIT, "SYSLOG_IDENTIFIER": "systemd"},
        NAMES,
    )
    assert (entry.fields["level"], entry.fields["logger"], entry.fields["job"]) == ("warning", "systemd", "count")
