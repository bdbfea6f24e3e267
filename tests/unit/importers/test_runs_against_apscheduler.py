"""Each imported job's next hundred runs are APScheduler's, except on dates and for reasons that the report names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.importers.golden_import import CASES, NOW, ROOT, copy_case, environment

pytestmark = pytest.mark.thorough

CLOCKS = [case for case in CASES if (case / "input/clock.py").exists() and case.name != "imported_scheduler"]
HORIZON = timedelta(days=3660)
READER = """
import json, sys
from datetime import datetime, timedelta, UTC
from itertools import islice
from pathlib import Path
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.schedule import occurrences
now = datetime.fromisoformat(sys.argv[1])
jobs = {}
for path in sorted(Path("imported/clocks").glob("*.py")):
    project = ReadingContext("shop.tasks", "", now, lines=False)
    for job in read_clock(path, path.stem, project).jobs:
        runs = occurrences(job.trigger, after=now)
        jobs[f"{path.stem}/{job.id}"] = {
            "runs": [run.at.isoformat() for run in islice(runs, 100)], "zone": job.trigger.zone, "task": job.task,
        }
print(json.dumps(jobs))
"""


def python(folder: Path, timezone: str, *arguments: str, **variables: str) -> Any:
    plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    variables |= {"PYTHONPATH": f"{ROOT}:{folder}", "PYTHONDONTWRITEBYTECODE": "1", "TZ": timezone}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=plain | variables, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def imported(case: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The jobs of a case's expected clock files, as this project reads them, and the report."""
    copy_case(case, folder)
    (folder / "imported/clocks").mkdir(parents=True)
    for path in (case / "expected/clocks").glob("*.py"):
        (folder / "imported/clocks" / path.name).write_text(path.read_text())
    for path in (case / "expected/tasks").glob("*.py"):
        (folder / "shop/tasks" / path.name).write_text(path.read_text())
    jobs = python(folder, "UTC", "-c", READER, NOW.replace("Z", "+00:00"), **environment(case))
    return jobs, json.loads((case / "expected/report.json").read_text())


def on_other_dates(runs: list[datetime], dates: set[str], zone: str) -> list[datetime]:
    from zoneinfo import ZoneInfo

    return [at for at in runs if at.astimezone(ZoneInfo(zone)).date().isoformat() not in dates]


def instants(runs: list[str]) -> list[datetime]:
    return [datetime.fromisoformat(run).astimezone(UTC) for run in runs]


def oracle_jobs(folder: Path, file: str, timezone: str, **variables: str) -> dict[int, list[Any]]:
    """APScheduler's own jobs of a file, by the lines that add them."""
    oracle = Path(__file__).with_name("oracle.py")
    by_line = defaultdict(list)
    for job in python(folder, timezone, str(oracle), file, NOW.replace("Z", "+00:00"), **variables):
        by_line[job["line"]].append(job)
    return by_line


def compare(entries: list[Any], jobs: dict[str, Any], by_line: dict[int, list[Any]]) -> int:
    """Compare the jobs of a file's entries with APScheduler's and remove them; return how many were compared."""
    now = datetime.fromisoformat(NOW)
    compared = 0
    for entry in entries:
        if entry["outcome"] in {"note", "kept"}:
            continue
        kinds = {difference["kind"] for difference in entry["differences"]}
        if entry["outcome"] == "refused":
            assert entry["job"] not in jobs
            if kinds & {"undecided", "nested"} or entry["line"] not in by_line:
                continue
            by_line[entry["line"]].pop(0)
            continue
        job = jobs.pop(entry["job"])
        if "or" in kinds:
            continue  # its parts are one job in APScheduler: another test joins them
        if entry["line"] not in by_line:
            assert "scheduler" in kinds  # a function that another file calls
            continue
        theirs = by_line[entry["line"]].pop(0)
        if "refused" in theirs:
            assert kinds & {"id", "grace"}  # the mistakes that the import corrects
            continue
        ours, before = instants(job["runs"]), instants(theirs["runs"])
        if "phase" in kinds:
            assert {b - a for a, b in pairwise(ours)} == {b - a for a, b in pairwise(before)}
        elif "past" in kinds:
            assert ours == []
        else:
            dates = {date for difference in entry["differences"] for date in difference["dates"]}
            last = min(*ours[-1:], *before[-1:], now + HORIZON)
            kept = [[at for at in on_other_dates(runs, dates, job["zone"]) if at <= last] for runs in (ours, before)]
            assert kept[0] == kept[1], entry["job"]
            assert len(kept[0]) >= min(90, len(before) - len(dates)) or last == now + HORIZON
        compared += 1
    return compared


@pytest.mark.parametrize("case", CLOCKS, ids=lambda case: case.name)
def test_the_next_hundred_runs_are_apschedulers_unless_the_report_says_otherwise(case: Path, tmp_path: Path) -> None:
    words = (case / "arguments").read_text().split()
    jobs, report = imported(case, tmp_path)
    by_line = oracle_jobs(tmp_path, "clock.py", words[words.index("--timezone") + 1], **environment(case))
    assert compare(report["entries"], jobs, by_line) > 0
    assert jobs == {}


def test_each_job_of_apschedulers_own_examples_is_imported_or_rejected_with_a_reason(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "apscheduler_examples")
    jobs, report = imported(case, tmp_path)
    files = sorted({entry["file"] for entry in report["entries"]})
    assert len(files) == 17
    compared = 0
    for file in files:
        entries = [entry for entry in report["entries"] if entry["file"] == file]
        by_line = oracle_jobs(tmp_path, file, "Europe/Paris")
        compared += compare(entries, jobs, by_line)
        assert [
            left for line, left in by_line.items() if left and line not in {entry["line"] for entry in entries}
        ] == []
    assert compared == 8
    assert jobs == {}


def test_the_parts_of_an_or_trigger_together_run_as_in_apscheduler(tmp_path: Path) -> None:
    case = next(case for case in CLOCKS if case.name == "trigger_objects")
    jobs, _ = imported(case, tmp_path)
    parts = sorted({*instants(jobs["clock/either"]["runs"]), *instants(jobs["clock/either_2"]["runs"])})
    oracle = Path(__file__).with_name("oracle.py")
    original = python(tmp_path, "Europe/Paris", str(oracle), "clock.py", NOW.replace("Z", "+00:00"))
    [either] = [job for job in original if job["line"] == 21]
    assert parts[:100] == instants(either["runs"])


def test_doubled_autumn_runs_are_reported_with_their_dates(tmp_path: Path) -> None:
    case = next(case for case in CLOCKS if case.name == "blocking_in_main")
    report = json.loads((case / "expected/report.json").read_text())
    [entry] = [entry for entry in report["entries"] if entry["job"] == "clock/cancel_expired_bookings"]
    [fold] = [difference for difference in entry["differences"] if difference["kind"] == "fold"]
    assert fold["dates"] == ["2027-10-31", "2028-10-29"]
    assert list(islice(fold["text"].split(" "), 5)) == ["APScheduler", "ran", "it", "at", "02:00:00+0100,"]
