"""What started a service, by what systemd shows of it and its timer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduled_tasks.run.start_cause import StartCause, parse

# As systemd 252 and 257 show it.
BY_TIMER = """\
LastTriggerUSec=Thu 2026-11-26 01:28:36 UTC
LastTriggerUSecMonotonic=16min 27.915143s

ActiveExitTimestampMonotonic=984034548
InactiveEnterTimestampMonotonic=984034548
"""
NEVER = """\
LastTriggerUSec=
LastTriggerUSecMonotonic=0

ActiveExitTimestampMonotonic=0
InactiveEnterTimestampMonotonic=0
"""


def shown(span: str, active_exit: int, inactive_enter: int) -> str:
    return (
        f"LastTriggerUSec=Thu 2026-11-26 01:28:36 UTC\nLastTriggerUSecMonotonic={span}\n\n"
        f"ActiveExitTimestampMonotonic={active_exit}\nInactiveEnterTimestampMonotonic={inactive_enter}\n"
    )


def test_systemds_output_is_parsed() -> None:
    assert parse(BY_TIMER) == StartCause(987.915143, datetime(2026, 11, 26, 1, 28, 36, tzinfo=UTC), 984.034548)
    assert parse(NEVER) == StartCause(0, None, 0)
    assert parse("LastTriggerUSec=n/a so\n") is None


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("345us", 0.000345),
        ("12ms", 0.012),
        ("2min 3.5s", 123.5),
        ("1w 2d 3h 4min 5s", 788_645),
        ("1y 1month 1d", 34_273_800),
    ],
)
def test_spans_of_time_are_parsed(span: str, seconds: float) -> None:
    cause = parse(shown(span, 0, 0))
    assert cause is not None
    assert cause.elapsed == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("span", "active_exit", "inactive_enter", "is_timer"),
    [
        ("10s", 0, 0, True),  # its first run
        ("10s", 9_000_000, 9_000_000, True),
        ("10s", 11_000_000, 11_000_000, False),  # the timer started the previous run
        ("10s", 9_000_000, 12_000_000, True),  # it elapsed while the previous run stopped, and waited for that
        ("10s", 0, 11_000_000, False),  # the timer started the previous run, which never became active
        ("200s", 90_000_000, 201_000_000, False),  # the same, after one that became active long ago
        ("0", 0, 0, False),
    ],
)
def test_a_timer_started_a_run_if_it_elapsed_after_the_previous_run_ended(
    span: str, active_exit: int, inactive_enter: int, *, is_timer: bool
) -> None:
    cause = parse(shown(span, active_exit, inactive_enter))
    assert cause is not None
    assert cause.is_timer == is_timer
