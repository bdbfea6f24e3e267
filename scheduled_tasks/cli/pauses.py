"""clocks pause, resume: a job, a clock or all clocks, on one host or on all."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import click

from scheduled_tasks.cli.common import actor, report_host, require_root
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import (
    clock_and_job,
    future_instant,
    json_option,
    require_future,
    require_known,
    require_known_host,
    stated_reason,
)
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import deployments, host_pauses, host_watch, pauses
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render.names import Places

which_argument = click.argument(
    "which", required=False, metavar="CLOCK[/JOB]", shell_complete=completion.clocks_and_jobs
)
all_option = click.option("--all", "everything", is_flag=True, help="All clocks.")
host_option = click.option(
    "--host", metavar="HOST", shell_complete=completion.hosts, help="Only on this host; recorded in the database."
)
here_option = click.option(
    "--here", is_flag=True, help="Only on this machine; recorded in a file in /etc. Needs root and no database."
)


def _scope(which: str | None, host: str | None, *, everything: bool, here: bool) -> Scope:
    if bool(which) == everything:
        raise UsageError("give either CLOCK[/JOB] or --all")
    if here and host:
        raise UsageError("give only one of --host and --here")
    if here:
        require_root("--here writes a file in /etc: run it as root")
    clock, job = clock_and_job(which) if which else (None, None)
    return Scope(clock, job or None, socket.gethostname() if here else host)


@click.command("pause")
@which_argument
@all_option
@click.option("--reason", required=True, help="Why; shown to colleagues and in the ledger.")
@click.option("--until", callback=future_instant, metavar="T", help="When it ends: 06:00, tomorrow, 2h.")
@host_option
@here_option
@utc_option
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
    """Pause a job, a clock or all, on all hosts or on one.

    Running jobs are not interrupted. Slots that become due are recorded as skipped, with the reason. A deployment does
    not end a pause.
    """
    scope = _scope(which, host, everything=everything, here=here)
    if until:
        require_future(until, datetime.now(UTC))
    reason = stated_reason(reason, "pause")
    if here:
        _require_here(scope)
        row = Pause(scope, datetime.now(UTC), actor(), reason, until)
        changed = host_pauses.write(Places(), row)
        report_host(Places())
    else:
        with open_database() as database:
            require_known(deployments.known_jobs(database), scope.clock, scope.job, nobody="no host has")
            require_known_host(deployments.known_hosts(database), scope.host)
            row = Pause(scope, database_now(database), actor(), reason, until)
            changed = pauses.pause(database, row)
    _show(scope, "paused", changed=changed, as_json=as_json)


@click.command("resume")
@which_argument
@all_option
@host_option
@here_option
@json_option
def resume(*, which: str | None, everything: bool, host: str | None, here: bool, as_json: bool) -> None:
    """End the pause of exactly this job, this clock or --all.

    Jobs with catch_up_after_pause=True then run the last slot that the pause blocked.
    """
    scope = _scope(which, host, everything=everything, here=here)
    left: list[str] = []
    if here:
        active = [row for row in host_pauses.active(Places(), socket.gethostname()) if row.scope == scope]
        if not active:
            _require_here(scope)
        for row in active:
            host_pauses.end(Places(), row, by=actor(), at=datetime.now(UTC))
        changed = bool(active)
        report_host(Places())
    else:
        with open_database() as database:
            changed = bool(pauses.resume(database, scope, by=actor(), at=database_now(database)))
            if not changed:  # what is paused can be resumed even if no host has it any more
                require_known(deployments.known_jobs(database), scope.clock, scope.job, nobody="no host has")
                require_known_host(deployments.known_hosts(database), scope.host)
            left = [str(row) for row in pauses.active(database, database_now(database)) if _concerns(row, scope)]
    _show(scope, "resumed", changed=changed, as_json=as_json, left=left)


def _require_here(scope: Scope) -> None:
    require_known(host_watch.jobs_here(Places()), scope.clock, scope.job, nobody="this host does not have")


def _concerns(row: Pause, scope: Scope) -> bool:
    """Whether another pause still blocks what was resumed, or a part of it."""
    wider = row.scope.clock in {None, scope.clock} and row.scope.job in {None, scope.job}
    return scope.clock is None or wider or (row.scope.clock == scope.clock and scope.job is None)


def _show(scope: Scope, done: str, *, changed: bool, as_json: bool, left: list[str] | None = None) -> None:
    if as_json:
        show_json({"changed": changed, **scope._asdict(), "still_paused_by": left or []})
        return
    state = "already paused" if done == "paused" else "not paused with exactly this scope; see 'clocks status'"
    click.echo(f"{scope}: {done}" if changed else f"{scope}: nothing to do, it is {state}")
    for row in left or []:
        click.echo(f"still paused: {row}")


COMMANDS = (pause, resume)
