"""Clocks as crontab lines of /etc/cron.d, for going back, with a report of what cron can't keep.

In come clocks; out come a text and a report. A guard says what cron's fields can't; flags, log lines and rows stay,
for cron starts the very run-task.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.exporters.cron_words import cron_words
from scheduled_tasks.exporters.kubernetes import run_task_words
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from scheduled_tasks.clock import ClockSpec, Job


def export(  # noqa: PLR0913 - what a crontab is written for
    clocks: Iterable[ClockSpec],
    *,
    run_task: str,
    configuration: str,
    user: str,
    timezone: str,
    base: Path,
    now: datetime,
) -> tuple[str, Report]:
    """A file for /etc/cron.d, for hosts in a zone.

    Args:
        clocks: whose jobs are written.
        run_task: the command.
        configuration: what SCHEDULED_TASKS_CONFIG is to say.
        user: who runs the jobs.
        timezone: the hosts' zone; other jobs get a CRON_TZ, which cronie alone reads.
        base: what paths in the report are relative to.
        now: what dates in the report count from.
    """
    lines = ["# Written by `clocks export crontab`: change the clock files instead.", "SHELL=/bin/sh"]
    lines += [f"SCHEDULED_TASKS_CONFIG={configuration}", 'MAILTO=""']
    entries, zone = [], ""
    for clock in clocks:
        lines += ["", f"# {clock.name}: {clock.description}"]
        for job in clock.jobs:
            words = cron_words(job.trigger, now)
            differences = [*words.differences, *_not_kept(job)]
            abroad = words.zone != timezone
            if words.fields and abroad:
                text = f"CRON_TZ={words.zone}: cronie reads it; Debian's cron runs the line in the host's zone"
                differences.append(Difference("zone", text))
            shown = job.file.removeprefix(f"{base}/")
            entry = Entry(shown, job.line, "", "", f"{clock.name}/{job.id}", describe(job.trigger), tuple(differences))
            entries.append(entry.with_outcome())
            if entries[-1].outcome == "refused":
                lines.append(f"# {job.id}: can't be said here, the report says why")
                continue
            wanted = words.zone if abroad else timezone
            if wanted != (zone or timezone):
                lines.append(f"CRON_TZ={wanted}")
                zone = wanted
            guard = f"if TZ={words.zone}; export TZ; {words.guard}; then " if words.guard else ""
            command = f"{guard}{shlex.join([run_task, *run_task_words(job)])}{'; fi' if guard else ''}"
            paused = "# paused: " if job.paused else ""
            lines.append(f"{paused}{words.fields} {user} {command.replace('%', chr(92) + '%')}")
    general = (
        "cron ends, limits and hardens no run, catches nothing up, and starts a run beside one that still goes on",
    )
    return "\n".join(lines) + "\n", Report("crontab", tuple(entries), general, verb="exported")


def _not_kept(job: Job) -> list[Difference]:
    found = []
    if dropped := [name for name in job.options.by_name if name != "timeout"]:
        found.append(Difference("options", f"{', '.join(dropped)}: cron knows none of them"))
    return found
