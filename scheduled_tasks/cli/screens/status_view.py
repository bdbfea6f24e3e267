"""What `clocks status` shows, for a pipe, a terminal and programs: the database is asked once, when a view is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduled_tasks.cli.options import clock_and_job, require_known
from scheduled_tasks.cli.screens.local_times import LocalTimes
from scheduled_tasks.cli.screens.status_screen import dead_host, is_blocked, status_lines, totals
from scheduled_tasks.instants import shown
from scheduled_tasks.project import database_now
from scheduled_tasks.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.alert.incidents import Incident
    from scheduled_tasks.cli.screens.styles import Line
    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import HostStatus, JobStatus
    from scheduled_tasks.run.database import Connection

NOTHING_DEPLOYED = "no job is deployed on any host: nothing runs; 'clocks apply' deploys this project's"


class StatusView:
    """The status of jobs, hosts and pauses at one instant; `faults` are those of the clock files.

    With `bad_only` it asks for nothing of the jobs that are not bad.
    """

    def __init__(
        self,
        database: Connection,
        which: str | None,
        faults: Sequence[str] = (),
        *,
        owner: str = "",
        bad_only: bool = False,
    ) -> None:
        from scheduled_tasks.alert import incident_rows
        from scheduled_tasks.operate import deployments, pauses, status

        self.clock, self.job = clock, job = clock_and_job(which) if which else ("", "")
        self.owner = owner
        self.now = database_now(database)
        self.bad_only = bad_only
        owned = deployments.of_owner(database, owner) if owner else set()
        self.jobs: list[JobStatus] = status.jobs(database, self.now, clock, job, owner=owner, bad_only=bad_only)
        is_deployed = bool(self.jobs) or deployments.is_deployed(database, clock, job)
        if not is_deployed:
            require_known(deployments.known_jobs(database), clock, job, nobody="no host has")
        self.hosts: list[HostStatus] = status.hosts(database, self.now)
        active = pauses.active(database, self.now)
        # Without a filter even those of jobs that no host has any more: they can be ended.
        self.pauses = [
            row for row in active if not (which or owner) or any(row in shown_job.paused for shown_job in self.jobs)
        ]
        incidents = incident_rows.incidents(database, clock=clock, job=job, open_only=True)
        self.incidents: list[Incident] = [
            incident for incident in incidents if not owner or (incident.clock, incident.job) in owned
        ]
        on_hosts = [f"{host.host}: {problem}" for host in self.hosts for problem in host.problems]
        self.faults = [*faults, *on_hosts, *([] if is_deployed else [NOTHING_DEPLOYED])]

    @property
    def is_bad(self) -> bool:
        """Whether an operator is needed: a job is bad, a host is dead, or nothing can run."""
        return bool(self.faults) or any(job.is_bad for job in self.jobs) or any(host.is_dead for host in self.hosts)

    def number_of_jobs(self, database: Connection) -> int:
        """How many jobs are deployed, also of those that are not shown because they are not bad."""
        from scheduled_tasks.operate import deployments

        return deployments.count_deployed(database, self.clock, self.job, owner=self.owner)

    @property
    def unseen_incidents(self) -> list[Incident]:
        """The open incidents that nobody has acknowledged or snoozed."""
        return [
            incident
            for incident in self.incidents
            if not incident.acked_at and not (incident.snoozed_until and incident.snoozed_until > self.now)
        ]

    @property
    def open_incidents(self) -> str:
        """How many incidents are open, in a sentence; "" if none is."""
        if not self.incidents:
            return ""
        acked = sum(incident.acked_at is not None for incident in self.incidents)
        seen = f", {acked} acknowledged" if acked else ""
        return f"{counted(len(self.incidents), 'open incident')}{seen}: see 'clocks incidents --open'"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table's rows."""
        for job in self.jobs:
            following = shown(None if is_blocked(job) else job.next_run)
            yield f"{job.clock}/{job.job}", job.state, shown(job.since), shown(job.last_at), following

    def lines(self) -> Iterator[str]:
        """The lines below the table."""
        for fault in self.faults:
            yield f"fault: {fault}"
        for row in self.pauses:
            yield f"paused: {row}"
        for host in self.hosts:
            if host.is_dead:
                yield dead_host(host, shown(host.heartbeat_at))
        if self.open_incidents:
            yield self.open_incidents
        yield "".join(totals(self.jobs, bad_only=self.bad_only))

    def screen(self, columns: int) -> Iterator[Line]:
        """The lines for a terminal."""
        times = LocalTimes.of_command(self.now)
        dead = (dead_host(host, times.both(host.heartbeat_at)) for host in self.hosts if host.is_dead)
        alerts = [*(f"fault: {fault}" for fault in self.faults), *dead, *filter(None, [self.open_incidents])]
        numbers = totals(self.jobs, bad_only=self.bad_only)
        return status_lines(self.jobs, numbers, alerts=alerts, pauses=self.pauses, times=times, columns=columns)

    def as_json(self) -> dict[str, Any]:
        """The jobs, hosts and pauses, for programs."""
        return {
            "healthy": not self.is_bad,
            "at": self.now,
            "faults": self.faults,
            "open_incidents": len(self.incidents),
            "jobs": [_job(job) for job in self.jobs],
            "hosts": [host.__dict__ for host in self.hosts],
            "pauses": [_pause(row) for row in self.pauses],
        }


def _job(job: JobStatus) -> dict[str, Any]:
    listed = {"failures": [failure.__dict__ for failure in job.failures], "paused": [_pause(row) for row in job.paused]}
    return job.__dict__ | listed | {"state": job.state, "bad": job.is_bad, "since": job.since}


def _pause(row: Pause) -> dict[str, Any]:
    return {**row.scope._asdict(), "at": row.at, "by": row.by, "reason": row.reason, "until": row.until}
