"""Exported crontab lines fire when the clock file says: cronsim reads the fields, a shell evaluates the guards."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from scheduled_tasks.clock import Job
from scheduled_tasks.exporters.cron_words import cron_words
from scheduled_tasks.exporters.crontab import export
from scheduled_tasks.importers.crontab.lines import read_lines
from scheduled_tasks.schedule import occurrences
from tests.unit.exporters.clock_for_export import NOT_EXPRESSIBLE, NOW, TEXT, read

# Before the first shift of any zone used here: both agree until then.
UNTIL = datetime(2027, 3, 13, tzinfo=UTC)
DATE = """#!/bin/sh
# date, as if it were $AT: [-d DISTANCE] +FORMAT
if [ "$1" = -d ]; then exec /bin/date -d "$(/bin/date -d "@$AT" '+%F %T %z') + $2" "$3"; fi
exec /bin/date -d "@$AT" "$1"
"""
IDS = [line.partition('"')[2].partition('"')[0] for line in TEXT.splitlines() if line.startswith("add(")]


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, Job]:
    return {job.id: job for job in read(tmp_path).jobs}


def holds(guard: str, instants: list[datetime], zone: str, folder: Path) -> list[datetime]:
    """The instants at which a guard is true, as a shell evaluates it."""
    (folder / "date").write_text(DATE)
    (folder / "date").chmod(0o755)
    script = "".join(f"AT={at.timestamp():.0f}; export AT; if {guard}; then echo $AT; fi\n" for at in instants)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "TZ": zone}
    done = subprocess.run(["/bin/sh"], input=script, env=environment, capture_output=True, text=True, check=True)
    return [datetime.fromtimestamp(int(line), UTC) for line in done.stdout.split()]


@pytest.mark.parametrize("job", [job for job in IDS if job not in NOT_EXPRESSIBLE])
def test_fields_and_guard_together_fire_when_the_clock_file_says(
    jobs: dict[str, Job], job: str, tmp_path: Path
) -> None:
    trigger = jobs[job].trigger
    words = cron_words(trigger, NOW)
    fires = CronSim(words.fields, NOW.astimezone(ZoneInfo(words.zone)))
    times = list(takewhile(lambda at: at < UNTIL, (at.astimezone(UTC) for at in fires)))[:150]
    if words.guard:
        times = holds(words.guard, times, words.zone, tmp_path)
    last = times[-1] if times else UNTIL
    expected = [occurrence.at for occurrence in islice(occurrences(trigger, after=NOW, until=last), 150)]
    late = timedelta(seconds=30) if job == "at_second_thirty" else timedelta(0)
    assert times[: len(expected)] == [at - late for at in expected][: len(times)]
    assert len(times) >= len(expected)


def test_an_exported_line_is_parsed_back_unchanged(tmp_path: Path) -> None:
    text, report = export(
        [read(tmp_path)], run_task="/opt/shop/bin/run-task", configuration="/etc/scheduled-tasks/config.toml",
        user="shop", timezone="Europe/Paris", base=tmp_path, now=NOW,
    )  # fmt: skip
    lines = [line for line in read_lines(text, "system") if line.kind == "entry"]
    assert not [line for line in read_lines(text, "system") if line.kind == "wrong"]
    assert len(lines) == report.count("exact") + report.count("different") - 1  # the paused one is a comment
    daily = next(line for line in lines if line.when == "0 6 * * *")
    assert (daily.user, daily.command, daily.stdin) == ("shop", "/bin/true '$(date)'", "")
    guarded = next(line for line in lines if line.command.startswith("(TZ=Europe/Paris; export TZ; "))
    assert guarded.command.endswith(") || exit 0; /bin/true '$(date)'")
    assert "%-d" in guarded.command
    assert guarded.stdin == ""


def test_another_zone_is_set_by_cron_tz_and_reset_after_its_lines(tmp_path: Path) -> None:
    text, report = export(
        [read(tmp_path)], run_task="run-task", configuration="c.toml", user="shop", timezone="Europe/Paris",
        base=tmp_path, now=NOW,
    )  # fmt: skip
    zone, zones = "Europe/Paris", {}
    for line in read_lines(text, "system"):
        if line.name == "CRON_TZ":
            zone = line.value
        elif line.kind == "entry":
            zones[line.when] = zone
    abroad, every_week, jittered = "0 7 * * *", "0 0 * * 1", "0 5 * * *"
    assert (zones[abroad], zones[every_week], zones[jittered]) == ("America/New_York", "UTC", "Europe/Paris")
    [entry] = [entry for entry in report.entries if entry.job == "to_export/abroad"]
    assert [difference.kind for difference in entry.differences] == ["options", "zone"]
