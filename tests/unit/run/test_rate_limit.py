"""The rate limit that run-task waits out before its end line is that of the units."""

from __future__ import annotations

from pathlib import Path

import scheduled_tasks
from scheduled_tasks.run import log


def test_the_units_have_the_rate_limit_that_run_task_waits_out() -> None:
    template = Path(scheduled_tasks.__file__).parents[1] / "units/all-services.conf.j2"
    lines = template.read_text().splitlines()
    assert f"LogRateLimitIntervalSec={log.RATE_LIMIT_INTERVAL:g}" in lines
    assert f"LogRateLimitBurst={log.RATE_LIMIT_BURST}" in lines
