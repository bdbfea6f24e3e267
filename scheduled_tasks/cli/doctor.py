"""clocks doctor: what is wrong with this machine's deployment, each with the command that mends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click

from scheduled_tasks import features
from scheduled_tasks.cli.common import configured_clocks, configured_features, connection, json_option, show_json
from scheduled_tasks.deploy import names
from scheduled_tasks.deploy.doctor import Finding, horizon_findings, machine_findings
from scheduled_tasks.errors import ScheduledTasksError

UNHEALTHY = 1


@click.command("doctor")
@json_option
def doctor(*, as_json: bool) -> None:
    """Look for what is wrong with this machine's timers; exits 1 where something is. Changes nothing."""
    findings = [*_of_the_machine(), *_of_the_clock(), *_of_the_schedules(), *_of_the_database()]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        click.echo("\n".join(map(str, findings)) or "healthy")
    sys.exit(UNHEALTHY if findings else 0)


def _of_the_machine() -> Iterator[Finding]:
    from scheduled_tasks.deploy.facts import failed_units, read_facts, read_set

    places = names.Places()
    files = read_set(places.current.resolve()) if places.current.is_dir() else {}
    try:
        facts, failed = read_facts(places, files), failed_units()
    except ScheduledTasksError as error:
        yield Finding("systemd", str(error), "systemctl status")
        return
    yield from machine_findings(facts, failed)


def _of_the_clock() -> Iterator[Finding]:
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "no":
        yield Finding("clock", "not synchronised: runs come too early or too late", "timedatectl set-ntp true")


def _of_the_schedules() -> Iterator[Finding]:
    try:
        clocks = configured_clocks()
    except ScheduledTasksError as error:
        yield Finding("clock files", str(error), "clocks list")
        return
    until = {names.timer_name(clock.name, job.id): job.timing.exact_until for clock in clocks for job in clock.jobs}
    yield from horizon_findings(until, datetime.now(UTC))


def _of_the_database() -> Iterator[Finding]:
    try:
        declared = configured_features()
    except ScheduledTasksError:
        return  # a project without flags
    try:
        with connection() as database:
            known = {flag.name for flag in features.list_flags(database, declared)}
    except ScheduledTasksError as error:
        yield Finding("database", str(error), "clocks features list")
        return
    for name in sorted(set(declared.__members__) - known):
        yield Finding(f"flag {name}", "not in the table: its default holds", "clocks features sync")


COMMANDS = (doctor,)
