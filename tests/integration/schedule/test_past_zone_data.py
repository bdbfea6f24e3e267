"""Sets that were rendered with the time zone data of past years: today a host finds exactly the jobs that became wrong.

The data are those of PyPI's tzdata, read by a second Python. That an unchanged line is right is tested elsewhere: it is
what today's data yield.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.operate.watch.due_times import due_times_problems
from scheduled_tasks.schedule import read_trigger, translate
from tests.kept import kept
from tests.zone_data import rendered_with

from .oracle import EXAMPLES, NOW, triggers

pytestmark = pytest.mark.thorough

RELEASES = ("2020.5", "2021.5", "2022.7", "2023.3", "2024.1")
JOBS = 24  # in a set at most, each in another zone
CLOCK = """from scheduled_tasks import Clock
from shop.tasks.booking import count
scheduler = Clock(timezone="UTC")
for number, (zone, fields) in enumerate({jobs!r}):
    scheduler.add_job(count, "cron", id=f"j{{number}}", timezone=zone, **fields)
"""
TODAYS = Path("/usr/share/zoneinfo")


def lines_today(zone: str, fields: dict[str, str]) -> tuple[str, ...]:
    try:
        return translate(read_trigger("cron", fields, timezone=zone), now=NOW).on_calendar
    except FaultsError:  # no run, or too many lines
        return ()


@pytest.fixture(scope="module", params=RELEASES)
def past(request: pytest.FixtureRequest) -> Path:
    """The time zone data of a release, downloaded once and kept for later test runs."""
    release: str = request.param

    def download(folder: Path) -> None:
        command = ["pip", "install", "--quiet", "--no-deps", f"--target={folder}", f"tzdata=={release}"]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return kept(f"tzdata-{release}", download) / "tzdata/zoneinfo"


def known_zones(past: Path) -> tuple[list[str], list[str]]:
    """The zones that exist in a release and today, and those whose offsets in the next years differ."""
    known = sorted(available_timezones() & set((past.parent / "zones").read_text().split()))
    return known, [zone for zone in known if offsets(past, zone) != offsets(TODAYS, zone)]


def offsets(folder: Path, zone: str) -> list[timedelta | None]:
    """A zone's offsets, twice a month for five years."""
    with (folder / zone).open("rb") as file:
        info = ZoneInfo.from_file(file)
    return [(NOW + timedelta(days=15 * number)).astimezone(info).utcoffset() for number in range(120)]


def rendered(
    jobs: list[tuple[str, dict[str, str]]], zone_data: Path, folder: Path
) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The jobs manifest of a set with these jobs, and the lines of each timer."""
    clock = folder / "shop.py"
    clock.write_text(CLOCK.format(jobs=jobs))
    return rendered_with(zone_data, clock)


def timer(number: int) -> str:
    return f"clock-shop-j{number}.timer"


@settings(settings.get_profile("schedule"), max_examples=max(2, EXAMPLES // JOBS), phases=[Phase.generate])
@given(data=st.data())
def test_a_set_of_a_past_year_is_right_today_or_the_host_names_its_wrong_jobs(
    past: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    known, changed = known_zones(past)
    zones = data.draw(st.lists(st.sampled_from(changed), max_size=JOBS // 2, unique=True))
    zones += data.draw(st.lists(st.sampled_from(known), max_size=JOBS // 2, unique=True))
    drawn = [(zone, data.draw(triggers()).fields) for zone in dict.fromkeys(zones)]
    jobs = [job for job in drawn if lines_today(*job)]
    manifest, lines = rendered(jobs, past, tmp_path_factory.mktemp("clock"))
    wrong = {f"shop/j{number}" for number, job in enumerate(jobs) if lines[timer(number)] != lines_today(*job)}

    found = " ".join(problem.problem for problem in due_times_problems(manifest, lines.__getitem__, NOW))
    assert set(re.findall(r"shop/j\d+", found)) == wrong


def test_a_law_that_changed_made_jobs_wrong(past: Path, tmp_path: Path) -> None:
    """Otherwise the other test would compare nothing."""
    _, changed = known_zones(past)
    jobs = [(zone, {"hour": "2,3", "minute": "*/20", "week": "*/2"}) for zone in changed]
    _, lines = rendered(jobs, past, tmp_path)
    assert any(lines[timer(number)] != lines_today(*job) for number, job in enumerate(jobs))
