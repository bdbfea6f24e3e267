"""Turn options into the lines of a unit, for the host's version of systemd. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.options import OPTIONS, RELAXATIONS, RETRY_DELAY, Options
from scheduled_tasks.render.escape import UnitText, directive_value, quote_assignment, quote_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduled_tasks.render.host import Host

# Every job has them: a hung or greedy run would hold up its schedule, or take the machine.
REQUIRED_LIMITS = ("timeout", "memory_max", "tasks_max")
# Usage and configuration errors (sysexits.h): the next attempt would fail again. `shell_wrapper` exits with 69 when
# all attempts are used up.
GAVE_UP = 69
NOT_RETRIED = f"64 {GAVE_UP} 78"
# systemd ignores keys that begin with X-. An apply reads here which relaxations a unit names.
RELAXED = "X-Relaxed"


class UnsafeUnitError(ScheduledTasksError):
    """A unit would lack a required limit."""

    exit_code = 65


def require_limits(options: Options, name: str) -> None:
    """Refuse a unit without the limits that every job has.

    Raises:
        UnsafeUnitError: one of `REQUIRED_LIMITS` has no value.
    """
    missing = [option for option in REQUIRED_LIMITS if not options.text(option)]
    if missing:
        raise UnsafeUnitError(f"{name} has no {' and no '.join(missing)}: write {OPTIONS[missing[0]].example}")


def lines(own: Options, effective: Options, section: str, host: Host) -> list[UnitText]:
    """Write the options of a section (Unit, Service or Slice); `effective` has the inherited ones too."""
    written: list[str] = []
    for name, value in own.in_order():
        option = OPTIONS[name]
        if option.section != section or option.since > host.systemd_version:
            continue
        if isinstance(value, str):
            written += _text_lines(name, value, effective, host.systemd_version)
        else:
            written += _list_lines(name, value, host.allow_network)
    return [UnitText(line) for line in dict.fromkeys(written)]


def _text_lines(name: str, value: str, effective: Options, systemd_version: int) -> list[str]:
    match name:
        case "user":
            return ["DynamicUser=no", f"User={value}"]
        case "working_directory":
            return [f"WorkingDirectory={directive_value(value)}"]
        case "retries":
            return _retries(value, effective, systemd_version)
        case "retry_delay_max":
            return _growing_delay(effective)
        case _:  # numbers, sizes, spans and names have nothing to escape; a `%` in them is not a specifier
            return [f"{OPTIONS[name].directive}={value}"]


def _retries(value: str, effective: Options, systemd_version: int) -> list[str]:
    if value == "0":
        return ["Restart=no"]
    delay = [] if "retry_delay" in effective.by_name else [f"RestartSec={RETRY_DELAY}"]
    if OPTIONS["retry_delay_max"].since <= systemd_version:
        delay += _growing_delay(effective)
    return [
        "Restart=on-failure",
        *delay,
        f"RestartPreventExitStatus={NOT_RETRIED}",
        # Holds the count of a run's attempts: kept from one attempt to the next, removed with the run.
        "RuntimeDirectory=%N",
        "RuntimeDirectoryPreserve=restart",
    ]


def _growing_delay(effective: Options) -> list[str]:
    """Both lines or neither: systemd warns that one alone does nothing."""
    retries, longest = effective.text("retries", "0"), effective.text("retry_delay_max")
    return [f"RestartSteps={retries}", f"RestartMaxDelaySec={longest}"] if longest and retries != "0" else []


def _list_lines(name: str, values: Sequence[str], allow_network: Sequence[str]) -> list[str]:
    match name:
        case "environment":
            return [f"Environment={quote_assignment(value)}" for value in values]
        case "read_write_paths":
            return [f"ReadWritePaths={quote_path(value)}" for value in values]
        case "allow_network" if values == ("any",):
            return [f"{RELAXED}=allow_network", "IPAddressDeny="]
        case "allow_network":
            addresses = " ".join(dict.fromkeys(["localhost", *allow_network, *values]))
            return ["IPAddressDeny=any", "IPAddressAllow=", f"IPAddressAllow={addresses}"]
        case "relax":
            return [f"{RELAXED}={' '.join(values)}", *(line for value in values for line in RELAXATIONS[value].lines)]
    joined = directive_value(" ".join(dict.fromkeys(values)))
    # Without After= both would be started at the same time.
    return [f"Requires={joined}", f"After={joined}"] if name == "requires" else [f"{OPTIONS[name].directive}={joined}"]


def unsupported(options: Options, systemd_version: int) -> list[str]:
    """Return a sentence for each option for which this systemd has no directive."""
    return [
        f"{name}={value}: {OPTIONS[name].directive}= came with systemd {OPTIONS[name].since}, "
        f"this host has {systemd_version}: {OPTIONS[name].if_older}"
        for name, value in options.in_order()
        if OPTIONS[name].since > systemd_version
    ]
