"""What is kept of a run's log lines: the last ones that fit, as JSON, without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks import masking
from scheduled_tasks.operate.on_call.run_logs import MAX_BYTES, MAX_LINES, bounded, readable

TEXTS = st.text(st.characters(), max_size=40) | st.sampled_from(["x" * 30_000, "\x00" * 9_000, "é" * 9_000, "\ud800"])


def size(lines: list[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def test_the_last_lines_are_kept_in_their_order() -> None:
    lines = bounded([{"message": str(number)} for number in range(MAX_LINES + 5)])
    assert [json.loads(line)["message"] for line in lines] == [str(number) for number in range(5, MAX_LINES + 5)]


def test_lines_that_do_not_fit_are_left_out_whole() -> None:
    lines = bounded(
        [{"message": "f" * 9_000}, {"message": "x" * 10_000}, {"message": "y" * 6_000}, {"message": "last"}]
    )
    assert [json.loads(line)["message"][0] for line in lines] == ["x", "y", "l"]
    assert bounded([{"message": "x" * 10_500}, {"message": "y" * 6_000}]) == ['{"message": "' + "y" * 6_000 + '"}']


def test_of_a_line_that_is_too_long_the_ends_of_its_texts_are_kept() -> None:
    [line] = bounded([{"message": "failed", "exception": {"traceback": "frame\n" * 9_000 + "OSError: full"}}])
    fields = json.loads(line)
    assert fields["message"] == "failed"
    assert fields["exception"]["traceback"].startswith("(cut) … ")
    assert fields["exception"]["traceback"].endswith("frame\nOSError: full")


@given(st.lists(st.dictionaries(st.text(max_size=8), TEXTS | st.integers() | st.none(), max_size=4), max_size=60))
def test_whatever_is_logged_fits_and_can_be_stored(entries: list[dict[str, Any]]) -> None:
    lines = bounded(entries)
    assert size(lines) <= MAX_BYTES + 1
    assert all(isinstance(json.loads(line), dict) for line in lines)
    text = "\n".join(lines)
    assert text.encode().decode().split("\n") == (lines or [""])
    assert "\x00" not in text  # PostgreSQL could not store it
    assert bool(lines) == bool(entries)


def test_secrets_are_masked_by_name_and_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "sw0rdfish-of-the-shop")
    masking._known.cache_clear()
    try:
        lines = bounded([{"message": "got sw0rdfish-of-the-shop", "password": "hunter2", "url": "smtp://a:b4dpass@mx"}])
    finally:
        monkeypatch.undo()
        masking._known.cache_clear()
    assert json.loads(lines[0]) == {"message": "got ***", "password": "***", "url": "smtp://a:***@mx"}


def test_lines_are_read_in_a_zone() -> None:
    line = {"timestamp": "2026-11-24T02:00:00Z", "level": "error", "logger": "shop", "message": "full\x1b[2J"}
    assert readable([json.dumps(line)], "Europe/Paris") == [
        "Tue 2026-11-24, Europe/Paris (+0100)",
        "03:00:00 error    full\\u001b[2J  logger=shop",
    ]
