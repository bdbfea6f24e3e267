"""Each imported job's next hundred runs are APScheduler's, but on the dates that the report names, or as it says."""

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

from tests.unit.importers.golden_import import CASES, NOW, ROOT, environment, laid_out

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
found = {}
for path in sorted(Path("imported/clocks").glob("*.py")):
    project = ReadingContext("shop.tasks", "", now, lines=False)
    for job in read_clock(path, path.stem, project).jobs:
        runs = occurrences(job.trigger, after=now)
        found[f"{path.stem}/{job.id}"] = {
            "runs": [each.at.isoformat() for each in islice(runs, 100)], "zone": job.trigger.zone, "task": job.task,
        }
print(json.dumps(found))
"""


def python(folder: Path, timezone: str, *arguments: str, **variables: str) -> Any:
    plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    variables |= {"PYTHONPATH": f"{ROOT}:{folder}", "PYTHONDONTWRITEBYTECODE": "1", "TZ": timezone}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=plain | variables, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def imported(case: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The jobs of the clock files that are expected, read by this project, and the report."""
    laid_out(case, folder)
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
    return [datetime.fromisoformat(each).astimezone(UTC) for each in runs]


def asked(folder: Path, file: str, timezone: str, **variables: str) -> dict[int, list[Any]]:
    """What APScheduler itself makes of a file: its jobs by the lines that add them."""
    oracle = Path(__file__).with_name("oracle.py")
    by_line = defaultdict(list)
    for each in python(folder, timezone, str(oracle), file, NOW.replace("Z", "+00:00"), **variables):
        by_line[each["line"]].append(each)
    return by_line


def compare(entries: list[Any], jobs: dict[str, Any], by_line: dict[int, list[Any]]) -> int:
    """Holds the jobs of a file's entries against APScheduler's, and takes them out; says how many were compared."""
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
        found = jobs.pop(entry["job"])
        if "or" in kinds:
            continue  # its parts are not APScheduler's one job: a test puts them together
        if entry["line"] not in by_line:
            assert "scheduler" in kinds  # a function that another file calls
            continue
        theirs = by_line[entry["line"]].pop(0)
        if "refused" in theirs:
            assert kinds & {"id", "grace"}  # the mistakes that are put right
            continue
        ours, before = instants(found["runs"]), instants(theirs["runs"])
        if "phase" in kinds:
            assert {b - a for a, b in pairwise(ours)} == {b - a for a, b in pairwise(before)}
        elif "past" in kinds:
            assert ours == []
        else:
            dates = {date for difference in entry["differences"] for date in difference["dates"]}
            last = min(*ours[-1:], *before[-1:], now + HORIZON)
            kept = [[at for at in on_other_dates(each, dates, found["zone"]) if at <= last] for each in (ours, before)]
            assert kept[0] == kept[1], entry["job"]
            assert len(kept[0]) >= min(90, len(before) - len(dates)) or last == now + HORIZON
        compared += 1
    return compared


@pytest.mark.parametrize("case", CLOCKS, ids=lambda case: case.name)
def test_the_next_hundred_runs_are_apschedulers_but_where_the_report_says_otherwise(case: Path, tmp_path: Path) -> None:
    words = (case / "arguments").read_text().split()
    jobs, report = imported(case, tmp_path)
    by_line = asked(tmp_path, "clock.py", words[words.index("--timezone") + 1], **environment(case))
    assert compare(report["entries"], jobs, by_line) > 0
    assert jobs == {}


def test_of_apschedulers_own_examples_each_job_is_imported_or_refused_with_a_reason(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "apscheduler_examples")
    jobs, report = imported(case, tmp_path)
    files = sorted({entry["file"] for entry in report["entries"]})
    assert len(files) == 17
    compared = 0
    for file in files:
        entries = [entry for entry in report["entries"] if entry["file"] == file]
        by_line = asked(tmp_path, file, "Europe/Paris")
        compared += compare(entries, jobs, by_line)
        assert [left for line, left in by_line.items() if left and line not in {each["line"] for each in entries}] == []
    assert compared == 8
    assert jobs == {}


def test_the_parts_of_an_or_trigger_together_are_apschedulers_runs(tmp_path: Path) -> None:
    case = next(case for case in CLOCKS if case.name == "trigger_objects")
    jobs, _ = imported(case, tmp_path)
    parts = sorted({*instants(jobs["clock/either"]["runs"]), *instants(jobs["clock/either_2"]["runs"])})
    oracle = Path(__file__).with_name("oracle.py")
    original = python(tmp_path, "Europe/Paris", str(oracle), "clock.py", NOW.replace("Z", "+00:00"))
    [either] = [each for each in original if each["line"] == 21]
    assert parts[:100] == instants(either["runs"])


def test_doubled_autumn_runs_are_named_with_their_dates(tmp_path: Path) -> None:
    case = next(case for case in CLOCKS if case.name == "blocking_in_main")
    report = json.loads((case / "expected/report.json").read_text())
    [entry] = [each for each in report["entries"] if each["job"] == "clock/cancel_expired_bookings"]
    [fold] = [difference for difference in entry["differences"] if difference["kind"] == "fold"]
    assert fold["dates"] == ["2027-10-31", "2028-10-29"]
    assert list(islice(fold["text"].split(" "), 5)) == ["APScheduler", "ran", "it", "at", "02:00:00+0100,"]
