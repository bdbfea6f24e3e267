"""Clocks to unit files: pure, texts by their path inside a set.

What comes in: clocks that have been read, and what the host's configuration says. What goes out: a dictionary
of files. The templates live in units/ and are written for the operator who reads the result.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.deploy import names
from scheduled_tasks.deploy.escape import Written, command_line, escaped
from scheduled_tasks.deploy.option_lines import left_out_of, lines, require_safe
from scheduled_tasks.deploy.wrapping import makes_turns, wrapped
from scheduled_tasks.options import INHERITED, OPTIONS, Options
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment

    from scheduled_tasks.clock import ClockSpec, Job


class Template(StrEnum):
    """The templates, by their file's name."""

    PARENT_SLICE = "clock.slice.j2"
    ALL_SERVICES = "all-services.conf.j2"
    SLICE = "clock-CLOCK.slice.j2"
    TARGET = "clock-CLOCK.target.j2"
    CLOCK_SERVICES = "clock-services.conf.j2"
    SERVICE = "clock-CLOCK-JOB.service.j2"
    JOB_SERVICE = "job-service.conf.j2"
    TIMER = "clock-CLOCK-JOB.timer.j2"


OLDEST = 252  # of Debian 12


@dataclass(frozen=True)
class Host:
    """What units need to know of the machine that they are for.

    Attributes:
        run_task: the command that the services run.
        configuration: the file that SCHEDULED_TASKS_CONFIG names for them.
        user: the system user they run as; systemd makes one for each run where it is empty.
        credentials: names of the files in credentials/ beside the configuration that they get.
        encrypted_credentials: the same, of files <name>.cred that systemd-creds(1) encrypted for this host.
        network: addresses that every job may speak to, beyond this machine's own.
        systemd: its version, which decides on the directives that are written.
        release: the folder of the release that the services see at run_task's place; empty where nothing is deployed.
        log_namespace: the journal namespace of every job; empty for the machine's own journal.
        installed: where this release is installed, and the path that stays the same from release to release.
    """

    run_task: str
    configuration: Path
    user: str = ""
    credentials: tuple[str, ...] = ()
    encrypted_credentials: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    systemd: int = OLDEST
    release: str = ""
    log_namespace: str = ""
    installed: tuple[str, str] = ("", "")

    @property
    def seen_as(self) -> str:
        """The path that services see their release at, the same in every release."""
        return str(Path(self.run_task).parents[1])

    def stable(self, path: str) -> str:
        """A path as units name it, so that a new release alone changes no unit."""
        release, current = self.installed
        inside = release and Path(path).is_relative_to(release)
        return str(Path(current, Path(path).relative_to(release))) if inside else path


def render(clocks: Iterable[ClockSpec], host: Host) -> dict[str, str]:
    """The unit files of clocks: path inside the set → text, in a stable order.

    Raises:
        UnwritableValueError: a value can't be written into a unit file.
        UnsafeUnitError: a job would run without a limit that each has.
    """
    clocks = sorted(clocks, key=lambda clock: clock.name)
    files = {
        names.PARENT_SLICE: _text(Template.PARENT_SLICE),
        names.ALL_SERVICES: _text(
            Template.ALL_SERVICES,
            host=host,
            credentials=_credentials(host, host.credentials, ""),
            encrypted_credentials=_credentials(host, host.encrypted_credentials, ".cred"),
            network=" ".join(["localhost", *host.network]),
        ),
    }
    for clock in clocks:
        files |= _render_clock(clock, host)
    return files


def left_out(clocks: Iterable[ClockSpec], host: Host) -> list[str]:
    """What the host's systemd is too old for: a sentence for each option of each clock and job."""
    sentences = []
    for clock in sorted(clocks, key=lambda clock: clock.name):
        sentences += [f"clock {clock.name}: {sentence}" for sentence in left_out_of(clock.options, host.systemd)]
        for job in clock.jobs:
            own = left_out_of(job.options, host.systemd)
            sentences += [f"job {clock.name}/{job.id}: {sentence}" for sentence in own]
    return sentences


def _render_clock(clock: ClockSpec, host: Host) -> dict[str, str]:
    timers = " ".join(names.timer_name(clock.name, job.id) for job in clock.jobs if not job.paused)
    inherited = clock.options.over(INHERITED)
    concurrency = _turns(clock, host)
    files = {
        names.slice_name(clock.name): _text(
            Template.SLICE, clock=clock, lines=_lines(clock.options, inherited, "Slice", host)
        ),
        names.target_name(clock.name): _text(Template.TARGET, clock=clock, timers=timers),
        names.clock_drop_in(clock.name): _text(
            Template.CLOCK_SERVICES,
            clock=clock,
            slice=names.slice_name(clock.name),
            unit_lines=_lines(inherited, inherited, "Unit", host),
            lines=_lines(inherited, inherited, "Service", host),
            makes_turns=concurrency and command_line(*makes_turns(clock.name, concurrency)),
        ),
    }
    for job in clock.jobs:
        place = {"clock": clock, "job": job, "source": host.stable(job.file)}
        effective = job.options.over(inherited)
        require_safe(effective, f"job {clock.name}/{job.id}")
        retries = int(effective.text("retries", "0"))
        command = wrapped(_command(job, host), clock=clock.name, retries=retries, concurrency=concurrency)
        conditions = [command_line(*argv) for argv in job.timing.exec_condition]
        files[names.service_name(clock.name, job.id)] = _text(
            Template.SERVICE, **place, retries=retries, command=command_line(*command), conditions=conditions
        )
        unit_lines = _lines(job.options, effective, "Unit", host)
        service_lines = _lines(job.options, effective, "Service", host)
        if unit_lines or service_lines:
            files[names.job_drop_in(clock.name, job.id)] = _text(
                Template.JOB_SERVICE, **place, unit_lines=unit_lines, lines=service_lines
            )
        if not job.paused:
            due = {"target": names.target_name(clock.name), "due": describe(job.trigger)}
            files[names.timer_name(clock.name, job.id)] = _text(Template.TIMER, **place, **due)
    return files


def _lines(own: Options, effective: Options, section: str, host: Host) -> list[Written]:
    return lines(own, effective, section, systemd=host.systemd, network=host.network)


def _turns(clock: ClockSpec, host: Host) -> int:
    """How many of a clock's jobs take turns by locks; 0 where all run at once, or its slice sees to it."""
    by_slice = host.systemd >= OPTIONS["concurrency"].since
    return 0 if by_slice else int(clock.options.text("concurrency", "0"))


def _command(job: Job, host: Host) -> list[str]:
    arguments = [host.run_task, job.task, f"--clock={job.clock}", f"--job={job.id}"]
    if job.grace is not None:
        # With these run-task knows the nominal time, and whether a catch-up comes too late.
        late = job.grace + (job.timing.jitter or 0)
        arguments += [f"--grace={late}", f"--schedule={json.dumps(job.trigger.to_json(), separators=(',', ':'))}"]
    # Escaped to ASCII, so that no character of an argument depends on the service's locale.
    if job.args is not None:
        arguments.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        arguments.append(f"--kwargs={json.dumps(job.kwargs)}")
    return arguments


def _credentials(host: Host, credentials: Iterable[str], suffix: str) -> list[str]:
    return [f"{name}:{host.configuration.parent}/credentials/{name}{suffix}" for name in credentials]


def _text(template: Template, **values: object) -> str:
    return _environment().get_template(template.value).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # `clocks list` needs no templates

    package = Path(__file__).parents[1]
    # In a wheel they are part of the package; in a checkout they stand at its top, where an operator looks for them.
    folders = [package / "units", package.parent / "units"]
    return Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        finalize=escaped,
        autoescape=False,  # noqa: S701 - units aren't HTML: `finalize` escapes every value for systemd
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
