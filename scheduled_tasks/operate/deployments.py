"""The schedules that each host was to run, as they were at each time: told to the database, and read from it.

In comes the list of jobs that stands in a host's set of units, with the instant at which it came into force; what
changed closes rows of `deployed_job` and opens others. Times come from the caller: nothing here reads a clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.operate.verdicts import DeployedJob
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


TICK = timedelta(microseconds=1)


class Told(NamedTuple):
    """What a host was to run from an instant on.

    Attributes:
        jobs: as a set's jobs.json lists them.
        digest: of that list; a host that told it already says nothing new.
        at: when it came into force: what changed or went counts from here.
        new_from: when the timers of new jobs were started; `at` where that isn't known.
    """

    jobs: Sequence[Mapping[str, Any]]
    digest: str
    at: datetime
    new_from: datetime


def told_digest(connection: Connection, host: str) -> str | None:
    """The digest of what a host told last; None where it told nothing yet."""
    row = connection.execute("SELECT jobs_digest FROM host WHERE name = %s", [host]).fetchone()
    return row[0] if row else None


def tell(connection: Connection, host: str, told: Told) -> int:
    """Brings `deployed_job` to what a host was to run from an instant on; how many jobs that changed.

    Told again, nothing changes. What was judged of the time after the instant is judged again.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO host (name, heartbeat_at, heartbeats_since) VALUES (%(host)s, %(at)s, %(at)s)"
            " ON CONFLICT DO NOTHING",
            {"host": host, "at": told.at},
        )
        connection.execute("SELECT FROM host WHERE name = %s FOR UPDATE", [host])  # one host tells in turn
        rows = connection.execute(
            "SELECT id, clock, job, task, schedule, options FROM deployed_job WHERE host = %s AND valid_until IS NULL",
            [host],
        ).fetchall()
        known = {
            (clock, job): (row_id, [task, schedule, options]) for row_id, clock, job, task, schedule, options in rows
        }
        wanted = {(each["clock"], each["job"]): each for each in told.jobs}
        changed = {
            key: each
            for key, each in wanted.items()
            if key not in known or known[key][1] != [each["task"], each["schedule"], each["options"]]
        }
        closed = [known[key][0] for key in known if key not in wanted or key in changed]
        connection.execute(
            "UPDATE deployed_job SET valid_until = greatest(valid_from, %s) WHERE id = ANY (%s)", [told.at, closed]
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        host, each["clock"], each["job"], each["task"], json.dumps(each["schedule"]),
                        json.dumps(each["options"]), told.at if key in known else told.new_from,
                    )
                    for key, each in changed.items()
                ],
            )  # fmt: skip
        connection.execute(
            "UPDATE host SET jobs_digest = %(digest)s, accounted_until ="
            " CASE WHEN %(changes)s THEN least(accounted_until, %(at)s) ELSE accounted_until END WHERE name = %(host)s",
            {"host": host, "digest": told.digest, "at": told.at, "changes": bool(closed or changed)},
        )
        for clock, job in known:
            if known[clock, job][0] in closed:
                reopen(connection, clock, job, told.at)
    return len(closed) + sum(key not in known for key in changed)


def reopen(
    connection: Connection, clock: str | None, job: str | None, since: datetime, *, paused: bool = False
) -> None:
    """Has slots judged again that another host's watch judged before it could know better (None: of all clocks, jobs).

    Only what nobody ran is taken back, in a transaction of the caller's: what is `missed`, or, with `paused`, what the
    watch called paused.
    """
    what = "status = 'skipped' AND trigger = 'watch' AND reason LIKE 'paused: %%'" if paused else "status = 'missed'"
    taken_back = connection.execute(
        f"DELETE FROM task_run WHERE {what} AND started_at > %(since)s"  # noqa: S608 - our own text
        " AND (%(clock)s::text IS NULL OR clock = %(clock)s) AND (%(job)s::text IS NULL OR job = %(job)s)",
        {"clock": clock, "job": job, "since": since},
    ).rowcount
    if taken_back:
        connection.execute("UPDATE host SET accounted_until = least(accounted_until, %s)", [since])


_DEPLOYED = """
SELECT host, clock, job, task, schedule, options, valid_from, valid_until FROM deployed_job
"""


def deployed_since(connection: Connection, hosts: Sequence[str], since: datetime) -> list[DeployedJob]:
    """What some hosts were to run at any time after an instant."""
    rows = connection.execute(
        _DEPLOYED + "WHERE host = ANY (%(hosts)s) AND valid_until IS NULL UNION ALL"
        + _DEPLOYED + "WHERE host = ANY (%(hosts)s) AND valid_until > %(since)s",
        {"hosts": list(hosts), "since": since},
    )  # fmt: skip
    return [_deployed(row) for row in rows]


def deployed_of(connection: Connection, jobs: Iterable[tuple[str, str]], since: datetime) -> list[DeployedJob]:
    """What any host was to run of some jobs at any time after an instant."""
    wanted = list(jobs)
    rows = connection.execute(
        _DEPLOYED + "JOIN unnest(%(clocks)s::text[], %(jobs)s::text[]) AS wanted (clock, job) USING (clock, job)"
        " WHERE valid_until IS NULL OR valid_until > %(since)s ORDER BY host",
        {"clocks": [clock for clock, _ in wanted], "jobs": [job for _, job in wanted], "since": since},
    )  # fmt: skip
    return [_deployed(row) for row in rows]


def deployed_now(connection: Connection, clock: str = "", job: str = "") -> list[DeployedJob]:
    """What the hosts are to run, all of it or of a clock or a job, by clock and job."""
    rows = connection.execute(
        _DEPLOYED + "WHERE valid_until IS NULL AND (%(clock)s::text = '' OR clock = %(clock)s)"
        " AND (%(job)s::text = '' OR job = %(job)s) ORDER BY clock, job, host",
        {"clock": clock, "job": job},
    )
    return [_deployed(row) for row in rows]


def known_jobs(connection: Connection) -> set[tuple[str, str]]:
    """(clock, job) of all that any host is to run."""
    rows = connection.execute("SELECT DISTINCT clock, job FROM deployed_job WHERE valid_until IS NULL")
    return {(clock, job) for clock, job in rows}


def _deployed(row: tuple[Any, ...]) -> DeployedJob:
    host, clock, job, task, schedule, options, since, until = row
    return DeployedJob(host, clock, job, task, Trigger.from_json(schedule), options, since, until)
