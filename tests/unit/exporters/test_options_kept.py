"""Each exporter keeps every option of the table, or its report names it as left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduled_tasks.bundled import command
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.exporters import crontab, kubernetes
from scheduled_tasks.options import OPTIONS
from tests.unit.exporters.clock_for_export import NOW

VALUES = {
    "timeout": "2min", "memory_max": "2G", "memory_high": "1G", "cpu_quota": "50%", "cpu_weight": 50, "io_weight": 50,
    "tasks_max": 64, "nice": 5, "retries": 3, "retry_delay": "1min", "retry_delay_max": "1h",
    "environment": {"LANG": "C"}, "user": "shop", "working_directory": "/srv/shop", "read_write_paths": ["/srv/shop"],
    "allow_network": ["192.0.2.7"], "after": ["postgresql.service"], "requires": ["srv-exports.mount"],
    "log_namespace": "shop", "relax": ["jit"], "per_host": True, "overlap": "queue", "on_database_error": "run",
    "catch_up_after_pause": True, "concurrency": 2, "owner": "data", "notify": ["ops", "pager"], "alert_after": 3,
    "expected_duration": "1min", "expected_at_least": 10, "quiet": "22:00-07:00", "runbook": "https://wiki.example.org",
    "ping": "https://hc-ping.com/key/{job}",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _idempotent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an idempotent task may have retries."""
    monkeypatch.setattr(command.run, "__cron_idempotent__", True, raising=False)


def clock(folder: Path, *, of_clock: str = "", of_job: str = "") -> ClockSpec:
    path = folder / "clock.py"
    path.write_text(
        '"""A clock."""\n\nfrom scheduled_tasks import Clock\nfrom scheduled_tasks.bundled import command\n\n'
        f'scheduler = Clock(timezone="UTC", {of_clock})\n'
        f'scheduler.add_job(command.run, "cron", [["/bin/true"]], id="job", hour=5, {of_job})\n'
    )
    return read_clock(path, "clock", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))


def kubernetes_export(folder: Path, **options: str) -> tuple[object, str]:
    cluster = kubernetes.Cluster("shop:1")
    exported = kubernetes.export([clock(folder, **options)], cluster, base=folder, now=NOW)
    return exported.objects, exported.report.to_markdown()


def crontab_export(folder: Path, **options: str) -> tuple[object, str]:
    text, report = crontab.export(
        [clock(folder, **options)], run_task="run-task", configuration="c.toml", user="shop", timezone="UTC",
        base=folder, now=NOW,
    )  # fmt: skip
    return text, report.to_markdown()


@pytest.mark.parametrize("place", ["of_clock", "of_job"])
@pytest.mark.parametrize("export", [kubernetes_export, crontab_export])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_kept_or_named_as_left_out(tmp_path: Path, option: str, export: object, place: str) -> None:
    assert callable(export)
    if place == "of_job" and OPTIONS[option].of_clock:
        return
    kept = {kubernetes_export: kubernetes.KEPT_OPTIONS, crontab_export: crontab.KEPT_OPTIONS}[export]
    plain, _ = export(tmp_path)
    exported, report = export(tmp_path, **{place: f"{option}={VALUES[option]!r}"})
    assert (exported != plain, option in report) == (option in kept, option not in kept)


def test_the_kubernetes_exporter_explains_each_option_that_it_leaves_out() -> None:
    assert kubernetes.KEPT_OPTIONS | set(kubernetes.LEFT_OUT) == set(OPTIONS)
    assert kubernetes.KEPT_OPTIONS.isdisjoint(kubernetes.LEFT_OUT)


def test_skipping_an_overlapping_run_is_what_a_cron_job_does(tmp_path: Path) -> None:
    _, report = kubernetes_export(tmp_path, of_job="overlap='skip'")
    assert "overlap" not in report
