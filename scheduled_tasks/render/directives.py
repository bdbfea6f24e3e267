"""From options to a unit's lines, as the host's systemd knows them.

What comes in: options that have been judged, all that holds for a job or a clock, and the host's version. What goes
out: lines for a section, and sentences on what an older systemd leaves out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.options import OPTIONS, RELAXATIONS, RETRY_DELAY, Options
from scheduled_tasks.render.escape import Written, assignment, quoted_path, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What no unit is without: a hung or greedy run would hold up its schedule, or take the machine.
SAFE = ("timeout", "memory_max", "tasks_max")
# Usage and configuration (sysexits.h): the next attempt would find the same. 69 is said by ours that gave up.
GAVE_UP = 69
NOT_RETRIED = f"64 {GAVE_UP} 78"
# systemd leaves keys that begin with X- to others: the gate of an apply reads which relaxations a unit names.
RELAXED = "X-Relaxed"


class UnsafeUnitError(ScheduledTasksError):
    """A unit would have no limit where it must have one."""

    exit_code = 65


def require_safe(options: Options, name: str) -> None:
    """Refuses to write a unit without the limits that every job has.

    Raises:
        UnsafeUnitError: one of `SAFE` has no value.
    """
    missing = [option for option in SAFE if not options.text(option)]
    if missing:
        raise UnsafeUnitError(f"{name} has no {' and no '.join(missing)}: write {OPTIONS[missing[0]].example}")


def lines(own: Options, effective: Options, section: str, *, systemd: int, network: Sequence[str]) -> list[Written]:
    """The lines of a section.

    Args:
        own: the options that are written here.
        effective: these, with all that is inherited.
        section: Unit, Service or Slice.
        systemd: the host's version.
        network: addresses that every job of the host may speak to.
    """
    written: list[Written] = []
    for name, value in own.in_order():
        option = OPTIONS[name]
        if option.section != section or option.since > systemd:
            continue
        if isinstance(value, str):
            written += _of_text(name, value, effective, systemd)
        else:
            written += _of_list(name, value, network)
    return list(dict.fromkeys(written))


def _of_text(name: str, value: str, effective: Options, systemd: int) -> Iterable[Written]:
    match name:
        case "user":
            return (Written("DynamicUser=no"), Written(f"User={value}"))
        case "working_directory":
            return (Written(f"WorkingDirectory={whole(value)}"),)
        case "retries":
            return _retries(value, effective, systemd)
        case "retry_delay_max":
            return map(Written, _growing(effective))
        case _:  # numbers, sizes, spans and names, whose form leaves nothing to escape; a `%` in them is no specifier
            return (Written(f"{OPTIONS[name].directive}={value}"),)


def _retries(value: str, effective: Options, systemd: int) -> Iterable[Written]:
    if value == "0":
        return (Written("Restart=no"),)
    given = effective.by_name
    delay = [] if "retry_delay" in given else [f"RestartSec={RETRY_DELAY}"]
    if OPTIONS["retry_delay_max"].since <= systemd:
        delay += _growing(effective)
    return map(
        Written,
        [
            "Restart=on-failure",
            *delay,
            f"RestartPreventExitStatus={NOT_RETRIED}",
            # The count of a run's attempts: kept from one attempt to the next, gone with the run.
            "RuntimeDirectory=%N",
            "RuntimeDirectoryPreserve=restart",
        ],
    )


def _growing(effective: Options) -> list[str]:
    """Both or none of them: of one alone systemd says that it does nothing."""
    retries, longest = effective.text("retries", "0"), effective.text("retry_delay_max")
    return [f"RestartSteps={retries}", f"RestartMaxDelaySec={longest}"] if longest and retries != "0" else []


def _of_list(name: str, values: Sequence[str], network: Sequence[str]) -> Iterable[Written]:
    joined = whole(" ".join(dict.fromkeys(values))) if OPTIONS[name].section == "Unit" else Written()
    written: Iterable[str] = [f"{OPTIONS[name].directive}={joined}"]
    match name:
        case "environment":
            written = [f"Environment={assignment(value)}" for value in values]
        case "read_write_paths":
            written = [f"ReadWritePaths={quoted_path(value)}" for value in values]
        case "allow_network" if values == ("any",):
            written = [f"{RELAXED}=allow_network", "IPAddressDeny="]
        case "allow_network":
            named = " ".join(dict.fromkeys(["localhost", *network, *values]))
            written = ["IPAddressDeny=any", "IPAddressAllow=", f"IPAddressAllow={named}"]
        case "relax":
            lifted = [line for value in values for line in RELAXATIONS[value].lines]
            written = [f"{RELAXED}={' '.join(values)}", *lifted]
        case "requires":  # what is only required would be started at the same time
            written = [f"Requires={joined}", f"After={joined}"]
    return map(Written, written)


def left_out_of(options: Options, systemd: int) -> list[str]:
    """What this systemd has no directive for: a sentence for each option."""
    return [
        f"{name}={value}: {OPTIONS[name].directive}= came with systemd {OPTIONS[name].since}, this host has {systemd}: "
        f"{OPTIONS[name].if_older}"
        for name, value in options.in_order()
        if OPTIONS[name].since > systemd
    ]
