"""What systemd would not read is refused when it is rendered, if it could not be found when the clock was read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.render import units
from scheduled_tasks.render.escape import UnwritableValueError
from tests.projects import import_shop
from tests.unit.render.test_golden import GOLDEN, HOST


def test_a_clock_whose_target_has_too_long_a_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_shop(GOLDEN, monkeypatch)
    monkeypatch.setattr(units, "MAX_LINE", 4000)
    path = tmp_path / "many.py"
    path.write_text(
        "from scheduled_tasks import Clock\nfrom shop.tasks.booking import count\nscheduler = Clock(timezone='UTC')\n"
        "for number in range(200):\n    scheduler.add_job(count, 'cron', id=f'job_{number}', hour=3)\n"
    )
    clock = read_clock(path, "many", ReadingContext("shop.tasks", "", datetime(2026, 11, 23, tzinfo=UTC)))
    with pytest.raises(UnwritableValueError, match=r"^clock-many.target has a line of more than 1 MiB: put fewer jobs"):
        units.render([clock], HOST)
