"""What the page draws of two nights of change is what oracles say was due, and what became of it.

A fleet lives through 48 hours with a killed host, an hour in which no host is up, pauses, and a shift of its zone. When
daily jobs are due is counted with zoneinfo, date by date; when frequent ones are, also by cronsim.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cronsim import CronSim

from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.page.app import create_app
from tests.integration.operate.simulated_hosts import (
    EITHER,
    PARIS,
    Deploy,
    Job,
    Key,
    PlannedPause,
    Rule,
    Scenario,
    Span,
    live_through,
)
from tests.integration.page.conftest import ANNA, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

HOURS = 48
NIGHTLY = Job("nightly", Rule(hour=2, minute=30))  # the shift skips this wall time, or repeats it
EVENING = Job("evening", Rule(hour=21, minute=5), catch_up=False)
OFTEN = Job("often", Rule(every=30), catch_up=False)
HOURLY = Job("hourly", Rule(every=60))
EACH = Job("each", Rule(every=60), per_host=True)
JOBS = (NIGHTLY, EVENING, OFTEN, HOURLY, EACH)
FREQUENT = {OFTEN: "*/30 * * * *", HOURLY: "0 * * * *"}
NIGHTS = {
    "the autumn fold": datetime(2026, 10, 24, 9, tzinfo=UTC),
    "the spring gap": datetime(2026, 3, 28, 9, tzinfo=UTC),
}
RECT = re.compile(r'<a href="/run/([0-9a-f-]{12,36})" tabindex="-1"><rect class="s-(\w+)" x="([\d.]+)%"')
BAR = re.compile(r'<a href="/run/([0-9a-f-]{12,36})" tabindex="-1"><title>(\w+), ')


def scenario(start: datetime) -> Scenario:
    def at(hour: int, minute: int = 0) -> datetime:
        return start + timedelta(hours=hour, minutes=minute, seconds=30)

    return Scenario(
        start=start,
        end=start + timedelta(hours=HOURS),
        deploys=[Deploy(at(-1), host, JOBS) for host in ("app1", "app2", "app3")],
        down={
            "app1": [Span(at(15, 10), at(17, 40))],  # from before to after the shift, while no other host is up
            "app2": [Span(at(8, 20), at(999))],  # killed; it never returns
            "app3": [Span(at(15, 10), at(17, 40))],
        },
        pauses=[PlannedPause(Span(at(20), at(26)), "hourly", None), PlannedPause(Span(at(30), at(31, 15)), None, None)],
    )


@pytest.fixture(params=NIGHTS)
def fleet(request: pytest.FixtureRequest, connection: psycopg.Connection[Any]) -> Scenario:
    lived = scenario(NIGHTS[request.param])
    live_through(lived, connection)
    count_slots(connection)
    return lived


@pytest.fixture
def url(fleet: Scenario, database_url: str) -> Iterator[str]:  # which has filled the database
    with serving(create_app(database_url, zone="UTC", access=ANNA)) as url:
        yield url


def expected(fleet: Scenario) -> dict[Key, str]:
    return {key: status for key, status in fleet.expected().items() if fleet.start <= key[1] < fleet.end}


def days(fleet: Scenario, url: str, query: str) -> Iterator[tuple[datetime, str]]:
    """The timeline of each of the two days: when it begins, and its HTML."""
    for day in range(2):
        first = fleet.start + timedelta(days=day)
        now = first + timedelta(hours=18)  # the screen has 18 hours before it and 6 after it
        html = httpx.get(f"{url}/timeline?span=24h&at={now:%Y-%m-%dT%H:%M:%SZ}{query}").raise_for_status().text
        yield first, html.replace("\n", "")


def digits(run_id: object) -> str:
    """The first twelve digits of a run's ID, as many as a lane's link has."""
    return str(run_id).replace("-", "")[:12]


def slots(connection: psycopg.Connection[Any]) -> dict[str, Key]:
    rows = connection.execute("SELECT run_id, job, scheduled_at, slot_host FROM task_run").fetchall()
    return {digits(run_id): (job, at.astimezone(UTC), host) for run_id, job, at, host in rows}


def assert_same(drawn: dict[Key, str], due: dict[Key, str]) -> None:
    for key in [key for key, status in due.items() if status == EITHER]:
        assert drawn.pop(key) in {"skipped", "ended"}
        del due[key]
    assert drawn == due


def test_the_timeline_draws_each_slot_that_was_due_and_no_other(
    fleet: Scenario, url: str, connection: psycopg.Connection[Any]
) -> None:
    drawn: dict[Key, str] = {}
    known = slots(connection)
    for first, html in days(fleet, url, "&clock=c"):
        for run_id, status, x in RECT.findall(html):
            key = known[digits(run_id)]
            assert key not in drawn
            drawn[key] = status
            at = first + timedelta(days=float(x) / 100)
            if status == "missed":
                assert abs(at - key[1]) < timedelta(seconds=2)  # percent have three decimals
    due = expected(fleet)
    assert Counter(due.values()).keys() >= {"ended", "missed", "skipped"}
    assert_same(drawn, due)


@pytest.mark.parametrize("start", NIGHTS.values(), ids=NIGHTS)
def test_the_oracles_agree_when_frequent_jobs_are_due(start: datetime) -> None:
    due = expected(scenario(start))
    for job, line in FREQUENT.items():
        times = CronSim(line, (start - timedelta(seconds=1)).astimezone(PARIS))
        by_cronsim = [next(times).astimezone(UTC) for _ in range(HOURS * 60 // job.rule.every)]
        assert by_cronsim == sorted(at for name, at, _ in due if name == job.name)


def test_the_timeline_of_clocks_counts_each_slot_that_was_due(fleet: Scenario, url: str) -> None:
    counted: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for _, html in days(fleet, url, ""):
        [cells] = re.findall(r'<th scope="row">c</th>(.*?)</tr>', html)
        numbers = [int(number or 0) for number in re.findall(r'<td class="number">(\d*)</td>', cells)]
        counted += Counter(dict(zip(("ended", "failed", "missed", "lost", "skipped", "due"), numbers, strict=True)))
        missed.update({time: int(number) for number, time in re.findall(r"<title>(\d+) missed, ([^<]+)</title>", html)})
    due = expected(fleet)
    either = sum(status == EITHER for status in due.values())
    assert counted.total() == len(due)
    assert counted["missed"] == missed.total() == sum(status == "missed" for status in due.values())
    ended = sum(status == "ended" for status in due.values())
    assert ended <= counted["ended"] <= ended + either


def test_a_jobs_strip_has_a_bar_for_each_slot_that_was_due(
    fleet: Scenario, url: str, connection: psycopg.Connection[Any]
) -> None:
    known, due = slots(connection), expected(fleet)
    for job in JOBS:
        html = httpx.get(f"{url}/job/c/{job.name}").raise_for_status().text.replace("\n", "")
        bars = [(known[digits(run_id)], status) for run_id, status in BAR.findall(html)]
        bars = [(key, status) for key, status in bars if fleet.start <= key[1] < fleet.end]
        assert len(dict(bars)) == len(bars)
        assert_same(dict(bars), {key: status for key, status in due.items() if key[0] == job.name})
