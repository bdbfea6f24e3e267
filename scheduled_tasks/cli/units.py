"""clocks list, render, eject: show jobs, and write their units into a directory."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks import schedule
from scheduled_tasks.cli.common import require_empty
from scheduled_tasks.cli.options import chosen_places, json_option, user_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.styles import on_terminal
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.clock import Job
from scheduled_tasks.operate import host_pauses
from scheduled_tasks.project import configured_host, enabled_clocks, value_if_configured
from scheduled_tasks.quantities import counted
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.operate.slots import Pause


def due(job: Job, active_pauses: Iterable[Pause] = ()) -> str:
    """When a job is due, in words, and who paused it on this host."""
    words = schedule.describe(job.trigger)
    here = next((row for row in active_pauses if row.covers(job.clock, job.id, row.scope.host)), None)
    if here:
        return f"paused here by {here.by}: {here.reason} ({words})"
    return f"paused ({words})" if job.paused else words


@click.command("list")
@json_option
def list_jobs(*, as_json: bool) -> None:
    """Show each job: its task, schedule and description."""
    jobs = [(clock, job) for clock in enabled_clocks(lines=as_json) for job in clock.jobs]
    active_pauses = host_pauses.active(names.Places(), socket.gethostname())
    if as_json:
        show_json([_listed(clock, job, due(job, active_pauses)) for clock, job in jobs])
        return
    if on_terminal():
        _show_on_terminal(jobs, active_pauses)
        return
    show_table(
        ("JOB", "TASK", "DUE", "DESCRIPTION"),
        ((f"{clock.name}/{job.id}", job.task, due(job, active_pauses), job.description) for clock, job in jobs),
    )


def _listed(clock: ClockSpec, job: Job, when: str) -> dict[str, object]:
    """A job for programs; `alerts` has the options that decide who is told of it, as far as they are given."""
    from scheduled_tasks.render.jobs_manifest import alert_options

    options = job.options.over(clock.options)
    return {
        "clock": clock.name,
        "job": job.id,
        "task": job.task,
        "description": job.description,
        "due": when,
        "on_calendar": list(job.timing.on_calendar),
        "exact_until": job.timing.exact_until,
        "paused": job.paused,
        "per_host": bool(options.text("per_host")),
        "alerts": alert_options(options),
        "timer": names.timer_name(clock.name, job.id),
        "file": job.file,
        "line": job.line,
    }


def _show_on_terminal(jobs: Sequence[tuple[ClockSpec, Job]], active_pauses: Sequence[Pause]) -> None:
    """Name the project's zone once, and a task only if it isn't called `CLOCK.JOB`."""
    zone = value_if_configured("timezone")
    rows = [
        (
            f"{clock.name}/{job.id}",
            due(job, active_pauses).replace(f", {zone} time", ""),
            f"{job.description}{'' if job.task == f'{clock.name}.{job.id}' else f' [{job.task}]'}".strip(),
        )
        for clock, job in jobs
    ]
    show_table(("JOB", f"DUE ({zone})" if zone else "DUE", "DESCRIPTION [TASK]"), rows, text=True)


@click.command("render")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@json_option
def render_units(directory: Path, *, as_json: bool) -> None:
    """Write the units of all clocks into DIRECTORY.

    DIRECTORY must be empty or new.
    """
    from scheduled_tasks.deploy.switch import write_set
    from scheduled_tasks.render.units import render

    files = render(enabled_clocks(), configured_host())
    require_empty(directory)
    write_set(files, directory)
    _show_written(files, directory, "", as_json=as_json)


@click.command("eject")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@user_option
@json_option
def eject_units(directory: Path, *, user: bool, as_json: bool) -> None:
    """Write plain units that work without clocks into DIRECTORY.

    The machine is not changed. The README next to them says how to install them, and what they still call.
    """
    from scheduled_tasks.deploy.switch import write_set
    from scheduled_tasks.render.eject import README, eject

    files = eject(enabled_clocks(), configured_host(chosen_places(Path("/"), user=user)))
    require_empty(directory)
    write_set(files, directory)
    _show_written(files, directory, f"; {directory / README} says how to install them", as_json=as_json)


def _show_written(files: Iterable[str], directory: Path, more: str, *, as_json: bool) -> None:
    paths = sorted(files)
    if as_json:
        show_json({"directory": directory, "files": paths})
    else:
        click.echo(f"{counted(len(paths), 'file')} written to {directory}{more}")


COMMANDS = (list_jobs, render_units, eject_units)
