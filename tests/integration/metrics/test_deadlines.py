"""The deadline of a job's next slot is the instant at which the account records it as missed, not a second before."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduled_tasks.metrics import samples
from scheduled_tasks.metrics.families import NEXT_DEADLINE
from scheduled_tasks.metrics.reading import Reading, read
from scheduled_tasks.metrics.samples import Some
from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.shop import Database, ran

SECOND = timedelta(seconds=1)
HOSTS = ("app1", "app2")
START = datetime(2026, 10, 24, 20, 3, tzinfo=UTC)  # the evening before clocks are set back in Paris
IN_PARIS = {"kind": "cron", "zone": "Europe/Paris", "seconds": [0]}
JOBS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "often": ({**IN_PARIS, "minutes": [0, 20, 40]}, {}),
    "nightly": ({**IN_PARIS, "hours": [2], "minutes": [30]}, {"jitter": 90, "grace": 600}),
    "each": ({**IN_PARIS, "minutes": [10]}, {"per_host": True}),
    "queued": ({**IN_PARIS, "minutes": [15]}, {"overlap": "queue", "timeout": 1200}),
    "limited": ({**IN_PARIS, "minutes": [45]}, {"concurrency_limited": True}),
    "interval": ({"kind": "interval", "zone": "UTC", "every": 5400, "start": "2026-10-24T00:07:00+00:00"}, {}),
    "once": ({"kind": "date", "zone": "UTC", "run_at": "2026-10-24T23:11:00+00:00"}, {"grace": 60}),
    "over": ({"kind": "date", "zone": "UTC", "run_at": "2026-10-24T19:00:00+00:00"}, {}),
    "until": ({**IN_PARIS, "minutes": [5], "end": "2026-10-24T22:30:00+00:00"}, {}),
    "off": ({**IN_PARIS, "minutes": [1]}, {"paused": True}),
}  # fmt: skip


def deploy(connection: Database, at: datetime, names: tuple[str, ...] = tuple(JOBS)) -> None:
    jobs = [
        {"clock": "shop", "job": name, "task": "t", "schedule": JOBS[name][0],
         "options": {"timeout": 600, "catch_up": True, **JOBS[name][1]}}
        for name in names
    ]  # fmt: skip
    for host in HOSTS:
        deployments.report(connection, host, deployments.JobsReport(jobs, str(at), at, at))


def look(connection: Database, at: datetime) -> set[tuple[str, str, datetime]]:
    """What both hosts' watches record at an instant."""
    recorded = (verdict.slot for host in HOSTS for verdict in account(connection, host, at).recorded)
    return {(slot.job, slot.host, slot.at) for slot in recorded}


def deadlines(connection: Database, now: datetime) -> dict[tuple[str, str], datetime]:
    return {(job, host): at for (_, job, host), at in read(connection, now).rows.deadlines.items()}


@pytest.mark.parametrize("seed", range(2))
def test_the_account_records_a_slot_at_its_deadline(connection: Database, seed: int) -> None:
    rng = random.Random(seed)
    deploy(connection, START)
    now, passed, ended = START, set(), 0
    while now < START + timedelta(hours=9):
        known = deadlines(connection, now)
        at = min(known.values())
        for early in (timedelta(seconds=130), timedelta(seconds=60), SECOND):
            if at - early > now:
                assert look(connection, at - early) == set()
        due = {subject for subject, deadline in known.items() if deadline == at}
        passed |= due
        if rng.random() < 0.3:  # one of them ran meanwhile
            job, host = subject = rng.choice(sorted(due))
            [deployed, *_] = read(connection, now).deployed["shop", job, host]
            ran(connection, job, at - deployed.overdue_after, "ended", slot_host=host)
            due.remove(subject)
            ended += 1
        recorded = look(connection, at)
        assert {(job, host) for job, host, _ in recorded} == due
        now = at
    assert ended > 5
    assert {job for job, _ in passed} == set(JOBS) - {"over", "off"}
    assert {host for job, host in passed if job == "each"} == set(HOSTS)
    assert {job for job, _ in deadlines(connection, now)} == set(JOBS) - {"over", "off", "once", "until"}


def test_a_job_that_was_just_deployed_has_the_deadline_of_its_next_slot(connection: Database) -> None:
    deploy(connection, START, ("often",))
    assert deadlines(connection, START) == {("often", ""): datetime(2026, 10, 24, 20, 21, tzinfo=UTC)}
    later = START + timedelta(minutes=30)
    deploy(connection, later, ("often", "nightly"))
    assert deadlines(connection, later)["nightly", ""] == datetime(2026, 10, 25, 0, 42, 30, tzinfo=UTC)


def test_a_slot_without_a_row_stays_overdue_however_many_later_ones_have_run(connection: Database) -> None:
    deploy(connection, START, ("often",))
    first = datetime(2026, 10, 24, 20, 20, tzinfo=UTC)
    for number in range(1, 251):  # more than a page of them
        ran(connection, "often", first + number * timedelta(minutes=20), "ended")
    assert deadlines(connection, START) == {("often", ""): first + timedelta(minutes=1)}
    ran(connection, "often", first, "ended")
    assert deadlines(connection, START) == {("often", ""): first + 251 * timedelta(minutes=20) + timedelta(minutes=1)}


def exported(reading: Reading) -> set[tuple[str, ...]]:
    return {sample.labels[1:] for sample in samples.of_jobs(reading, Some.ALL)[NEXT_DEADLINE]}


def test_a_job_that_cannot_be_overdue_has_no_deadline(connection: Database) -> None:
    deploy(connection, START, ("often", "each", "queued"))
    all_of_them = {("often", ""), ("each", "app1"), ("each", "app2"), ("queued", "")}
    assert exported(read(connection, START)) == all_of_them
    for scope in (Scope("shop", "often", "app1"), Scope("shop", "each", "app1")):
        pauses.pause(connection, Pause(scope, START, "anna", "stocktaking", None))
    assert exported(read(connection, START)) == all_of_them - {("each", "app1")}  # app2 runs `often`
    pauses.pause(connection, Pause(Scope("shop", "often", "app2"), START, "anna", "stocktaking", None))
    assert exported(read(connection, START)) == {("each", "app2"), ("queued", "")}
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('QUEUE', false, 'anna')")
    ran(connection, "queued", START - timedelta(hours=1), "skipped", reason="feature QUEUE is not active")
    assert exported(read(connection, START)) == {("each", "app2")}
    connection.execute("UPDATE feature SET is_active = true")
    assert exported(read(connection, START)) == {("each", "app2"), ("queued", "")}
