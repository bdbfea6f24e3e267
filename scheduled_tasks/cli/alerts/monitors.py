"""clocks monitors: the checks outside of jobs with ping=, and what they were told last."""

from __future__ import annotations

import click

from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import exit_if_pending, show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import shown
from scheduled_tasks.project import database_now, load_configuration, open_database

STYLES = {"failed": Style.BAD, "left out": Style.WARNING}


class MonitorsError(ScheduledTasksError):
    """Checks could not be brought up to date."""


@click.group("monitors", cls=Group)
def group() -> None:
    """Show and create checks of jobs at services outside."""


@group.command("list")
@utc_option
@json_option
def list_monitors(*, as_json: bool) -> None:
    """Show each job with ping=, and the last ping that was answered."""
    from scheduled_tasks.alert.outside.told import told

    with open_database() as database:
        rows = told(database)
    if as_json:
        show_json([row._asdict() for row in rows])
        return
    times = LocalTimes.of_command() if on_terminal() else None
    show_table(
        ("JOB", "LAST PING", f"AT ({times.zone_name})" if times else "AT", "WAITING", "ERROR"),
        (
            (
                row.monitor,
                row.what,
                times.both(row.sent_at) if times else shown(row.sent_at),
                str(row.waiting),
                row.error,
            )
            for row in rows
        ),
        text=True,
    )


@group.command("sync")
@check_option
@json_option
def sync(*, check: bool, as_json: bool) -> None:
    """Create and update the checks of jobs at Healthchecks.

    Each deployed job whose ping= is a URL of Healthchecks gets a check with its schedule, time zone and grace. Checks
    that somebody has paused there stay paused; none is deleted. Needs an API key of the project, as the credential
    notify.healthchecks_api_key.
    """
    from scheduled_tasks.alert.outside import monitors
    from scheduled_tasks.alert.routes import notify_settings
    from scheduled_tasks.operate import deployments

    settings = load_configuration()
    with open_database() as database:
        now, jobs = database_now(database), deployments.deployed_now(database)
    done = monitors.sync(jobs, settings, notify_settings(settings), now, check=check)
    changed = any(row.outcome in {"created", "updated"} for row in done)
    if as_json:
        rows = [row._asdict() | {"monitor": row.monitor._asdict()} for row in done]
        show_json({"changed": changed, "monitors": rows})
    elif not done:
        click.echo("no deployed job has ping=")
    else:
        show_table(
            ("JOB", "OUTCOME", "PAUSED", "DETAIL"),
            (
                (
                    str(row.monitor),
                    Styled(row.outcome, STYLES.get(row.outcome, Style.GOOD)),
                    "yes" if row.is_paused else "",
                    row.detail,
                )
                for row in done
            ),
            text=True,
        )
    if failed := [row for row in done if row.outcome == "failed"]:
        raise MonitorsError("; ".join(f"{row.monitor}: {row.detail}" for row in failed))
    exit_if_pending(changes=changed, check=check)


COMMANDS = (group,)
