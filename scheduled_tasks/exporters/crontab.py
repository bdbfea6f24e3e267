"""Write clocks as lines of /etc/cron.d, for a return to cron, with a report of what cron can't keep.

A job of the bundled command.run is written as the line that it was: its command, variables, standard input and user.
For any other task cron starts run-task, so flags, log lines and the rows of runs stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduled_tasks.bundled.command import PATH
from scheduled_tasks.clock import ClockSpec, Job
from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.exporters.command_line import COMMAND, CommandLine, command_line
from scheduled_tasks.exporters.cron_words import CronWords, cron_words
from scheduled_tasks.exporters.kubernetes.cron_job import task_words
from scheduled_tasks.options import Options
from scheduled_tasks.schedule import describe

CONFIG = "SCHEDULED_TASKS_CONFIG"
# The report names each other option that is given.
KEPT_OPTIONS = {"user"}
KEPT_OF_TASKS = {"on_database_error"}  # run-task gets it
GENERAL = (
    "cron doesn't end, limit, harden or catch up a run, and starts it even if the last one still runs",
    "a command's line leaves no row and no log line: cron mails its output to the line's user, unless MAILTO= is set",
)


NOBODY = "nobody"  # runs jobs without a user: systemd makes one for each run, cron can't
# What undoes HOME= for a line that must not have it: cron starts commands there.
UNDO_HOME = 'HOME=$(getent passwd "$(id -un)" | cut -d: -f6); cd; '


@dataclass
class _File:
    """The file while it is written: the zone, the shell and the variables that hold for the next line."""

    zone: str
    lines: list[str] = field(default_factory=list)
    shell: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def add(self, job: Job, words: CronWords, user: str, line: CommandLine) -> None:
        """Add a job's line, with the assignments that it needs in front of it."""
        if not words.fields:
            self.lines.append(f"# {job.clock}/{job.id}: cron can't express it, see the report")
            return
        self._set("CRON_TZ", words.zone, self.zone)
        self._set("SHELL", line.shell, self.shell)
        self.zone, self.shell = words.zone, line.shell
        for name, value in line.variables.items():
            self._set(name, value, self.variables.get(name))
        self.variables |= line.variables
        command = line.written(_guard(words) + self._undo(line))
        paused = "# paused: " if job.paused else ""
        self.lines.append(f"{paused}{words.fields} {user} {command}")

    def _set(self, name: str, value: str, known: str | None) -> None:
        if value != known:
            self.lines.append(f"{name}={value}" if value else f'{name}=""')

    def _undo(self, line: CommandLine) -> str:
        """What undoes variables of earlier lines: a crontab can only set them."""
        excess = [name for name in self.variables if name not in line.variables]
        others = " ".join(name for name in excess if name != "HOME")
        return (f"unset {others}; " if others else "") + (UNDO_HOME if "HOME" in excess else "")


def _guard(words: CronWords) -> str:
    return f"(TZ={words.zone}; export TZ; {words.guard}) || exit 0; " if words.guard else ""


def export(  # noqa: PLR0913 - what a crontab contains
    clocks: Iterable[ClockSpec],
    *,
    run_task: str,
    configuration: str,
    user: str,
    timezone: str,
    base: Path,
    now: datetime,
) -> tuple[str, Report]:
    """Write a file for /etc/cron.d of hosts in one zone.

    Args:
        clocks: whose jobs are written.
        run_task: path of the command.
        configuration: the value of SCHEDULED_TASKS_CONFIG.
        user: who runs the jobs that have no user of their own; "" if none is configured.
        timezone: the hosts' zone; jobs in another one get a CRON_TZ, which only cronie reads.
        base: what paths in the report are relative to.
        now: the start of the period whose dates the report names.
    """
    entries, tasks = [], []
    file = _File(timezone, ["# Written by `clocks export crontab`: change the clock files instead."])
    for clock in sorted(clocks, key=_variables):
        heading = ["", f"# {clock.name}: {clock.description}"]
        for job in clock.jobs:
            words, given, line = cron_words(job.trigger, now), job.options.over(clock.options), command_line(job)
            by = given.text("user") or user
            differences = (*words.differences, *_differences(job, words, given, line, timezone), *_of_user(by))
            path = job.file.removeprefix(f"{base}/")
            entry = Entry(path, job.line, "", "", f"{clock.name}/{job.id}", describe(job.trigger), differences)
            entries.append(entry.with_outcome())
            if line is None:
                command = shlex.join([run_task, *task_words(job, given)])
                of_task = CommandLine(command, variables={"PATH": PATH, CONFIG: configuration})
                tasks.append((job, words, by or NOBODY, of_task))
                continue
            file.lines += heading
            heading = []
            file.add(job, words, by or NOBODY, line)
    if tasks:  # behind the plain lines, which must not have these variables
        file.lines += ["", "# Tasks: run-task logs and records them.", 'MAILTO=""']
        for job, words, by, line in tasks:
            file.add(job, words, by, line)
    return "\n".join(file.lines) + "\n", Report("crontab", tuple(entries), GENERAL, verb="exported")


def _variables(clock: ClockSpec) -> tuple[int, str]:
    """The order of clocks: those without variables first, because a later line would have to undo them."""
    lines = [line for job in clock.jobs if (line := command_line(job))]
    return len({name for line in lines for name in line.variables}), clock.name


def _of_user(user: str) -> Iterator[Difference]:
    if not user:
        text = f"no user is configured: {NOBODY} runs it; here each run has a user of its own"
        yield Difference("user", text, instead="write user= into the clock or the configuration")


def _differences(
    job: Job, words: CronWords, given: Options, line: CommandLine | None, timezone: str
) -> Iterator[Difference]:
    kept = KEPT_OPTIONS if line else KEPT_OPTIONS | KEPT_OF_TASKS
    if left_out := [name for name in given.by_name if name not in kept]:
        yield Difference("options", f"not kept, cron has no such options: {', '.join(left_out)}")
    if words.fields and words.zone != timezone:
        yield Difference("zone", f"CRON_TZ={words.zone}: cronie reads it; Debian's cron uses the host's zone")
    if line is None and job.task == COMMAND:
        yield Difference("wrapped", "it can't be a plain line of cron, so run-task runs it: it is recorded, not mailed")
    for text in line.remarks if line else ():
        yield Difference("stdin", text)
    if job.paused:
        yield Difference("paused", "its line is a comment", "remark")
