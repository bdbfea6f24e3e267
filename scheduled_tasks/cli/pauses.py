"""clocks pause, resume: of a job, a clock or all, on this host or for the fleet."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import click

from scheduled_tasks.cli.common import actor, report_host, require_root
from scheduled_tasks.cli.options import clock_and_job, future_instant, json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import deployments, host_pauses, host_watch, pauses
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render.names import Places

which_argument = click.argument("which", required=False, metavar="CLOCK[/JOB]")
all_option = click.option("--all", "everything", is_flag=True, help="All clocks.")
host_option = click.option("--host", metavar="HOST", help="On this host of the fleet only, by the database.")
here_option = click.option(
    "--here", is_flag=True, help="On this machine only, by a file: needs root and no database, survives everything."
)


def _scope(which: str | None, host: str | None, *, everything: bool, here: bool) -> Scope:
    if bool(which) == everything:
        raise UsageError("one of CLOCK[/JOB] and --all")
    if here and host:
        raise UsageError("one of --host and --here")
    if here:
        require_root("--here writes a file in /etc: run it as root")
    clock, job = clock_and_job(which) if which else (None, None)
    return Scope(clock, job or None, socket.gethostname() if here else host)


@click.command("pause")
@which_argument
@all_option
@click.option("--reason", required=True, help="Why, for who finds it at night.")
@click.option("--until", callback=future_instant, metavar="T", help="When it ends by itself: 2026-11-24T06:00Z, or 2h.")
@host_option
@here_option
@json_option
def pause(  # noqa: PLR0913 - a command's options
    *,
    which: str | None,
    everything: bool,
    reason: str,
    until: datetime | None,
    host: str | None,
    here: bool,
    as_json: bool,
) -> None:
    """Hold a job, a clock or all back, on all hosts unless one is named; what runs goes on.

    What falls due meanwhile is `skipped`, with the reason. No deploy ends a pause.
    """
    scope = _scope(which, host, everything=everything, here=here)
    if until and until <= datetime.now(UTC):
        raise UsageError(f"--until {until:%Y-%m-%dT%H:%M:%SZ} is over already")
    if not reason.strip():
        raise UsageError("--reason is empty: say why, for who finds it at night")
    if here:
        _must_be_known(host_watch.jobs_here(Places()), scope)
        row = Pause(scope, datetime.now(UTC), actor(), reason.strip(), until)
        changed = host_pauses.write(Places(), row)
        report_host(Places())
    else:
        with open_database() as database:
            _must_be_known(deployments.known_jobs(database), scope)
            row = Pause(scope, database_now(database), actor(), reason.strip(), until)
            changed = pauses.pause(database, row)
    _say(scope, "paused", changed=changed, as_json=as_json)


@click.command("resume")
@which_argument
@all_option
@host_option
@here_option
@json_option
def resume(*, which: str | None, everything: bool, host: str | None, here: bool, as_json: bool) -> None:
    """End a pause of just this job, clock or --all; whether what it held back is caught up is the job's own choice."""
    scope = _scope(which, host, everything=everything, here=here)
    left: list[str] = []
    if here:
        held = [row for row in host_pauses.active(Places(), socket.gethostname()) if row.scope == scope]
        for row in held:
            host_pauses.end(Places(), row, by=actor(), at=datetime.now(UTC))
        changed = bool(held)
        report_host(Places())
    else:
        with open_database() as database:
            changed = bool(pauses.resume(database, scope, by=actor(), at=database_now(database)))
            left = [str(row) for row in pauses.active(database, database_now(database)) if _concerns(row, scope)]
    _say(scope, "resumed", changed=changed, as_json=as_json, left=left)


def _concerns(row: Pause, scope: Scope) -> bool:
    """Whether another pause holds what was resumed, or a part of it, still."""
    wider = row.scope.clock in {None, scope.clock} and row.scope.job in {None, scope.job}
    return scope.clock is None or wider or (row.scope.clock == scope.clock and scope.job is None)


def _say(scope: Scope, done: str, *, changed: bool, as_json: bool, left: list[str] | None = None) -> None:
    if as_json:
        show_json({"changed": changed, **scope._asdict(), "still_paused_by": left or []})
        return
    click.echo(f"{scope}: {done}" if changed else f"{scope}: nothing to do, it is {_opposite(done)}")
    for row in left or []:
        click.echo(f"still paused: {row}")


def _opposite(done: str) -> str:
    return "paused already" if done == "paused" else "not paused by just that; see 'clocks status'"


def _must_be_known(known: set[tuple[str, str]], scope: Scope) -> None:
    """A pause of what no host has would hold nothing, and nobody would notice.

    Raises:
        UsageError: with what there is.
    """
    if scope.clock is None or not known:
        return
    found = {job for clock, job in known if clock == scope.clock}
    if not found or (scope.job and scope.job not in found):
        names = sorted({clock for clock, _ in known}) if not found else sorted(found)
        problem = f"no host has a clock {scope.clock}" if not found else f"the clock {scope.clock} has no {scope.job}"
        raise UsageError(f"{problem}; there are {', '.join(names[:20])}")


COMMANDS = (pause, resume)
