"""The account against a brute-force one: after an eventful week every slot has exactly one row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.operate.simulated_hosts import (
    EITHER,
    Deploy,
    Job,
    Key,
    PlannedPause,
    Rule,
    Scenario,
    Span,
    live_through,
)

if TYPE_CHECKING:
    import psycopg

NIGHTLY = Job("nightly", Rule(hour=2, minute=30))
OFTEN = Job("often", Rule(every=15), catch_up=False)
HOURLY = Job("hourly", Rule(every=60))
EACH = Job("each", Rule(every=30), per_host=True)
EVENING = Job("evening", Rule(hour=21, minute=5), catch_up=False)


def assert_every_slot_has_the_expected_status(connection: psycopg.Connection[Any], scenario: Scenario) -> None:
    recorded, expected = account_of(connection, scenario.end), scenario.expected()
    for key in [key for key, status in expected.items() if status == EITHER]:
        assert recorded.pop(key) in {"skipped", "ended"}
        del expected[key]
    assert recorded == expected


def account_of(connection: psycopg.Connection[Any], until: datetime) -> dict[Key, str]:
    rows = connection.execute(
        "SELECT job, scheduled_at, slot_host, status FROM task_run WHERE scheduled_at <= %s", [until]
    ).fetchall()
    statuses = {(job, at.astimezone(UTC), host): status for job, at, host, status in rows}
    assert len(statuses) == len(rows)
    return statuses


def week(first: datetime) -> Scenario:
    def at(day: int, hour: int, minute: int = 0) -> datetime:
        return first + timedelta(days=day, hours=hour, minutes=minute, seconds=30)

    everything = (NIGHTLY, OFTEN, HOURLY, EACH, EVENING)
    later = (NIGHTLY._replace(rule=Rule(hour=3, minute=10)), OFTEN, HOURLY, EACH)
    return Scenario(
        start=first,
        end=first + timedelta(days=7),
        deploys=[
            Deploy(at(0, 1), "app1", everything),
            Deploy(at(0, 1, 2), "app2", everything),
            Deploy(at(0, 5), "app3", (NIGHTLY, OFTEN, EACH)),
            Deploy(at(3, 14, 7), "app1", later),  # a schedule changes, and a job is removed
            Deploy(at(3, 14, 44), "app2", later),
            Deploy(at(5, 9), "app1", everything),  # as before
        ],
        down={
            "app1": [Span(at(1, 20), at(2, 4, 40)), Span(at(4, 0), at(4, 2))],
            "app2": [Span(at(1, 22), at(2, 3))],  # while app1 is down too: no host runs what is due
            "app3": [Span(at(1, 23, 50), at(9, 0))],  # dies, and never returns
        },
        pauses=[
            PlannedPause(Span(at(2, 10), at(2, 16)), None, None),
            PlannedPause(Span(at(5, 1), at(5, 13)), "often", None),
            PlannedPause(Span(at(4, 6), at(4, 12)), None, "app1"),
            PlannedPause(Span(at(4, 7), at(4, 11)), "each", "app2"),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    "first",
    [datetime(2026, 10, 21, tzinfo=UTC), datetime(2027, 3, 24, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)],
    ids=["the autumn fold", "the spring gap", "an ordinary week"],
)
def test_after_an_eventful_week_every_slot_has_the_expected_status(
    connection: psycopg.Connection[Any], first: datetime
) -> None:
    scenario = week(first)
    live_through(scenario, connection)
    expected = scenario.expected()
    assert len(expected) > 1500
    assert {"ended", "missed", "skipped"} <= set(expected.values())
    assert_every_slot_has_the_expected_status(connection, scenario)


def spans(first: datetime, hours: int) -> st.SearchStrategy[Span]:
    minutes = st.integers(0, hours * 60)
    return st.tuples(minutes, st.integers(1, 20 * 60)).map(
        lambda pair: Span(
            first + timedelta(minutes=pair[0], seconds=30), first + timedelta(minutes=pair[0] + pair[1], seconds=30)
        )
    )


FIRST = datetime(2026, 10, 24, 12, tzinfo=UTC)  # the fold is in the first night
HOURS = 48
JOBS = st.sets(st.sampled_from([NIGHTLY, HOURLY, EACH, EVENING])).map(lambda jobs: tuple(sorted(jobs)))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    deploys = []
    down = {}
    for host in ("app1", "app2"):
        minutes = sorted(draw(st.sets(st.integers(0, HOURS * 60), min_size=1, max_size=3)))
        deploys += [Deploy(FIRST + timedelta(minutes=minute, seconds=30), host, draw(JOBS)) for minute in minutes]
        offs: list[Span] = []
        for span in sorted(draw(st.lists(spans(FIRST, HOURS), max_size=2))):
            # Nothing is deployed to a host that is down, and it boots before it goes down again.
            touched = any(deploy.host == host and span.start <= deploy.at < span.end for deploy in deploys)
            if not touched and (not offs or span.start > offs[-1].end + timedelta(minutes=90)):
                offs.append(span)
        down[host] = offs
    pauses = [
        PlannedPause(span, draw(st.sampled_from([None, "hourly", "each"])), draw(st.sampled_from([None, "app1"])))
        for span in draw(st.lists(spans(FIRST, HOURS), max_size=2))
    ]
    # A host's own pause ends while it is up, and the host lives long enough to report that.
    early = timedelta(hours=6)
    pauses = [
        pause
        for pause in pauses
        if not (pause.host and any(off.start - early <= pause.span.end <= off.end for off in down[pause.host]))
    ]
    end = FIRST + timedelta(hours=HOURS)
    return Scenario(FIRST, end, deploys, down, pauses, watch_interval=timedelta(hours=5))


@given(scenario=scenarios())
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_every_slot_has_the_expected_status(
    connection: psycopg.Connection[Any], scenario: Scenario
) -> None:
    connection.execute("TRUNCATE task_run, deployed_job, host, pause CASCADE")
    live_through(scenario, connection)
    assert_every_slot_has_the_expected_status(connection, scenario)


def test_a_removal_that_is_reported_late_takes_back_slots_that_were_recorded_as_paused(
    connection: psycopg.Connection[Any],
) -> None:
    def at(minutes: int) -> datetime:
        return FIRST + timedelta(minutes=minutes, seconds=30)

    # app2 goes down right after a deployment without jobs, before it has reported it; app1 judges its slots meanwhile.
    scenario = Scenario(
        start=FIRST,
        end=FIRST + timedelta(hours=HOURS),
        deploys=[Deploy(at(0), "app1", ()), Deploy(at(0), "app2", (HOURLY,)), Deploy(at(311), "app2", ())],
        down={"app1": [], "app2": [Span(at(313), at(610))]},
        pauses=[PlannedPause(Span(at(0), at(360)), None, None)],
        watch_interval=timedelta(hours=5),
    )
    live_through(scenario, connection)
    assert_every_slot_has_the_expected_status(connection, scenario)
