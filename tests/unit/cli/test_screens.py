"""How screens write numbers, instants and tables, and which instants can be typed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens import styles
from scheduled_tasks.cli.screens.local_times import AmbiguousTimeError, LocalTimes
from scheduled_tasks.cli.screens.styles import Style, Styled, painted, text_of
from scheduled_tasks.cli.screens.tables import shortened, table_lines
from scheduled_tasks.quantities import counted, duration, size

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)  # 03:10 in Paris
PARIS = LocalTimes(NOW, ZoneInfo("Europe/Paris"), "Europe/Paris")


def test_json_has_instants_in_rfc_3339_and_utc(capsys: pytest.CaptureFixture[str]) -> None:
    show_json([NOW, NOW.astimezone(ZoneInfo("Europe/Paris")) + timedelta(milliseconds=5)])
    assert json.loads(capsys.readouterr().out) == ["2026-11-24T02:10:00Z", "2026-11-24T02:10:00.005000Z"]


def test_json_is_indented_and_each_element_of_a_long_list_is_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"healthy": True, "faults": [], "hosts": [{"host": "app1"}], "jobs": [{"job": n} for n in range(101)]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:8] == [
        "{", '  "healthy": true,', '  "faults": [],', '  "hosts": [', "    {", '      "host": "app1"', "    }", "  ],",
    ]  # fmt: skip
    assert lines[8:11] == ['  "jobs": [', '    {"job": 0},', '    {"job": 1},']
    assert lines[-3:] == ['    {"job": 100}', "  ]", "}"]


def test_a_number_that_json_does_not_have_is_null_in_a_long_list_too(capsys: pytest.CaptureFixture[str]) -> None:
    show_json([float("nan"), float("inf"), *range(100)])
    assert json.loads(capsys.readouterr().out)[:3] == [None, None, 0]


def test_a_number_stands_with_its_noun() -> None:
    assert [counted(number, "job") for number in (0, 1, 2, 1234)] == ["0 jobs", "1 job", "2 jobs", "1,234 jobs"]
    assert counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"), (4.26, "4.3 s"), (42.4, "42 s"), (59.9, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"),
        (86400, "1 d"), (273_600, "3 d 4 h"), (-200, "-3 min 20 s"),
    ],
)  # fmt: skip
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (30_883_840, "29.5 MiB"), (2 * 1024**3, "2 GiB")],
)
def test_bytes_have_the_units_of_systemd(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-24T02:04:00Z", "03:04, 6 min ago"),
        ("2026-11-24T02:10:00Z", "03:10, now"),
        ("2026-11-25T00:10:00Z", "11-25 01:10, in 22 h"),
        ("2026-11-23T22:59:00Z", "11-23 23:59, 3 h ago"),
        ("2027-03-28T01:30:00Z", "2027-03-28 03:30, in 124 d"),
        ("2026-10-25T00:30:00Z", "10-25 02:30+02:00, 30 d ago"),
        ("2026-10-25T01:30:00Z", "10-25 02:30+01:00, 30 d ago"),
    ],
)
def test_the_relative_stands_beside_the_absolute_in_one_zone(at: str, text: str) -> None:
    assert PARIS.both(datetime.fromisoformat(at)) == text


def test_no_instant_is_a_dash_and_the_bounds_of_python_are_no_error() -> None:
    assert (PARIS.both(None), PARIS.full(None)) == ("-", "-")
    for at in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        assert PARIS.full(at)


@pytest.mark.parametrize(
    ("text", "direction", "at"),
    [
        ("02:50", -1, "2026-11-24T01:50Z"),
        ("03:50", -1, "2026-11-23T02:50Z"),
        ("02:50", 1, "2026-11-25T01:50Z"),
        ("03:50", 1, "2026-11-24T02:50Z"),
        ("03:50", 0, "2026-11-24T02:50Z"),
        ("yesterday", -1, "2026-11-22T23:00Z"),
        ("yesterday 02:50", -1, "2026-11-23T01:50Z"),
        ("today", -1, "2026-11-23T23:00Z"),
        ("tomorrow 06:00", 1, "2026-11-25T05:00Z"),
        ("7d", -1, "2026-11-17T02:10Z"),
        ("1h 30min", 1, "2026-11-24T03:40Z"),
        ("now", 0, "2026-11-24T02:10Z"),
        ("11-24 03:04", -1, "2026-11-24T02:04Z"),
        ("12-24 03:04", -1, "2025-12-24T02:04Z"),
        ("12-24 03:04", 1, "2026-12-24T02:04Z"),
        ("10-25 02:30+01:00", -1, "2026-10-25T01:30Z"),
        ("2026-11-24", -1, "2026-11-23T23:00Z"),
        ("2026-11-24 06:00:00", 0, "2026-11-24T05:00Z"),
        ("2026-11-24T06:00Z", 0, "2026-11-24T06:00Z"),
        ("2026-11-24T06:00:00+05:30", 0, "2026-11-24T00:30Z"),
    ],
)
def test_what_a_screen_shows_and_what_people_say_can_be_typed(text: str, direction: int, at: str) -> None:
    assert PARIS.read(text, direction=direction) == datetime.fromisoformat(at)


@pytest.mark.parametrize("at", ["2026-11-24T02:04Z", "2026-10-25T00:30Z", "2026-10-25T01:30Z", "2025-01-02T03:04Z"])
def test_each_form_of_an_instant_is_read_as_it_was_written(at: str) -> None:
    instant = datetime.fromisoformat(at)
    assert PARIS.read(PARIS.brief(instant), direction=-1) == instant
    assert PARIS.read(PARIS.full(instant)) == instant


@pytest.mark.parametrize("text", ["", "soon", "0250", "2026", "25:00", "13-45", "yesterday noon", "-2h", "2026-02-30"])
def test_what_is_not_an_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own words; the command has one sentence
        PARIS.read(text, direction=-1)


def test_a_time_that_the_zone_skips_or_has_twice_is_refused_by_name() -> None:
    with pytest.raises(AmbiguousTimeError, match="2026-10-25 02:30 comes twice in Europe/Paris"):
        PARIS.read("2026-10-25 02:30")
    with pytest.raises(AmbiguousTimeError, match="2027-03-28 02:30 does not exist in Europe/Paris"):
        PARIS.read("2027-03-28 02:30")


def test_a_date_alone_is_the_start_of_its_day_even_if_the_zone_skips_midnight() -> None:
    beirut = LocalTimes(NOW, ZoneInfo("Asia/Beirut"), "Asia/Beirut")
    assert beirut.read("2026-03-29") == datetime(2026, 3, 28, 22, tzinfo=UTC)


NAME = "titelive/synchronize_titelive_stocks_of_every_venue"
REASON = "HTTPError: 503 Server Error: Service Unavailable for url: https://stocks.example/v2/" + "venue/" * 20


def lines(columns: int | None, *rows: tuple[str, ...]) -> list[str]:
    table = table_lines(("JOB", "STATE", "NEXT", "WHY"), rows, columns_of_terminal=columns, text=True)
    return ["".join(map(text_of, line)).rstrip() for line in table]


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_a_table_never_cuts_a_name_and_fits_otherwise(columns: int) -> None:
    rows = [(NAME, "bad, running", "11-24 07:00, in 3 h", f"{REASON} once more with words"), ("a/b", "ok", "-", "")]
    shown = lines(columns, *rows)
    assert any(line.startswith(NAME) for line in shown)
    for line in shown:
        assert len(line) <= columns or len(line.split()) == 1
    words = " ".join(shown).split()
    assert all(word in words for row in rows for cell in row for word in cell.split())


def test_in_a_pipe_each_row_is_one_line() -> None:
    assert lines(None, ("a/b", "ok", "-", "x\ny"), (NAME, "bad", "-", REASON)) == [
        f"{'JOB':{len(NAME)}}  STATE  NEXT  WHY",
        f"{'a/b':{len(NAME)}}  ok     -     x\\ny",
        f"{NAME}  bad    -     {REASON}",
    ]


def test_wide_characters_count_as_two_columns() -> None:
    assert lines(80, ("日本/朝", "ok", "-", "x"), ("a/b", "ok", "-", "y"))[1:] == [
        "日本/朝  ok     -     x", "a/b      ok     -     y"
    ]  # fmt: skip


def test_a_long_text_is_shortened_to_a_few_lines() -> None:
    assert shortened("x" * 90, 80) == "x" * 90
    assert len(lines(80, (NAME, "bad", "-", shortened("word " * 500, 80)))) == 1 + 1 + 3


def test_colours_are_shown_only_on_a_terminal_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Styled("bad \x1b[2J", Style.BAD)
    assert painted(bad) == r"bad \u001b[2J"
    monkeypatch.setattr(styles, "on_terminal", lambda *, err=False: not err)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert painted("1 ", bad) == "1 \x1b[31m\x1b[1mbad \\u001b[2J\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted(bad) == r"bad \u001b[2J"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert painted(bad) == r"bad \u001b[2J"


def test_the_distance_grows_with_its_unit() -> None:
    spans = (timedelta(seconds=99), timedelta(minutes=99), timedelta(hours=47), timedelta(days=40))
    assert [PARIS.relative(NOW + span) for span in spans] == ["in 99 s", "in 99 min", "in 47 h", "in 40 d"]
