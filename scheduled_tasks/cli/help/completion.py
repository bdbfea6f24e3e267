"""What the shell offers after TAB: clocks, jobs, flags, runs, incidents, hosts and sets. The scripts are click's own.

A completion shows nothing if it can't be computed: no error may disturb the line that is being typed. It starts no
database, and reads this host's jobs and the project's files without one.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from scheduled_tasks.project import configured_features, enabled_clocks, has_database, open_database
from scheduled_tasks.render.names import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    Found = Iterable[tuple[str, str]]  # what can be typed, and a description
    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

MAX_RUNS = 50


def _completion(find: Callable[[], Found]) -> Complete:
    """Turn a function that finds what can be typed into click's callback."""

    @wraps(find)
    def complete(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        # A project's modules, and the process that reads them, can write to standard error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            return [CompletionItem(word, help=text) for word, text in find() if word.startswith(typed)]
        except BaseException:  # noqa: BLE001 - whatever it is, even sys.exit in a project's module
            return []

    return complete


def _known_jobs() -> list[tuple[str, str, str]]:
    """(clock, job, description) of this host's jobs, or of the clock files if it has none."""
    from scheduled_tasks.operate import host_watch

    here = sorted(host_watch.jobs_here(Places()))
    if here:
        return [(clock, job, "") for clock, job in here]
    return [(clock.name, job.id, job.description) for clock in enabled_clocks(lines=False) for job in clock.jobs]


@_completion
def jobs() -> Found:
    """CLOCK/JOB."""
    return [(f"{clock}/{job}", description) for clock, job, description in _known_jobs()]


@_completion
def clocks() -> Found:
    """CLOCK."""
    return [(clock, "") for clock in dict.fromkeys(clock for clock, _, _ in _known_jobs())]


@_completion
def clocks_and_jobs() -> Found:
    """CLOCK or CLOCK/JOB."""
    known = _known_jobs()
    names = [(f"{clock}/{job}", description) for clock, job, description in known]
    return [*((clock, "") for clock in dict.fromkeys(clock for clock, _, _ in known)), *names]


@_completion
def flags() -> Found:
    """The feature flags of the project's enum."""
    return [(name, flag.value.description) for name, flag in configured_features().__members__.items()]


@_completion
def runs() -> Found:
    """The newest runs."""
    from scheduled_tasks.operate import history

    if not has_database():
        return []
    with open_database() as database:
        rows = history.history(database, limit=MAX_RUNS)
    return [(str(row.run_id)[:8], f"{row.name} {row.status}") for row in rows]


@_completion
def incidents() -> Found:
    """The open incidents."""
    from scheduled_tasks.alert import incident_rows

    if not has_database():
        return []
    with open_database() as database:
        return [(str(row.id), f"{row.name} {row.kind}") for row in incident_rows.incidents(database, open_only=True)]


@_completion
def hosts() -> Found:
    """The hosts that the database knows."""
    from scheduled_tasks.operate import deployments

    if not has_database():
        return []
    with open_database() as database:
        return [(host, "") for host in sorted(deployments.known_hosts(database))]


@_completion
def sets() -> Found:
    """The sets of units of this machine."""
    from scheduled_tasks.deploy.sets import kept_sets

    return [(kept.name[:12], "current" if kept.current else "") for kept in kept_sets(Places())]


def source(shell: str) -> str:
    """The completion script of a shell: bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from scheduled_tasks.cli.commands import main

    kind: Any = get_completion_class(shell)
    # click's class for bash checks the version of this machine's bash, but the script can run on another machine.
    script = kind.source_template % kind(main, {}, "clocks", "_CLOCKS_COMPLETE").source_vars()
    return f"{script.strip()}\n"
