"""The dashboard for Grafana, a file of the package."""

from __future__ import annotations

from importlib.resources import files

FILE = "scheduled_tasks.dashboard.json"
MARK = '"uid": "scheduled-tasks"'


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    return (files("scheduled_tasks.metrics") / FILE).read_text(encoding="utf-8")
