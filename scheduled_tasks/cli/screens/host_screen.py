"""What `clocks status` shows while PostgreSQL is unreachable: the jobs of this host, as systemd knows them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from scheduled_tasks.cli.screens.local_times import LocalTimes
from scheduled_tasks.cli.screens.status_screen import pause_sentence
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, show
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.deploy.machine_state import HostJob, host_jobs
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import host_pauses
from scheduled_tasks.operate.slots import Pause
from scheduled_tasks.quantities import counted
from scheduled_tasks.render.names import Places

MISSING = (
    "missing without PostgreSQL: results in the ledger, missed and lost slots, other hosts, pauses of all hosts, "
    "feature flags"
)
COLUMNS = ("JOB", "STATE HERE", "LAST", "NEXT")


def known_here(clock: str, job: str) -> tuple[list[HostJob], list[Pause]]:
    """This host's jobs and pauses, or those of a clock, or of one job; nothing if no systemd runs here."""
    places, host = Places(), socket.gethostname()
    try:
        jobs = host_jobs(places, clock, job)
    except (OSError, SystemdError):
        return [], []
    active = host_pauses.active(places, host)
    return jobs, [pause for pause in active if any(pause.covers(row.clock, row.job, host) for row in jobs)]


def show_host(jobs: Sequence[HostJob], pauses: Sequence[Pause], *, bad_only: bool) -> None:
    """Print them, and what is missing."""
    times = LocalTimes.of_command()
    write = times.both if on_terminal() else shown
    bad = sum(job.is_bad for job in jobs)
    show(
        f"{counted(len(jobs), 'job')} on this host: ",
        Styled(f"{bad} bad", Style.BAD if bad else Style.GOOD),
        Styled(f"   {times.now_sentence()}" if on_terminal() else "", Style.QUIET),
    )
    show_table(
        COLUMNS,
        (
            [
                f"{job.clock}/{job.job}",
                Styled(job.state, Style.BAD if job.is_bad else Style.GOOD),
                write(job.last_at),
                write(job.next_at),
            ]
            for job in jobs
            if job.is_bad or not bad_only
        ),
    )
    for pause in pauses:
        show(f"paused: {pause_sentence(pause, times) if on_terminal() else pause}")
    show(MISSING)


def as_json(jobs: Sequence[HostJob], pauses: Sequence[Pause]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "healthy": False,
        "missing": MISSING,
        "jobs_here": [{**job.__dict__, "bad": job.is_bad} for job in jobs],
        "pauses_here": [
            {**pause.scope._asdict(), "at": pause.at, "by": pause.by, "reason": pause.reason, "until": pause.until}
            for pause in pauses
        ],
    }
