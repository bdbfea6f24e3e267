"""explain, next and lint: keys, exit codes, order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from scheduled_tasks.cli.time import ScheduledJob, explain, lint, merged, next_runs
from scheduled_tasks.errors import UsageError
from scheduled_tasks.run import settings
from scheduled_tasks.schedule import Trigger, read_trigger


def cron(**fields: object) -> Trigger:
    return read_trigger("cron", fields, timezone="Europe/Paris")


NIGHT = """
from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="copy", hour=2, minute=30, timeout="10min")
scheduler.add_job(count, "cron", id="clean", hour=2, minute=31)
scheduler.add_job(count, "cron", id="paused", hour=2, minute=32, next_run_time=None)
"""
DAY = """
from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris", timeout="40min")
scheduler.add_job(count, "cron", id="mail", minute="*/30")
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project with clock files of its own, over the golden cases' shop."""
    clocks = tmp_path / "shop_clocks"
    clocks.mkdir()
    for name, text in (("__init__", ""), ("night", NIGHT), ("day", DAY)):
        (clocks / f"{name}.py").write_text(text)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.scheduled_tasks]\ndomains = "shop.tasks"\nclocks = "shop_clocks"\ntimezone = "Europe/Paris"\n'
    )
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(tmp_path / "pyproject.toml"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "golden"))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in {"shop", "shop_clocks"}]:
        monkeypatch.delitem(sys.modules, name)


def run(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_explain_answers_in_json() -> None:
    done = run(explain, "--json", "--from", "2027-03-27", "--timezone", "Europe/Paris", "hour=6", "minute=30")
    assert (done.exit_code, json.loads(done.output)) == (
        0,
        {
            "words": "at 06:30 every day, Europe/Paris time",
            "on_calendar": ["*-*-* 06:30:00 Europe/Paris"],
            "exec_condition": [],
            "next": [
                "2027-03-27T05:30:00Z", "2027-03-28T04:30:00Z", "2027-03-29T04:30:00Z", "2027-03-30T04:30:00Z",
                "2027-03-31T04:30:00Z",
            ],
            "warnings": [],
            "exact_until": None,
        },
    )  # fmt: skip


def test_explain_shows_both_times_of_a_moved_run() -> None:
    done = run(explain, "--from", "2027-03-27T12:00Z", "--timezone", "Europe/Paris", "hour=2", "minute=30")
    assert (
        "next  Sun 2027-03-28 03:30:00 +0200  2027-03-28T01:30:00Z  (for 02:30:00, which the clock skips)"
        in done.output
    )


def test_explain_reads_a_crontab_as_cron_does() -> None:
    done = run(explain, "--json", "--from", "2026-11-23", "--timezone", "Europe/Paris", "--crontab", "11 7 * * 4")
    assert json.loads(done.output)["on_calendar"] == ["Thu *-*-* 07:11:00 Europe/Paris"]
    assert json.loads(done.output)["next"][0] == "2026-11-26T06:11:00Z"


def test_explain_reads_an_interval_and_a_date() -> None:
    done = run(explain, "--json", "--interval", "minutes=7", "--timezone", "UTC")
    assert json.loads(done.output)["exec_condition"][0][:2] == ["/bin/sh", "-c"]
    done = run(explain, "--json", "--date", "run_date=2199-01-01 06:00:00", "--timezone", "UTC")
    assert json.loads(done.output)["next"] == ["2199-01-01T06:00:00Z"]


def test_explain_without_a_zone_and_a_project_warns_that_it_reads_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", "/nonexistent/pyproject.toml")
    settings.load.cache_clear()
    done = run(explain, "--json", "hour=6")
    assert json.loads(done.output)["warnings"] == [
        "no time zone given, UTC is assumed; write for example --timezone Europe/Paris"
    ]


def test_a_fault_exits_65_with_field_value_and_what_to_write() -> None:
    done = run(explain, "--json", "minutes=5", "hour=25")
    error = json.loads(done.output)
    assert done.exit_code == 65
    assert {key: error["error"][key] for key in ("field", "value", "instead")} == {
        "field": "minutes", "value": "'5'", "instead": "write minute=",
    }  # fmt: skip
    assert [fault["field"] for fault in error["errors"]] == ["minutes", "hour"]
    assert run(explain, "month=2", "day=30").exit_code == 65
    assert run(explain, "hour").exit_code == 65


def test_explain_accepts_only_one_kind_of_trigger() -> None:
    assert isinstance(run(explain, "--interval", "--date", "minutes=5").exception, UsageError)


@pytest.mark.usefixtures("jobs")
def test_next_merges_the_runs_of_all_jobs_in_order() -> None:
    done = run(next_runs, "--json", "--from", "2027-03-28T00:30Z", "--until", "2027-03-28T01:31Z")
    assert [(run["job"], run["at"], run["moved"]) for run in json.loads(done.output)] == [
        ("mail", "2027-03-28T01:00:00Z", False),
        ("mail", "2027-03-28T01:30:00Z", False),
        ("copy", "2027-03-28T01:30:00Z", True),
        ("clean", "2027-03-28T01:31:00Z", True),
    ]


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(("which", "count"), [("night", 6), ("night/copy", 3)])
def test_next_can_show_one_clock_or_one_job(which: str, count: int) -> None:
    done = run(next_runs, which, "--json", "--from", "2027-03-26T12:00Z", "--until", "2027-03-29T12:00Z")
    assert len(json.loads(done.output)) == count


@pytest.mark.usefixtures("jobs")
def test_next_suggests_a_clock_for_an_unknown_name() -> None:
    done = run(next_runs, "nigth")
    assert str(done.exception) == "no file defines a clock nigth; did you mean night?"


def test_ten_thousand_jobs_are_merged_in_order() -> None:
    many = [ScheduledJob("c", f"j{n}", cron(hour=n % 24, minute=n % 60, second=n % 59), None) for n in range(10_000)]
    runs = list(islice(merged(many, datetime(2026, 11, 23, tzinfo=UTC), None), 20))
    assert [run.at for run, _ in runs] == sorted(run.at for run, _ in runs)


@pytest.mark.usefixtures("jobs")
def test_lint_gives_exact_dates() -> None:
    done = run(lint, "--json", "--from", "2026-11-23T00:00Z")
    assert [(warning["kind"], warning["jobs"], warning["at"]) for warning in json.loads(done.output)] == [
        ("overlap", ["day/mail"], ["2026-11-23T00:30:00Z"]),
        ("gap", ["night/copy"], ["2027-03-28T01:30:00Z"]),
        ("gap", ["night/clean"], ["2027-03-28T01:31:00Z"]),
        ("fold", ["night/copy"], ["2027-10-31T00:30:00Z"]),
        ("fold", ["night/clean"], ["2027-10-31T00:31:00Z"]),
    ]
