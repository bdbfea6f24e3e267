"""A typed project's use of every public name: mypy --strict reads it with the wheel installed, and nothing of this project."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum

import pytest

from scheduled_tasks import (
    Clock,
    CurrentRun,
    Feature,
    app,
    cron_context,
    cron_idempotent,
    cron_require_feature,
    cron_required,
    current_run,
    log_cron,
    setting,
)
from scheduled_tasks.bundled import command
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError
from scheduled_tasks.testing import Flags, JobTimes, TaskResult


class FeatureToggle(Enum):
    EXPIRE = Feature("Expires baskets", default=False)


@cron_idempotent
@log_cron
@cron_context
@cron_require_feature(FeatureToggle.EXPIRE)
def expire(app: object, hours: int = 24) -> int:
    run: CurrentRun | None = current_run()
    when: datetime | None = run.scheduled_at if run else None
    try:
        key: str = setting("api_key")
    except ConfigurationError as error:
        known: ScheduledTasksError = error
        raise known from error
    return hours if when and key else 0


@log_cron
@cron_required
def other(app: object) -> None: ...


scheduler = Clock(timezone="Europe/Paris", timeout="1h", memory_max="512M", retries=3)
scheduler.add_job(expire, "cron", [app, 2], id="expire", hour=6, minute="*/5", timeout="10min")
scheduler.add_job(command.run, "cron", [["/bin/true"]], id="command", hour=6)
given: int | None = expire(object(), hours=3)
expire(object(), hours="3")  # type: ignore[arg-type]
Feature("Expires baskets", default="no")  # type: ignore[arg-type]
scheduler.add_job(expire, "cron", id=3)  # type: ignore[arg-type]


@pytest.fixture
def nothing() -> None: ...


def test_it(
    run_task: Callable[..., TaskResult], flags: Flags, job_times: JobTimes, log_lines: list[dict[str, object]], tasks_database: str
) -> None:
    flags.enable("EXPIRE")
    call = run_task(expire, at=datetime(2027, 1, 1), clock="night", job="expire")
    messages: list[str] = call.messages("info")
    fires: list[str] = job_times.of("night/expire", start="2027-01-01", until="2027-01-02")
    assert (call.status, messages, fires, log_lines, tasks_database) is not None
