"""No call is lost and nothing wrong is called exact, in clock files and crontabs as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from scheduled_tasks.importers.read_back import read_back
from scheduled_tasks.schedule import occurrences
from tests.unit.importers.corpus import RUNS, Case, cases, judge, run
from tests.unit.importers.golden_import import NOW

CLOCKS = cases("clock_files.txt", "clock.py --timezone Europe/Paris")
CRONTABS = cases("crontabs.txt", "{} --timezone Europe/Paris")


def runs_of_jobs(folder: Path, domains: str) -> dict[str, list[str]]:
    """The next runs of each imported job, as this project reads the clock files."""
    now = datetime.fromisoformat(NOW)
    return {
        f"{path.stem}/{job.id}": [
            run.at.astimezone(UTC).isoformat() for run in islice(occurrences(job.trigger, after=now), RUNS)
        ]
        for path in sorted((folder / "imported/clocks").glob("*.py"))
        for job in read_back(path.read_text(), path.stem, domains, now).jobs
    }


@pytest.mark.parametrize("case", CLOCKS, ids=lambda case: case.name)
def test_a_clock_file_is_imported_as_the_corpus_expects(case: Case, tmp_path: Path) -> None:
    imported = run(case, "apscheduler", tmp_path)
    domains = case.arguments[case.arguments.index("--domains") + 1] if "--domains" in case.arguments else "tasks"
    assert judge(case, imported, runs_of_jobs(tmp_path, domains)) == []


@pytest.mark.parametrize("case", CRONTABS, ids=lambda case: case.name)
def test_a_crontab_is_imported_as_the_corpus_expects(case: Case, tmp_path: Path) -> None:
    imported = run(case, "crontab", tmp_path)
    assert judge(case, imported, runs_of_jobs(tmp_path, "tasks")) == []


def test_the_corpus_has_sixty_clock_files_and_forty_crontabs() -> None:
    assert len(CLOCKS) >= 60
    assert len(CRONTABS) >= 40
