"""Write clocks as lines of /etc/cron.d, for a return to cron, with a report of what cron can't keep.

Cron starts the same run-task, so flags, log lines and the rows of runs stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from scheduled_tasks.clock import ClockSpec, Job
from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.exporters.cron_words import CronWords, cron_words
from scheduled_tasks.exporters.kubernetes import run_task_words
from scheduled_tasks.options import Options
from scheduled_tasks.schedule import describe

KEPT_OPTIONS = {"on_database_error"}  # run-task gets it; the report names each other option that is given


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
        user: who runs the jobs.
        timezone: the hosts' zone; jobs in another one get a CRON_TZ, which only cronie reads.
        base: what paths in the report are relative to.
        now: the start of the period whose dates the report names.
    """
    lines = ["# Written by `clocks export crontab`: change the clock files instead.", "SHELL=/bin/sh"]
    lines += [f"SCHEDULED_TASKS_CONFIG={configuration}", 'MAILTO=""']
    entries, zone = [], timezone
    for clock in clocks:
        lines += ["", f"# {clock.name}: {clock.description}"]
        for job in clock.jobs:
            words, options = cron_words(job.trigger, now), job.options.over(clock.options)
            differences = (*words.differences, *_differences(words, options, timezone))
            file = job.file.removeprefix(f"{base}/")
            entry = Entry(file, job.line, "", "", f"{clock.name}/{job.id}", describe(job.trigger), differences)
            entries.append(entry.with_outcome())
            if entries[-1].outcome == "refused":
                lines.append(f"# {job.id}: cron can't express it, see the report")
                continue
            if words.zone != zone:
                zone = words.zone
                lines.append(f"CRON_TZ={zone}")
            paused = "# paused: " if job.paused else ""
            lines.append(f"{paused}{words.fields} {user} {_command(job, options, words, run_task)}")
    general = ("cron doesn't end, limit, harden or catch up a run, and starts it even if the last one still runs",)
    return "\n".join(lines) + "\n", Report("crontab", tuple(entries), general, verb="exported")


def _command(job: Job, options: Options, words: CronWords, run_task: str) -> str:
    command = shlex.join([run_task, *run_task_words(job, options)])
    if words.guard:
        command = f"if TZ={words.zone}; export TZ; {words.guard}; then {command}; fi"
    return command.replace("%", r"\%")  # a plain % is a line break to cron


def _differences(words: CronWords, options: Options, timezone: str) -> Iterable[Difference]:
    left_out = [name for name in options.by_name if name not in KEPT_OPTIONS]
    if left_out:
        yield Difference("options", f"not kept, cron has no such options: {', '.join(left_out)}")
    if words.fields and words.zone != timezone:
        yield Difference("zone", f"CRON_TZ={words.zone}: cronie reads it; Debian's cron uses the host's zone")
