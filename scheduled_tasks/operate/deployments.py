"""Record in the database (`deployed_job`) which jobs each host had at each time, and read it.

A report is the jobs manifest of a host's set of units and the instant at which the set became current. What changed
closes rows and opens others. Nothing here reads the clock: the caller passes all times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError
from scheduled_tasks.faults import what_to_write
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


class JobsReport(NamedTuple):
    """The jobs of a host from an instant on.

    Attributes:
        jobs: as in a set's jobs.json.
        digest: of that manifest; a host that already reported it has nothing new.
        at: when the set became current: changes and removals count from here.
        new_from: when the timers of new jobs were started; `at` if unknown.
        by: who deployed them; None if unknown.
    """

    jobs: Sequence[Mapping[str, Any]]
    digest: str
    at: datetime
    new_from: datetime
    by: str | None = None


def reported_digest(connection: Connection, host: str) -> str | None:
    """The digest of the manifest that a host reported last; None if it has reported none."""
    row = connection.execute("SELECT jobs_digest FROM host WHERE name = %s", [host]).fetchone()
    return row[0] if row else None


def report(connection: Connection, host: str, new: JobsReport) -> int:
    """Bring `deployed_job` up to a host's report; return how many jobs changed. Repeating a report changes nothing.

    Verdicts on slots after the instant are deleted, so that the watch decides them again.
    """
    with connection.transaction():
        known = _lock(connection, host, new.at)
        wanted = {(job["clock"], job["job"]): job for job in new.jobs}
        changed = {
            key: job
            for key, job in wanted.items()
            if key not in known or known[key][1] != [job["task"], job["schedule"], job["options"]]
        }
        closed = [key for key in known if key not in wanted or key in changed]
        connection.execute(
            "UPDATE deployed_job SET valid_until = greatest(valid_from, %s), removed_by = %s WHERE id = ANY (%s)",
            [new.at, new.by, [known[key][0] for key in closed]],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO deployed_job (host, clock, job, task, schedule, options, source, valid_from, deployed_by)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        host, *key, job["task"], json.dumps(job["schedule"]), json.dumps(job["options"]),
                        job.get("source"), new.at if key in known else new.new_from, new.by,
                    )
                    for key, job in changed.items()
                ],
            )  # fmt: skip
        _move(connection, host, new.jobs)
        connection.execute(
            "UPDATE host SET jobs_digest = %(digest)s, accounted_until ="
            " CASE WHEN %(changes)s THEN least(accounted_until, %(at)s) ELSE accounted_until END WHERE name = %(host)s",
            {"host": host, "digest": new.digest, "at": new.at, "changes": bool(closed or changed)},
        )
        for clock, job in closed:
            for paused in (False, True):
                reopen(connection, clock, job, new.at, paused=paused)
    return len(closed) + sum(key not in known for key in changed)


def _move(connection: Connection, host: str, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Record where a host's current jobs are written. A call that moves in its file changes nothing else."""
    connection.execute(
        "UPDATE deployed_job AS known SET source = new.source"
        " FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (clock, job, source)"
        " WHERE known.host = %s AND known.valid_until IS NULL AND (known.clock, known.job) = (new.clock, new.job)"
        " AND known.source IS DISTINCT FROM new.source",
        [*([job.get(name) for job in jobs] for name in ("clock", "job", "source")), host],
    )


def _lock(connection: Connection, host: str, at: datetime) -> dict[tuple[str, str], tuple[int, list[Any]]]:
    """Serialize a host's reports; return its current jobs: the id and the values of each row."""
    connection.execute(
        "INSERT INTO host (name, heartbeat_at, heartbeats_since) VALUES (%(host)s, %(at)s, %(at)s)"
        " ON CONFLICT DO NOTHING",
        {"host": host, "at": at},
    )
    connection.execute("SELECT FROM host WHERE name = %s FOR UPDATE", [host])
    rows = connection.execute(
        "SELECT id, clock, job, task, schedule, options FROM deployed_job WHERE host = %s AND valid_until IS NULL",
        [host],
    )
    return {(clock, job): (row_id, values) for row_id, clock, job, *values in rows}


def reopen(
    connection: Connection, clock: str | None, job: str | None, since: datetime, *, paused: bool = False
) -> None:
    """Delete verdicts that a watch recorded before it knew of a report, in the caller's transaction.

    These are `missed` slots since an instant, or, with `paused`, slots that the watch recorded as paused. None stands
    for all clocks or all jobs.
    """
    what = "status = 'skipped' AND trigger = 'watch' AND reason LIKE 'paused: %%'" if paused else "status = 'missed'"
    deleted = connection.execute(
        f"WITH deleted AS (DELETE FROM task_run WHERE {what} AND started_at > %(since)s AND scheduled_at > %(since)s"  # noqa: S608
        " AND (%(clock)s::text IS NULL OR clock = %(clock)s) AND (%(job)s::text IS NULL OR job = %(job)s)"
        " RETURNING clock, job, scheduled_at, status)"
        " INSERT INTO slot_change (clock, job, scheduled_at, was)"
        " SELECT clock, job, scheduled_at, status FROM deleted WHERE clock IS NOT NULL AND job IS NOT NULL",
        {"clock": clock, "job": job, "since": since},
    ).rowcount
    if deleted:
        connection.execute("UPDATE host SET accounted_until = least(accounted_until, %s)", [since])


_DEPLOYED = """
SELECT host, clock, job, task, schedule::text, options::text, valid_from, valid_until FROM deployed_job
"""


def deployed_since(connection: Connection, hosts: Sequence[str], since: datetime) -> list[DeployedJob]:
    """The jobs that the given hosts had at any time after an instant."""
    rows = connection.execute(
        _DEPLOYED + "WHERE host = ANY (%(hosts)s) AND valid_until IS NULL UNION ALL"
        + _DEPLOYED + "WHERE host = ANY (%(hosts)s) AND valid_until > %(since)s",
        {"hosts": list(hosts), "since": since},
    )  # fmt: skip
    return _deployed(rows)


def deployed_of(connection: Connection, jobs: Iterable[tuple[str, str]], since: datetime) -> list[DeployedJob]:
    """The given jobs, by (clock, job), on all hosts that had them at any time after an instant."""
    wanted = list(jobs)
    rows = connection.execute(
        _DEPLOYED + "JOIN unnest(%(clocks)s::text[], %(jobs)s::text[]) AS wanted (clock, job) USING (clock, job)"
        " WHERE valid_until IS NULL OR valid_until > %(since)s ORDER BY host",
        {"clocks": [clock for clock, _ in wanted], "jobs": [job for _, job in wanted], "since": since},
    )  # fmt: skip
    return _deployed(rows)


def deployed_now(
    connection: Connection,
    clock: str = "",
    job: str = "",
    *,
    owner: str = "",
    among: Sequence[tuple[str, str]] | None = None,
) -> list[DeployedJob]:
    """The current jobs of all hosts, or those of a clock, or one, by clock and job.

    With `owner`, only those of an owner; with `among`, only some of them.
    """
    wanted = "JOIN unnest(%(clocks)s::text[], %(jobs)s::text[]) AS wanted (clock, job) USING (clock, job) "
    rows = connection.execute(
        f"{_DEPLOYED} {wanted if among is not None else ''} WHERE valid_until IS NULL"
        " AND (%(clock)s::text = '' OR clock = %(clock)s) AND (%(job)s::text = '' OR job = %(job)s)"
        " AND (%(owner)s::text = '' OR options->>'owner' = %(owner)s) ORDER BY clock, job, host",
        {
            "clock": clock,
            "job": job,
            "owner": owner,
            "clocks": [pair[0] for pair in among or ()],
            "jobs": [pair[1] for pair in among or ()],
        },
    )
    return _deployed(rows)


def is_deployed(connection: Connection, clock: str = "", job: str = "") -> bool:
    """Whether any host has a job now; a job of a clock; one job."""
    query = "SELECT FROM deployed_job WHERE valid_until IS NULL"
    values = [value for value in (clock, job) if value]
    filters = "".join(f" AND {column} = %s" for column, value in (("clock", clock), ("job", job)) if value)
    return bool(connection.execute(f"{query}{filters} LIMIT 1", values).rowcount)


def jobs_of(connection: Connection, host: str) -> list[DeployedJob]:
    """The current jobs of a host."""
    return [job for job in deployed_now(connection) if job.host == host]


def known_jobs(connection: Connection) -> set[tuple[str, str]]:
    """(clock, job) of every current job of any host."""
    rows = connection.execute("SELECT DISTINCT clock, job FROM deployed_job WHERE valid_until IS NULL")
    return {(clock, job) for clock, job in rows}


def count_deployed(connection: Connection, clock: str = "", job: str = "", *, owner: str = "") -> int:
    """How many jobs are deployed; of a clock, one, or of an owner."""
    [(number,)] = connection.execute(
        "SELECT count(DISTINCT (clock, job)) FROM deployed_job WHERE valid_until IS NULL"
        " AND (%(clock)s::text = '' OR clock = %(clock)s) AND (%(job)s::text = '' OR job = %(job)s)"
        " AND (%(owner)s::text = '' OR options->>'owner' = %(owner)s)",
        {"clock": clock, "job": job, "owner": owner},
    ).fetchall()
    return int(number)


def of_owner(connection: Connection, owner: str) -> set[tuple[str, str]]:
    """(clock, job) of every current job of an owner.

    Raises:
        UsageError: nobody of this name has one.
    """
    query = "SELECT DISTINCT options->>'owner', clock, job FROM deployed_job WHERE valid_until IS NULL"
    rows = [row for row in connection.execute(query) if row[0]]
    if not (found := {(clock, job) for name, clock, job in rows if name == owner}):
        owners = sorted({name for name, _, _ in rows})
        raise UsageError(f"no job has the owner {owner!r}; {what_to_write(owner, owners, 'the owners')}")
    return found


def known_hosts(connection: Connection) -> set[str]:
    """The name of every host that reported a heartbeat or a job."""
    return {name for (name,) in connection.execute("SELECT name FROM host UNION SELECT host FROM deployed_job")}


def _deployed(rows: Iterable[tuple[Any, ...]]) -> list[DeployedJob]:
    """The jobs of the rows of a query. Many have the same schedule or options, and each is read once."""
    read_trigger = cache(lambda text: Trigger.from_json(json.loads(text)))
    read_options = cache(json.loads)
    return [
        DeployedJob(host, clock, job, task, read_trigger(schedule), read_options(options), valid_from, valid_until)
        for host, clock, job, task, schedule, options, valid_from, valid_until in rows
    ]
