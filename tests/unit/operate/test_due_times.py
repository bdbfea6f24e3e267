"""Due times become wrong when the years of a set's lines end, or when time zone data change: each names its jobs."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduled_tasks.operate.watch.due_times import DueTimesProblem, due_times_problems
from tests import zone_data

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOCK = """from scheduled_tasks import Clock
from shop.tasks.booking import count
scheduler = Clock(timezone="Europe/Paris")
for id, fields in {jobs}.items():
    scheduler.add_job(count, id=id, **fields)
"""
JOBS = {
    "at_six": {"trigger": "cron", "hour": 6},
    "at_night": {"trigger": "cron", "hour": 2, "minute": 30},
    "in_weeks": {"trigger": "cron", "week": "*/2", "hour": 12},
    "every_five": {"trigger": "cron", "minute": "*/5"},
    "often": {"trigger": "interval", "minutes": 5},
    "once": {"trigger": "date", "run_date": "2028-07-14 12:00:00"},
}
# The law that Paris does not have: from 2028 on it stays at +01:00.
LAW = """
Rule France 2001 2027 - Mar lastSun 1:00u 1:00 S
Rule France 2001 2027 - Oct lastSun 1:00u 0 -
Zone Europe/Paris 1:00 France CE%sT
"""
TODAYS = Path("/usr/share/zoneinfo")


@pytest.fixture(scope="module")
def without_summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Time zone data with the other law, compiled by zic(8) from the text that tzdata is made of."""
    folder = tmp_path_factory.mktemp("zones")
    subprocess.run(["/usr/sbin/zic", "-d", str(folder), "-"], input=LAW, text=True, check=True)
    return folder


def problems(
    tmp_path: Path, *, rendered_with: Path = TODAYS, systemd_reads: Path = TODAYS, now: datetime = NOW, **jobs: object
) -> list[DueTimesProblem]:
    clock = tmp_path / "shop.py"
    clock.write_text(CLOCK.format(jobs=jobs or JOBS))
    manifest, lines = zone_data.rendered_with(rendered_with, clock)
    return list(due_times_problems(manifest, lines.__getitem__, now, systemd_reads))


def test_a_set_of_today_has_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


def test_changed_time_zone_data_name_the_jobs_whose_lines_would_change_and_the_first_date(
    tmp_path: Path, without_summer: Path
) -> None:
    """Lines in the zone need no new apply, nor do those in UTC that are the same at any offset."""
    assert problems(tmp_path, rendered_with=without_summer) == [
        DueTimesProblem(
            "Europe/Paris",
            "the time zone data changed for times from 2028-03-26 on: the timers of shop/at_night, shop/in_weeks, "
            "shop/once were computed from the old ones",
        )
    ]
    assert problems(tmp_path, rendered_with=without_summer, at_six=JOBS["at_six"]) == []


def test_systemd_and_python_with_different_data_are_a_problem_that_no_apply_mends(
    tmp_path: Path, without_summer: Path
) -> None:
    assert problems(tmp_path, systemd_reads=without_summer, at_six=JOBS["at_six"]) == [
        DueTimesProblem(
            "Europe/Paris",
            "systemd and this Python have different time zone data for times from 2028-03-26 on: shop/at_six",
            is_mended_by_apply=False,
        )
    ]


def test_a_zone_that_systemd_lacks_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, systemd_reads=tmp_path, at_six=JOBS["at_six"]) == [
        DueTimesProblem(
            "Europe/Paris",
            "systemd knows no such time zone: no timer of shop/at_six elapses",
            is_mended_by_apply=False,
        )
    ]


def test_less_than_two_years_of_exact_times_are_a_problem(tmp_path: Path) -> None:
    last = datetime(2036, 12, 31, 23, tzinfo=UTC)
    assert problems(tmp_path, now=last.replace(year=2034)) == []
    assert problems(tmp_path, now=last.replace(year=2035, month=1, day=2)) == [
        DueTimesProblem("timers", "exact only until 2036-12-31: shop/at_night, shop/in_weeks"),
    ]
