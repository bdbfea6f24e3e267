"""What is wrong with a watch, by the properties of its timer and its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.operate.account import HOST_TIMEOUT
from scheduled_tasks.operate.watch.watch_state import MAX_AGE, _problem, record_success, watch_problem
from scheduled_tasks.render.names import WATCH, WATCH_TIMER, Places

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
TIMER = {
    "Id": WATCH_TIMER,
    "LoadState": "loaded",
    "ActiveState": "active",
    "ActiveEnterTimestamp": f"@{NOW - 3600:.0f}",
}
SERVICE = {"Id": WATCH, "LoadState": "loaded", "ActiveState": "inactive", "Result": "success"}


@pytest.mark.parametrize(
    ("timer", "service", "minutes", "problem"),
    [
        ({}, {}, 1, ""),
        ({}, {"ActiveState": "activating"}, 4, ""),
        ({}, {}, 6, "clock-watch.service does not finish"),
        ({}, {}, 1_000_000, "clock-watch.service does not finish"),
        ({"ActiveEnterTimestamp": f"@{NOW - 120:.0f}"}, {}, 1_000_000, ""),  # the machine has just booted
        ({"ActiveState": "inactive"}, {}, 1, "clock-watch.timer is inactive"),
        ({"ActiveState": "failed"}, {}, 1, "clock-watch.timer is failed"),
        ({"LoadState": "masked"}, {}, 1, "clock-watch.timer is masked"),
        ({}, {"LoadState": "masked"}, 1, "clock-watch.service is masked"),
        ({}, {"Result": "timeout"}, 1, "clock-watch.service failed (timeout)"),
    ],
)
def test_a_watch_that_does_not_work_is_said_to(
    timer: dict[str, str], service: dict[str, str], minutes: int, problem: str
) -> None:
    assert _problem(TIMER | timer, SERVICE | service, NOW - 60 * minutes, NOW) == problem


def test_an_image_and_a_host_without_a_watch_have_no_problem(tmp_path: Path) -> None:
    assert watch_problem(Places(tmp_path)) == ""
    assert watch_problem(Places()) == ""


def test_the_watch_of_a_host_is_reported_when_other_hosts_consider_it_dead() -> None:
    # Not one constant: every command imports watch_state, and account would import the evaluation of schedules.
    assert MAX_AGE == HOST_TIMEOUT


def test_a_success_after_a_failure_is_reported_once(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert not record_success(places)
    places.watch_failed.touch()
    assert record_success(places)
    assert not record_success(places)
    assert places.watch_succeeded.exists()
