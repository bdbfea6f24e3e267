"""Clocks to unit files: pure, texts by their path inside a set.

What comes in: clocks that have been read, and what the host's configuration says. What goes out: a dictionary
of files. The templates live in units/ and are written for the operator who reads the result.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from scheduled_tasks.options import DEFAULT_OPTIONS, OPTIONS, Options, seconds_of
from scheduled_tasks.render import names
from scheduled_tasks.render.directives import left_out_of, lines, require_safe
from scheduled_tasks.render.escape import Written, command_line, escaped, name, whole, without, word
from scheduled_tasks.render.failure_note import note_script
from scheduled_tasks.render.jobs_manifest import jobs_json
from scheduled_tasks.render.release import CONFIGURATION
from scheduled_tasks.render.shell_wrapper import Turns, wrapped
from scheduled_tasks.render.user_manager import directives, for_user
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
    WATCH = "clock-watch.service.j2"
    WATCH_DROP_IN = "watch-service.conf.j2"
    WATCH_TIMER = "clock-watch.timer.j2"
    FAILED = "clock-failed.service.j2"
    FAILED_DROP_IN = "failed-service.conf.j2"


OLDEST = 252  # of Debian 12
# What systemd takes (systemd.syntax(7), systemd.exec(5)).
USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,30}"
NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
CREDENTIAL = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
# What 257 reads of these directives and then loses on the way to systemd-executor: the service fails.
UNMOUNTED, UNLOADED = "\"'", " \\"


@dataclass(frozen=True)
class Host:
    """What units need to know of the machine that they are for.

    Attributes:
        run_task: the command that the services run.
        configuration: the file that SCHEDULED_TASKS_CONFIG names for them.
        user: the system user they run as; systemd makes one for each run where it is empty.
        credentials: names of the files that they get, in `credentials_folder`.
        encrypted_credentials: the same, of files <name>.cred that systemd-creds(1) encrypted for this host.
        credentials_folder: where those files are; "" for credentials/ beside the configuration.
        network: addresses that every job may speak to, beyond this machine's own.
        systemd: its version, which decides on the directives that are written.
        clocks: the command `clocks` of the host's watch; empty where there is no database to tell.
        release: the folder of the release that the services see at run_task's place; empty where nothing is deployed.
        log_namespace: the journal namespace of every job; empty for the machine's own journal.
        installed: where this release is installed, and the path that stays the same from release to release.
        of_user: whether the units are for a user's own systemd, which has fewer rights.
        runtime: the folder that lasts until the machine is switched off.
        standalone: whether the units are to live on without this project's deployment.
    """

    run_task: str
    configuration: Path
    user: str = ""
    credentials: tuple[str, ...] = ()
    encrypted_credentials: tuple[str, ...] = ()
    credentials_folder: str = ""
    network: tuple[str, ...] = ()
    systemd: int = OLDEST
    clocks: str = ""
    release: str = ""
    log_namespace: str = ""
    installed: tuple[str, str] = ("", "")
    of_user: bool = False
    runtime: str = "/run"
    standalone: bool = False

    @property
    def is_managed(self) -> bool:
        """Whether this project's commands go on to manage the units, as the machine's."""
        return not self.standalone and not self.of_user

    @property
    def places(self) -> names.Places:
        """Where its units' own files are."""
        folder = Path(self.runtime)
        return names.Places(home=names.Home(folder, folder, folder)) if self.of_user else names.Places()

    @property
    def credentials_at(self) -> Path:
        """The folder of the credentials' files."""
        return Path(self.credentials_folder or self.configuration.parent / "credentials")

    @property
    def seen_as(self) -> str:
        """The path that services see their release at, the same in every release."""
        return str(Path(self.run_task).parents[1])

    def stable(self, path: str) -> str:
        """A path as units name it, so that a new release alone changes no unit."""
        release, current = self.installed
        inside = release and path.startswith(f"{release}/")
        return f"{current}{path.removeprefix(release)}" if inside else path


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
            places=host.places,
            configuration=word(f"{CONFIGURATION}={host.configuration}"),
            release=host.release and word(without(host.release, UNMOUNTED, "BindReadOnlyPaths")),
            seen_as=word(without(host.seen_as, UNMOUNTED if host.release else "", "BindReadOnlyPaths")),
            user=host.user and name(host.user, "a user", USER),
            log_namespace=host.log_namespace and name(host.log_namespace, "a journal namespace", NAMESPACE),
            credentials=_credentials(host, host.credentials, ""),
            encrypted_credentials=_credentials(host, host.encrypted_credentials, ".cred"),
            network=" ".join(["localhost", *host.network]),
        ),
    }
    for clock in clocks:
        files |= _render_clock(clock, host)
    if host.clocks and host.is_managed:
        files |= {
            names.WATCH: _text(Template.WATCH, command=command_line(host.clocks, "watch", "--quiet")),
            names.WATCH_DROP_IN: _text(Template.WATCH_DROP_IN, places=host.places),
            names.WATCH_TIMER: _text(Template.WATCH_TIMER),
            names.FAILED: _text(
                Template.FAILED, command=command_line("/bin/sh", "-ec", note_script(), "sh", host.clocks, "reconcile")
            ),
            names.FAILED_DROP_IN: _text(Template.FAILED_DROP_IN, places=host.places),
        }
    if not host.standalone:
        files[names.JOBS] = jobs_json(clocks)
    return for_user(files) if host.of_user else files


def left_out(clocks: Iterable[ClockSpec], host: Host) -> list[str]:
    """What the host's systemd is too old for, or has no right to: a sentence for each option of each clock and job."""
    clocks = list(clocks)
    sentences = []
    for clock in sorted(clocks, key=lambda clock: clock.name):
        sentences += [f"clock {clock.name}: {sentence}" for sentence in left_out_of(clock.options, host.systemd)]
        for job in clock.jobs:
            own = left_out_of(job.options, host.systemd)
            sentences += [f"job {clock.name}/{job.id}: {sentence}" for sentence in own]
    if host.of_user:
        lacking = ", ".join(f"{name}=" for name in directives(render(clocks, replace(host, of_user=False))))
        sentences.append(f"every job: a user's own systemd has no right to {lacking}: left out")
    return sentences


def _render_clock(clock: ClockSpec, host: Host) -> dict[str, str]:
    timers = " ".join(names.timer_name(clock.name, job.id) for job in clock.jobs if not job.paused)
    inherited = clock.options.over(DEFAULT_OPTIONS)
    turns = _turns(clock, host)
    files = {
        names.slice_name(clock.name): _text(
            Template.SLICE, clock=clock, lines=_lines(clock.options, inherited, "Slice", host)
        ),
        names.target_name(clock.name): _text(Template.TARGET, clock=clock, timers=timers, host=host),
        names.clock_drop_in(clock.name): _text(
            Template.CLOCK_SERVICES,
            clock=clock,
            host=host,
            places=host.places,
            every_clock=names.EVERY_CLOCK,
            slice=names.slice_name(clock.name),
            unit_lines=_lines(inherited, inherited, "Unit", host),
            lines=_lines(inherited, inherited, "Service", host),
            makes_turns=turns.at_once and command_line(*turns.makes()),
        ),
    }
    for job in clock.jobs:
        place = {"clock": clock, "job": job, "source": host.stable(job.file)}
        effective = job.options.over(inherited)
        require_safe(effective, f"job {clock.name}/{job.id}")
        retries = int(effective.text("retries", "0"))
        command = wrapped(_command(job, effective, host), retries=retries, turns=turns)
        conditions = [command_line(*argv) for argv in job.timing.exec_condition]
        files[names.service_name(clock.name, job.id)] = _text(
            Template.SERVICE,
            **place,
            documentation=f"file:{quote(host.stable(job.file))}",
            retries=retries,
            command=command_line(*command),
            conditions=conditions,
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


def _turns(clock: ClockSpec, host: Host) -> Turns:
    """The turns that a clock's jobs take by locks: none where all run at once, or its slice sees to it."""
    by_slice = host.systemd >= OPTIONS["concurrency"].since
    return Turns(clock.name, 0 if by_slice else int(clock.options.text("concurrency", "0")), host.places.runtime)


def _command(job: Job, effective: Options, host: Host) -> list[str]:
    # With its schedule run-task knows the nominal time, which is what it claims.
    schedule = json.dumps(job.trigger.to_json(), separators=(",", ":"))
    arguments = [host.run_task, job.task, f"--clock={job.clock}", f"--job={job.id}", f"--schedule={schedule}"]
    if job.grace is not None:
        arguments.append(f"--grace={job.grace + (job.timing.jitter or 0)}")
    arguments.append(f"--timeout={seconds_of(effective.timeout):.15g}")
    if effective.text("per_host"):
        arguments.append("--per-host")
    named = {"--overlap": effective.text("overlap"), "--on-database-error": effective.text("on_database_error")}
    arguments += [f"{option}={value}" for option, value in named.items() if value]
    # Escaped to ASCII, so that no character of an argument depends on the service's locale.
    if job.args is not None:
        arguments.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        arguments.append(f"--kwargs={json.dumps(job.kwargs)}")
    return arguments


def _credentials(host: Host, credentials: Iterable[str], suffix: str) -> list[Written]:
    paths = {name(each, "a credential", CREDENTIAL): f"{host.credentials_at}/{each}{suffix}" for each in credentials}
    return [Written(f"{each}:{whole(without(path, UNLOADED, 'LoadCredential'))}") for each, path in paths.items()]


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
        auto_reload=False,
        autoescape=False,  # noqa: S701 - units aren't HTML: `finalize` escapes every value for systemd
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
