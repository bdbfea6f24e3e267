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

from scheduled_tasks.cli import main
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
            "elapses_every": None,
            "next": [
                "2027-03-27T05:30:00Z", "2027-03-28T04:30:00Z", "2027-03-29T04:30:00Z", "2027-03-30T04:30:00Z",
                "2027-03-31T04:30:00Z",
            ],
            "warnings": [],
            "exact_until": None,
        },
    )  # fmt: skip


def test_explain_shows_for_which_time_a_run_was_moved() -> None:
    done = run(explain, "--from", "2027-03-27T12:00Z", "--timezone", "Europe/Paris", "hour=2", "minute=30")
    assert "next  Sun 2027-03-28 03:30:00+02:00  (for 02:30:00, which the clock skips)" in done.output


def test_explain_reads_a_crontab_as_cron_does() -> None:
    done = run(explain, "--json", "--from", "2026-11-23", "--timezone", "Europe/Paris", "--crontab", "11 7 * * 4")
    assert json.loads(done.output)["on_calendar"] == ["Thu *-*-* 07:11:00 Europe/Paris"]
    assert json.loads(done.output)["next"][0] == "2026-11-26T06:11:00Z"


def test_explain_reads_an_interval_and_a_date() -> None:
    done = run(explain, "--json", "--interval", "minutes=7", "--timezone", "UTC")
    assert json.loads(done.output)["elapses_every"] == 60
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


@pytest.mark.parametrize(
    ("arguments", "field", "value", "instead"),
    [
        (["hour=3", "hour=4"], "hour", "'4'", "write hour='3,4' for both"),
        (["--interval", "minutes=5", "minutes=7"], "minutes", "'7'", "leave one out"),
        (["--interval", "minutes=٣"], "minutes", "'٣'", "write minutes=1"),
        (["--interval", "minutes=²"], "minutes", "'²'", "write minutes=1"),
        (["hour=6:30"], "hour", "'6:30'", "write hour=6, minute=30"),
        (["hour=6am"], "hour", "'6am'", "write hour=6"),
        (["day=2nd fri-sun"], "day", "'2nd fri-sun'", "write day='2nd fri,2nd sat,2nd sun'"),
        (["hour=3", "timezone=Factory"], "timezone", "'Factory'", "write for example timezone='Europe/Paris'"),
        (["hour=3", "jitter=99999999999"], "jitter", "99999999999", "write at most 604800, in seconds"),
        (["hour=3", "start_date=2200-01-01"], "start_date", "'2200-01-01'", "write a date up to 2199"),
        (
            ["hour=2", "minute=30", "start_date=2045-01-01", "timezone=Europe/Paris", "--from", "2026-11-23"],
            "start_date", "'2045-01-01 02:30:00 Europe/Paris'", "add the job closer to that date",
        ),
        (
            ["--date", "run_date=2020-01-01", "timezone=UTC"],
            "run_date", "'2020-01-01 00:00:00 UTC'", "remove the job, or give a later date",
        ),
        (["month=2", "day=30"], "trigger", "'cron', month='2', day='30'", "write fields that have a date in common"),
        (["--interval", "seconds=86399"], "seconds", "86399", "write 86400 seconds"),
        (["--crontab", "0 0 * * 5L"], "day_of_week", "'5L'", "write a job of a clock file, with day='last fri'"),
        (["--crontab", "@dayly"], "crontab", "'@dayly'", "write @daily"),
        (["hour"], "argument", "'hour'", "write e.g. hour=6"),
    ],
)  # fmt: skip
def test_every_refusal_in_json_has_field_value_and_message(
    arguments: list[str], field: str, value: str, instead: str
) -> None:
    done = run(explain, "--json", *arguments)
    answer = json.loads(done.output)
    assert done.exit_code == 65
    assert (answer["error"]["field"], answer["error"]["value"], answer["error"]["instead"]) == (field, value, instead)
    assert answer["error"] == answer["errors"][0]
    assert answer["error"]["message"].startswith(f"{field}={value}: ")


@pytest.mark.parametrize(
    ("arguments", "code", "field", "message"),
    [
        (["explain", "--json", "--interval", "--date"], 64, "", "give only one of FIELD=VALUE…, --crontab, --interval"),
        (["next", "--json", "--from", "noon"], 64, "start", "Invalid value for '--from': 'noon' is not an instant"),
        (["explain", "hour=3", "--bogus", "--json"], 64, "", "No such option '--bogus'."),
        (["no-such-command", "--json"], 64, "", "No such command 'no-such-command'."),
        (["lint", "--days", "0", "--json"], 64, "days", "Invalid value for '--days': 0 is not in the range x>=1."),
    ],
)
def test_a_refusal_of_any_command_is_json_too_if_that_is_asked_for(
    arguments: list[str], code: int, field: str, message: str
) -> None:
    done = CliRunner().invoke(main, arguments)
    error = json.loads(done.stdout)["error"]
    assert (done.exit_code, error["field"]) == (code, field)
    assert error["message"].startswith(message)


def test_explain_takes_a_fraction_of_a_minute_as_a_clock_file_does() -> None:
    done = run(explain, "--json", "--timezone", "UTC", "--from", "2027-01-01", "--interval", "minutes=1.5")
    assert json.loads(done.output)["words"] == "every minute and 30 seconds of real time"


def test_explain_warns_of_what_lint_would_say() -> None:
    done = run(explain, "--json", "--from", "2026-11-23", "--timezone", "Europe/Paris", "hour=2,3", "minute=30")
    assert json.loads(done.output)["warnings"] == [
        "02:30 does not exist on Sun 2027-03-28 in Europe/Paris: it is one run with 03:30",
        "02:30 occurs twice on Sun 2027-10-31 in Europe/Paris: the job runs only the first time",
    ]
    done = run(explain, "--from", "2027-03-28", "--timezone", "Europe/Paris", "hour=2,3", "minute=30")
    assert "next  Sun 2027-03-28 03:30:00+02:00  (also for 02:30:00, which the clock skips)" in done.output


def test_explain_notes_what_cron_implementations_treat_differently() -> None:
    done = run(explain, "--json", "--timezone", "UTC", "--crontab", "*/60 3 * * fri-sun")
    assert json.loads(done.output)["warnings"] == [
        "*/60: the step is longer than the range, so it means 0 only, as in cron",
        "fri-sun: cronie runs it from fri to sun, as here; Debian's cron never does",
    ]


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
def test_next_marks_runs_that_no_timer_has_yet() -> None:
    done = run(next_runs, "night/copy", "--json", "--from", "2060-03-01", "--limit", "1")
    assert [row["has_line"] for row in json.loads(done.output)] == [False]
    done = run(next_runs, "night/copy", "--from", "2060-03-01", "--limit", "1")
    assert "no timer has it yet: each deploy extends the lines" in done.output
    done = run(next_runs, "night/copy", "--json", "--limit", "1")
    assert [row["has_line"] for row in json.loads(done.output)] == [True]


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
