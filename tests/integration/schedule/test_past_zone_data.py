"""Sets that were rendered with the time zone data of past years: today a host finds exactly the jobs that became wrong.

The data are those of PyPI's tzdata, read by a second Python. That an unchanged line is right is tested elsewhere: it is
what today's data yield.
"""

from __future__ import annotations

import json
import os
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
from tests.roots import CACHE

from .oracle import EXAMPLES, NOW, triggers

RELEASES = ("2020.5", "2021.5", "2022.7", "2023.3", "2024.1")
JOBS = 24  # in a set at most, each in another zone
# Reads [zone, fields] of jobs, and prints the jobs manifest of a set with them, and each job's lines.
RENDER = f"""
import json, sys, tempfile
from datetime import UTC, datetime
from pathlib import Path
from scheduled_tasks.clock_file import read_clocks
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.render.jobs_manifest import jobs_json
lines = ["from scheduled_tasks import Clock", "from shop.tasks.booking import count"]
lines.append("scheduler = Clock(timezone='UTC')")
for number, (zone, fields) in enumerate(json.load(sys.stdin)):
    lines.append(f"scheduler.add_job(count, 'cron', id='j{{number}}', timezone={{zone!r}}, **{{fields!r}})")
with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
    file.write("\\n".join(lines))
    file.flush()
    context = ReadingContext(domains="shop.tasks", timezone="", now=datetime.fromisoformat({NOW.isoformat()!r}))
    clocks = read_clocks([("shop", Path(file.name))], context)
[clock] = clocks
lines = [job.timing.on_calendar for job in sorted(clock.jobs, key=lambda job: int(job.id[1:]))]
print(json.dumps([jobs_json(clocks), lines]))
"""
TODAYS = Path("/usr/share/zoneinfo")
GOLDEN = Path(__file__).parents[2] / "golden"


def lines_today(zone: str, fields: dict[str, str]) -> tuple[str, ...]:
    try:
        return translate(read_trigger("cron", fields, timezone=zone), now=NOW).on_calendar
    except FaultsError:  # no run, or too many lines
        return ()


@pytest.fixture(scope="module", params=RELEASES)
def past(request: pytest.FixtureRequest) -> Path:
    """The time zone data of a release, downloaded once and kept for later test runs."""
    folder = CACHE / f"tzdata-{request.param}"
    if not folder.exists():
        unfinished = folder.with_suffix(f".{os.getpid()}")
        command = ["pip", "install", "--quiet", "--no-deps", f"--target={unfinished}", f"tzdata=={request.param}"]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        unfinished.rename(folder)
    return folder / "tzdata/zoneinfo"


def known_zones(past: Path) -> tuple[list[str], list[str]]:
    """The zones that exist in a release and today, and those whose offsets in the next years differ."""
    known = sorted(available_timezones() & set((past.parent / "zones").read_text().split()))
    return known, [zone for zone in known if offsets(past, zone) != offsets(TODAYS, zone)]


def offsets(folder: Path, zone: str) -> list[timedelta | None]:
    """A zone's offsets, twice a month for five years."""
    with (folder / zone).open("rb") as file:
        info = ZoneInfo.from_file(file)
    return [(NOW + timedelta(days=15 * number)).astimezone(info).utcoffset() for number in range(120)]


def rendered(jobs: list[tuple[str, dict[str, str]]], zone_data: Path) -> tuple[str, list[tuple[str, ...]]]:
    """The jobs manifest of a set with these jobs, and the lines of each."""
    environment = {"PYTHONTZPATH": str(zone_data), "PYTHONPATH": f"{GOLDEN}:{GOLDEN.parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER],
        input=json.dumps(jobs), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest, lines = json.loads(done.stdout)
    return manifest, [tuple(each) for each in lines]


@settings(settings.get_profile("schedule"), max_examples=max(2, EXAMPLES // JOBS), phases=[Phase.generate])
@given(data=st.data())
def test_a_set_of_a_past_year_is_right_today_or_the_host_names_its_wrong_jobs(past: Path, data: st.DataObject) -> None:
    known, changed = known_zones(past)
    zones = data.draw(st.lists(st.sampled_from(changed), max_size=JOBS // 2, unique=True))
    zones += data.draw(st.lists(st.sampled_from(known), max_size=JOBS // 2, unique=True))
    drawn = [(zone, data.draw(triggers()).fields) for zone in dict.fromkeys(zones)]
    jobs = [job for job in drawn if lines_today(*job)]
    manifest, lines = rendered(jobs, past)
    wrong = {f"shop/j{number}" for number, job in enumerate(jobs) if lines[number] != lines_today(*job)}

    def lines_of(timer: str) -> tuple[str, ...]:
        return lines[int(timer.removeprefix("clock-shop-j").removesuffix(".timer"))]

    found = " ".join(problem.problem for problem in due_times_problems(manifest, lines_of, NOW))
    assert set(re.findall(r"shop/j\d+", found)) == wrong


def test_a_law_that_changed_made_jobs_wrong(past: Path) -> None:
    """Otherwise the other test would compare nothing."""
    _, changed = known_zones(past)
    jobs = [(zone, {"hour": "2,3", "minute": "*/20", "week": "*/2"}) for zone in changed]
    _, lines = rendered(jobs, past)
    assert any(lines[number] != lines_today(*job) for number, job in enumerate(jobs))
