"""Render clocks into a unit set. Pure.

The templates are in units/; their comments are written for the operator who reads the result.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from scheduled_tasks.options import DEFAULT_OPTIONS, OPTIONS, Options, seconds_of
from scheduled_tasks.render import directives, escape, names
from scheduled_tasks.render.escape import UnitText, command_line
from scheduled_tasks.render.failure_note import ALERT_SCRIPT, FAILURE_SCRIPT
from scheduled_tasks.render.jobs_manifest import jobs_json
from scheduled_tasks.render.secrets import (
    SECRETS_SCRIPT,
    copies_folder,
    copies_service,
    credential_lines,
    loaded,
    own_credential_lines,
    sender_credential_lines,
)
from scheduled_tasks.render.shell_wrapper import ConcurrencyLocks, wrap_command
from scheduled_tasks.render.templates import Template, text_of
from scheduled_tasks.render.unit_set import CONFIGURATION, UnitSet
from scheduled_tasks.render.user_manager import dropped_directives, for_user
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduled_tasks.clock import ClockSpec, Job
    from scheduled_tasks.render.host import Host

# The names that systemd accepts (systemd.syntax(7), systemd.exec(5)).
USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,30}"
NAMESPACE = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
MAX_LINE = 1 << 20  # bytes; systemd ignores a unit with a longer line (LONG_LINE_MAX)
# systemd 257 reads these characters and then loses them on the way to systemd-executor, so that the service fails.
UNMOUNTABLE = "\"'"


def render(clocks: Iterable[ClockSpec], host: Host) -> UnitSet:
    """Render the unit set of some clocks; the same input gives the same files in the same order.

    Raises:
        UnwritableValueError: a value can't be written into a unit file.
        UnsafeUnitError: a job would run without a required limit.
    """
    clocks = sorted(clocks, key=lambda clock: clock.name)
    copying = _copying_units(host)
    secrets = copies_service(copying)
    units = _shared_units(host, secrets)
    for clock in clocks:
        units |= _clock_units(clock, host, secrets)
    if host.has_watch:
        units |= _watch_units(host, secrets)
        units |= _sender_units(clocks, host, secrets)
    units |= copying
    if host.is_user:
        units = for_user(units)
    _require_short_lines(units)
    return UnitSet(units if host.standalone else units | {names.JOBS: jobs_json(clocks, host.stable)})


def _require_short_lines(units: Mapping[str, str]) -> None:
    for path, text in units.items():
        if len(text) > MAX_LINE // 4 and any(len(line.encode()) >= MAX_LINE for line in text.splitlines()):
            raise escape.UnwritableValueError(f"{path} has a line of more than 1 MiB: put fewer jobs into a clock")


def unsupported_options(clocks: Iterable[ClockSpec], host: Host) -> list[str]:
    """Return a sentence for each option that the host's systemd is too old for or has no right to."""
    clocks = sorted(clocks, key=lambda clock: clock.name)
    sentences = []
    for clock in clocks:
        owners = {f"clock {clock.name}": clock.options}
        owners |= {f"job {clock.name}/{job.id}": job.options for job in clock.jobs}
        for owner, options in owners.items():
            sentences += [f"{owner}: {why}" for why in directives.unsupported(options, host.systemd_version)]
    if host.is_user:
        system = render(clocks, replace(host, is_user=False)).units
        lacking = ", ".join(f"{name}=" for name in dropped_directives(system))
        sentences.append(f"every job: a user's own systemd has no right to {lacking}: left out")
    return sentences


def _shared_units(host: Host, secrets: str) -> dict[str, str]:
    namespace = host.log_namespace
    return {
        names.PARENT_SLICE: text_of(Template.PARENT_SLICE),
        names.ALL_SERVICES: text_of(
            Template.ALL_SERVICES,
            host=host,
            places=host.places,
            configuration=escape.quote_word(f"{CONFIGURATION}={host.configuration}"),
            release=_release_mount(host),
            user=host.user and escape.require_name(host.user, "a user", USER),
            log_namespace=namespace and escape.require_name(namespace, "a journal namespace", NAMESPACE),
            credential_lines=credential_lines(host, secrets, host.credentials, host.encrypted_credentials),
            network=" ".join(["localhost", *host.allow_network]),
        ),
    }


def _watch_units(host: Host, secrets: str) -> dict[str, str]:
    reconcile = command_line("/bin/sh", "-ec", FAILURE_SCRIPT, "sh", host.clocks_command, "reconcile")
    copies = copies_folder(host.places, secrets) if secrets else None
    drop_in = {"places": host.places, "release": _release_mount(host), "copies": copies}
    units = {
        names.WATCH: text_of(Template.WATCH, command=command_line(host.clocks_command, "watch", "--quiet")),
        names.WATCH_DROP_IN: text_of(Template.WATCH_DROP_IN, **drop_in, metrics=_metrics_path(host)),
        names.WATCH_TIMER: text_of(Template.WATCH_TIMER),
        names.ALERT: text_of(Template.ALERT, places=host.places, command=command_line("/bin/sh", "-ec", ALERT_SCRIPT)),
        names.ALERT_DROP_IN: text_of(Template.ALERT_DROP_IN, places=host.places),
        names.FAILED: text_of(Template.FAILED, command=reconcile),
        names.FAILED_DROP_IN: text_of(Template.FAILED_DROP_IN, **drop_in),
    }
    if host.listens:
        units[names.LISTEN] = text_of(Template.LISTEN, command=command_line(host.clocks_command, "listen"))
        units[names.LISTEN_DROP_IN] = text_of(Template.LISTEN_DROP_IN, **drop_in)
    return units


def _metrics_path(host: Host) -> UnitText | None:
    """The folder for metrics, which need not exist when the watch starts."""
    return escape.quote_word(f"-{host.metrics_folder}") if host.metrics_folder else None


def _sender_units(clocks: Iterable[ClockSpec], host: Host, secrets: str) -> dict[str, str]:
    """The sender of notices and pings, if there is anything to send."""
    pings = any(job.options.over(clock.options).text("ping") for clock in clocks for job in clock.jobs)
    if host.sender_network is None and not pings:
        return {}
    network = dict.fromkeys((*(host.sender_network or ()), *(host.ping_network if pings else ())))
    return {
        names.NOTIFY: text_of(Template.NOTIFY, command=command_line(host.clocks_command, "notify", "send", "--quiet")),
        names.NOTIFY_DROP_IN: text_of(
            Template.NOTIFY_DROP_IN,
            places=host.places,
            release=_release_mount(host),
            credential_lines=sender_credential_lines(host, secrets),
            network="any" if "any" in network else " ".join(network),
        ),
    }


def _clock_units(clock: ClockSpec, host: Host, secrets: str) -> dict[str, str]:
    timers = " ".join(names.timer_name(clock.name, job.id) for job in clock.jobs if not job.paused)
    inherited = clock.options.over(DEFAULT_OPTIONS)
    locks = _concurrency_locks(clock, host)
    units = {
        names.slice_name(clock.name): text_of(
            Template.SLICE, clock=clock, lines=directives.lines(clock.options, inherited, "Slice", host)
        ),
        names.target_name(clock.name): text_of(Template.TARGET, clock=clock, timers=timers, host=host, secrets=secrets),
        names.clock_drop_in(clock.name): text_of(
            Template.CLOCK_SERVICES,
            clock=clock,
            host=host,
            places=host.places,
            every_clock=names.EVERY_CLOCK,
            home=UnitText(names.JOB_HOME),
            cache=UnitText(names.JOB_CACHE),
            slice=names.slice_name(clock.name),
            release=_release_mount(host),
            secrets=secrets,
            credential_lines=own_credential_lines(host, secrets, clock.name),
            unit_lines=directives.lines(inherited, inherited, "Unit", host),
            lines=directives.lines(inherited, inherited, "Service", host),
            create_locks=locks.limit and command_line(*locks.create_command),
        ),
    }
    for job in clock.jobs:
        units |= _job_units(job, clock, inherited, locks, host)
    return units


def _job_units(job: Job, clock: ClockSpec, inherited: Options, locks: ConcurrencyLocks, host: Host) -> dict[str, str]:
    source = {"clock": clock, "job": job, "source": host.stable(job.file)}
    effective = job.options.over(inherited)
    directives.require_limits(effective, f"job {clock.name}/{job.id}")
    retries = int(effective.text("retries", "0"))
    units = {
        names.service_name(clock.name, job.id): text_of(
            Template.SERVICE,
            **source,
            documentation=f"file:{quote(host.stable(job.file))}",
            retries=retries,
            command=command_line(*wrap_command(_command(job, effective, host), retries=retries, locks=locks)),
        )
    }
    unit_lines = directives.lines(job.options, effective, "Unit", host)
    service_lines = directives.lines(job.options, effective, "Service", host)
    if unit_lines or service_lines:
        units[names.job_drop_in(clock.name, job.id)] = text_of(
            Template.JOB_SERVICE, **source, unit_lines=unit_lines, lines=service_lines
        )
    if not job.paused:
        due = {"target": names.target_name(clock.name), "due": describe(job.trigger)}
        units[names.timer_name(clock.name, job.id)] = text_of(Template.TIMER, **source, **due)
    return units


def _concurrency_locks(clock: ClockSpec, host: Host) -> ConcurrencyLocks:
    """The locks of a clock with a concurrency limit; without one if the systemd is new enough to limit the slice."""
    by_slice = host.systemd_version >= OPTIONS["concurrency"].since
    limit = 0 if by_slice else int(clock.options.text("concurrency", "0"))
    return ConcurrencyLocks(clock.name, limit, host.places.runtime)


def _command(job: Job, effective: Options, host: Host) -> list[str]:
    # From the schedule, run-task works out the nominal time to claim.
    schedule = json.dumps(job.trigger.to_json(), separators=(",", ":"))
    arguments = [host.run_task, job.task, f"--clock={job.clock}", f"--job={job.id}", f"--schedule={schedule}"]
    if job.timing.elapses_every:
        arguments.append(f"--elapses-every={job.timing.elapses_every}")
    if job.grace is not None:
        arguments.append(f"--grace={job.grace + (job.timing.jitter or 0)}")
    arguments.append(f"--timeout={seconds_of(effective.timeout):.15g}")
    if effective.text("per_host"):
        arguments.append("--per-host")
    policies = {"--overlap": effective.text("overlap"), "--on-database-error": effective.text("on_database_error")}
    arguments += [f"{option}={value}" for option, value in policies.items() if value]
    # Escaped to ASCII, so that no character of an argument depends on the service's locale.
    if job.args is not None:
        arguments.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        arguments.append(f"--kwargs={json.dumps(job.kwargs)}")
    return arguments


def _release_mount(host: Host) -> UnitText | None:
    if not host.release:
        return None
    source, mount = (
        escape.quote_word(escape.refuse_characters(path, UNMOUNTABLE, "BindReadOnlyPaths"))
        for path in (host.release, host.release_mount)
    )
    return UnitText(f"{source}:{mount}")


def _copying_units(host: Host) -> dict[str, str]:
    """The service that copies credentials for the services, and decrypts the encrypted ones."""
    if not host.is_managed or not host.all_credentials:
        return {}
    plain = (*host.credentials, *host.operators_credentials)
    encrypted = (*host.encrypted_credentials, *host.encrypted_operators_credentials)
    files = [f"{name}={host.credentials_path}/{name}" for name in plain]
    return {
        names.SECRETS: text_of(
            Template.SECRETS,
            command=command_line("/bin/sh", "-ec", SECRETS_SCRIPT, "sh", *files),
        ),
        names.SECRETS_DROP_IN: text_of(
            Template.SECRETS_DROP_IN,
            places=host.places,
            plain=[loaded(host, name, name) for name in plain],
            encrypted=[loaded(host, name, f"{name}.cred") for name in encrypted],
        ),
    }
