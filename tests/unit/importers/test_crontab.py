"""Crontabs of Debian's packages, and generated lines: each line is reported, and runs when cronsim says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.importers.crontab.convert import import_files
from scheduled_tasks.importers.crontab.lines import Line, read_lines, split_command
from scheduled_tasks.importers.crontab.triggers import anacron_triggers, triggers_of
from scheduled_tasks.importers.request import ImportRequest
from scheduled_tasks.schedule import describe, occurrences
from scheduled_tasks.schedule.crontab import MACROS

CRON_D = Path(__file__).with_name("cron_d")
PACKAGES = sorted(path.name for path in CRON_D.iterdir() if path.is_dir())
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEFORE_A_SHIFT = datetime(2027, 3, 20, tzinfo=UTC)
ZONE = "Europe/Paris"


@pytest.fixture
def domains(monkeypatch: pytest.MonkeyPatch) -> str:
    """A project without domains: the package's bundled ones are still found."""
    monkeypatch.setitem(sys.modules, "no_tasks", ModuleType("no_tasks"))
    return "no_tasks"


def cronsim_runs(when: str, count: int) -> list[datetime]:
    local = NOW.astimezone(ZoneInfo(ZONE))
    return [at.astimezone(UTC) for at in islice(CronSim(MACROS.get(when, when), local), count)]


def our_runs(line: Line, count: int) -> list[datetime]:
    runs: set[datetime] = set()
    for trigger in triggers_of(line, ZONE, NOW):
        assert trigger.trigger is not None, trigger.differences
        runs |= {occurrence.at for occurrence in islice(occurrences(trigger.trigger, after=NOW), count)}
    return sorted(runs)[:count]


def until_a_shift(runs: list[datetime]) -> list[datetime]:
    return [at for at in runs if at < BEFORE_A_SHIFT]


def test_at_least_twenty_packages_are_tried() -> None:
    assert len(PACKAGES) >= 20


@pytest.mark.parametrize("package", PACKAGES)
def test_every_line_of_a_packages_crontabs_is_reported_and_runs_as_cronsim_says(
    package: str, tmp_path: Path, domains: str
) -> None:
    folder = tmp_path / "cron.d"
    folder.mkdir()
    for file in sorted((CRON_D / package).iterdir()):
        (folder / file.name).write_bytes(file.read_bytes())
        imported = import_files([folder / file.name], ImportRequest(ZONE, tmp_path, NOW))
        lines = file.read_text().splitlines()
        reported = [entry.line for entry in imported.report.entries]
        assert reported == sorted(reported)
        assert set(reported) == {number for number, text in enumerate(lines, 1) if text.strip()}
        read = {line.number: line for line in read_lines(file.read_text(), "system")}
        assert not [line.text for line in read.values() if line.kind == "wrong"]
        jobs = {}
        for name, text in imported.files.items():
            path = tmp_path / Path(name).name
            path.write_text(text)
            jobs = {job.id: job for job in read_clock(path, path.stem, ReadingContext(domains, "", NOW)).jobs}
        for line in read.values():
            if line.kind != "entry" or line.when == "@reboot":
                continue
            expected = until_a_shift(cronsim_runs(line.when, 60))
            names = [entry.job.partition("/")[2] for entry in imported.report.entries if entry.line == line.number]
            runs = {run.at for name in names for run in islice(occurrences(jobs[name].trigger, after=NOW), 60)}
            assert sorted(at for at in runs if at < BEFORE_A_SHIFT)[: len(expected)] == expected, line.text


MINUTES = st.sampled_from(["0", "*", "*/7", "5,35", "10-20/5", "59"])
HOURS = st.sampled_from(["0", "*", "*/6", "9-17", "3,15", "0-23/5"])
DAYS = st.sampled_from(["*", "1", "13", "*/2", "1-7", "31", "28-31", "1,15"])
MONTHS = st.sampled_from(["*", "1", "*/3", "jan,jun", "2-4"])
WEEKDAYS = st.sampled_from(["*", "0", "7", "1-5", "fri", "*/2", "sat,sun", "5-7", "Mon-Wed", "01", "00-03",
                            "0-0", "sun-sun", "1-7/2", "06,07", "*/7", "0-7", "SUN,1-5/02"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@example(minute="0", hour="0", day="13", month="*", weekday="fri")
@example(minute="0", hour="0", day="*/2", month="*", weekday="1-5")
@given(minute=MINUTES, hour=HOURS, day=DAYS, month=MONTHS, weekday=WEEKDAYS)
def test_a_line_runs_when_cronsim_says(minute: str, hour: str, day: str, month: str, weekday: str) -> None:
    when = f"{minute} {hour} {day} {month} {weekday}"
    ours, theirs = until_a_shift(our_runs(Line(1, when, "entry", when=when), 40)), until_a_shift(cronsim_runs(when, 40))
    assert ours[: len(theirs)] == theirs


@pytest.mark.parametrize(
    ("item", "due"),
    [
        ("01", "Monday"),
        ("05", "Friday"),
        ("00", "Sunday"),
        ("07", "Sunday"),
        ("01-05", "Monday to Friday"),
        ("0-0", "Sunday"),
        ("sun-sun", "Sunday"),
        ("0-sun", "Sunday"),
        ("sun-0", "Sunday"),
        ("6-7/1", "Saturday and Sunday"),
    ],
)
def test_an_imported_weekday_is_the_one_that_cron_means(item: str, due: str) -> None:
    [line] = read_lines(f"0 0 * * {item} true", "user")
    [trigger] = triggers_of(line, "UTC", NOW)
    assert trigger.trigger is not None
    assert describe(trigger.trigger) == f"at 00:00 on {due}, UTC time"


@pytest.mark.parametrize(
    ("item", "text", "instead"),
    [
        ("1/2", "'1/2' has a step without a range, which cron refuses", "write 1-7/2 if that is meant"),
        ("5L", "cron has no 5L", "write a job of a clock file, with day='last fri'"),
        ("5#2", "cron has no 5#2; Debian's cron reads it as 5 and drops the rest",
         "write a job of a clock file, with day='2nd fri'"),
        ("٣", "'٣' is not understood", "write 0-7 or sun-sat (0 and 7 are Sunday), e.g. 1-5 or mon-fri"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("day", ["*", "13"])
def test_a_weekday_that_cron_refuses_is_not_imported(item: str, text: str, instead: str, day: str) -> None:
    [line] = read_lines(f"0 0 {day} * {item} true", "user")
    [trigger] = triggers_of(line, "UTC", NOW)
    assert [(difference.weight, difference.text, difference.instead) for difference in trigger.differences] == [
        ("refused", f"day_of_week={item!r}: {text}", instead)
    ]


def test_a_day_that_no_month_has_leaves_the_weekday() -> None:
    [line] = read_lines("0 0 31 2 fri true", "user")
    [trigger] = triggers_of(line, "UTC", NOW)
    assert trigger.fields == (("month", 2), ("day_of_week", "fri"), ("hour", 0), ("minute", 0))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("0\u00a00 * * * true", "wrong"),  # cron separates fields by blanks and tabs
        ("0 0 * * * printf '\u2028' \x0b", "entry"),
        ("0 ٣ * * * true", "entry"),  # the trigger refuses it, with what to write
    ],
)
def test_only_blanks_tabs_and_line_feeds_separate(line: str, kind: str) -> None:
    assert [read.kind for read in read_lines(line + "\n", "user")] == [kind]


def test_a_period_of_anacron_of_no_days_is_refused() -> None:
    [line] = read_lines("0 5 job true", "anacron")
    [trigger] = anacron_triggers(line, 3, "UTC", NOW)
    assert [difference.weight for difference in trigger.differences] == ["refused"]


def differences(line: str) -> Iterator[str]:
    [read] = read_lines(line, "user")
    for trigger in triggers_of(read, ZONE, NOW):
        yield from (
            f"{difference.kind}: {difference.text} {', '.join(difference.dates)}".strip()
            for difference in trigger.differences
        )


def test_runs_that_differ_from_debians_cron_on_nights_of_change_are_reported() -> None:
    assert list(differences("30 2 * * * fixed")) == [
        (
            "gap: cron ran it at 03:00:00+0200, and here it doesn't run then; here it runs at 03:30:00+0200, and cron "
            "did not run it then 2027-03-28, 2028-03-26"
        )
    ]
    assert list(differences("*/30 2 * * * follows the clock")) == [
        "gap: here it runs at 03:00:00+0200, 03:30:00+0200, and cron did not run it then 2027-03-28, 2028-03-26",
        "fold: cron ran it at 02:00:00+0100, 02:30:00+0100, and here it doesn't run then 2027-10-31, 2028-10-29",
    ]
    assert list(differences("5 * * * * hourly")) == []


@pytest.mark.parametrize(
    ("text", "command", "stdin"),
    [
        ("true", "true", ""),
        ("mail x%Dear boss,%bye", "mail x", "Dear boss,\nbye\n"),
        ("mail x%one line%", "mail x", "one line\n"),
        (r"date +\%F\%T", "date +%F%T", ""),
        (r"cat%100\% sure", "cat", "100% sure\n"),
    ],
)
def test_a_percent_sign_ends_the_command_and_begins_its_input(text: str, command: str, stdin: str) -> None:
    assert split_command(text) == (command, stdin)


@pytest.mark.parametrize(
    ("line", "kind", "name", "value"),
    [
        ("PATH=/bin:/usr/bin", "variable", "PATH", "/bin:/usr/bin"),
        ("  NAME  =  ' a b '", "variable", "NAME", " a b "),
        ('"MY NAME"="x"', "variable", "MY NAME", "x"),
        ("MAILTO=", "variable", "MAILTO", ""),
        ("# PATH=/bin", "comment", "", "PATH=/bin"),
        ("* * * * A=b", "wrong", "", ""),
        ("* * * * * A=b env", "entry", "", ""),
    ],
)
def test_a_line_is_parsed_as_crontab_5_says(line: str, kind: str, name: str, value: str) -> None:
    [read] = read_lines(line, "user")
    assert (read.kind, read.name, read.value) == (kind, name, value)
