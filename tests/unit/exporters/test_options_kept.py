"""Each exporter keeps every option of the table, or its report names it as left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduled_tasks.bundled import command
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.domains import algolia
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
    for task in (command.run, algolia.index_offers):
        monkeypatch.setattr(task, "__cron_idempotent__", True, raising=False)


COMMAND = ("scheduled_tasks.bundled", "command.run", '[["/bin/true"]]')
TASK = ("scheduled_tasks.domains", "algolia.index_offers", "[app]")


def clock(folder: Path, task: tuple[str, str, str], *, of_clock: str = "", of_job: str = "") -> ClockSpec:
    package, function, arguments = task
    module = function.partition(".")[0]
    path = folder / "clock.py"
    path.write_text(
        f'"""A clock."""\n\nfrom scheduled_tasks import Clock, app\nfrom {package} import {module}\n\n'
        f'scheduler = Clock(timezone="UTC", {of_clock})\n'
        f'scheduler.add_job({function}, "cron", {arguments}, id="job", hour=5, {of_job})\n'
    )
    return read_clock(path, "clock", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))


def kubernetes_export(folder: Path, **options: str) -> tuple[object, str]:
    cluster = kubernetes.Cluster("shop:1")
    exported = kubernetes.export([clock(folder, COMMAND, **options)], cluster, base=folder, now=NOW)
    return exported.objects, exported.report.to_markdown()


def crontab_export(folder: Path, task: tuple[str, str, str], **options: str) -> tuple[object, str]:
    text, report = crontab.export(
        [clock(folder, task, **options)], run_task="run-task", configuration="c.toml", user="www-data", timezone="UTC",
        base=folder, now=NOW,
    )  # fmt: skip
    return text, report.to_markdown()


def command_export(folder: Path, **options: str) -> tuple[object, str]:
    return crontab_export(folder, COMMAND, **options)


def task_export(folder: Path, **options: str) -> tuple[object, str]:
    return crontab_export(folder, TASK, **options)


KEPT = {
    kubernetes_export: kubernetes.KEPT_OPTIONS,
    command_export: crontab.KEPT_OPTIONS,
    task_export: crontab.KEPT_OPTIONS | crontab.KEPT_OF_TASKS,
}


@pytest.mark.parametrize("place", ["of_clock", "of_job"])
@pytest.mark.parametrize("export", KEPT)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_kept_or_named_as_left_out(tmp_path: Path, option: str, export: object, place: str) -> None:
    assert callable(export)
    if place == "of_job" and OPTIONS[option].of_clock:
        return
    plain, _ = export(tmp_path)
    exported, report = export(tmp_path, **{place: f"{option}={VALUES[option]!r}"})
    kept = KEPT[export]
    assert (exported != plain, _is_named(option, report)) == (option in kept, option not in kept)


def _is_named(option: str, report: str) -> bool:
    """Whether a difference names an option; `image: the image lacks …` is none of options."""
    differences = [line for line in report.splitlines() if line.startswith("  - ") and "image:" not in line]
    return any(option in line for line in differences)


def test_the_kubernetes_exporter_explains_each_option_that_it_leaves_out() -> None:
    assert kubernetes.KEPT_OPTIONS | set(kubernetes.LEFT_OUT) == set(OPTIONS)
    assert kubernetes.KEPT_OPTIONS.isdisjoint(kubernetes.LEFT_OUT)


@pytest.mark.parametrize(("overlap", "policy"), [("skip", "Forbid"), ("queue", "Allow")])
def test_run_task_claims_the_slot_of_a_job_that_overlaps_as_on_a_host(
    tmp_path: Path, overlap: str, policy: str
) -> None:
    exported = kubernetes.export(
        [clock(tmp_path, COMMAND, of_job=f"overlap={overlap!r}, timeout='1min'")], kubernetes.Cluster("shop:1"),
        base=tmp_path, now=NOW,
    )  # fmt: skip
    spec = exported.objects["clock-clock.yaml"][1]["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["concurrencyPolicy"] == policy
    assert f"--overlap={overlap}" in pod["containers"][0]["command"]
    assert pod["activeDeadlineSeconds"] == {"skip": 60, "queue": 120}[overlap]  # it waits, too
