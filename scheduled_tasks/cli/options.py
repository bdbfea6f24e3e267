"""Options and arguments that several commands take, and how their values are read."""

from __future__ import annotations

import os
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.screens.local_times import AmbiguousTimeError, LocalTimes
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.render.names import Home, Places
from scheduled_tasks.run.arguments import NAME

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_NAMES = 20  # in a message


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
check_option = click.option(
    "--check", is_flag=True, help="Show what would be done, and change nothing; exit 2 if changes are pending."
)
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    default="/",
    metavar="DIR",
    help="The root directory of an image, in place of this machine; systemd is not called.",
)
user_option = click.option("--user", is_flag=True, help="Use your own systemd (systemctl --user); needs no root.")


def chosen_places(root: Path, *, user: bool) -> Places:
    """Where the units are installed.

    Raises:
        UsageError: --root and --user were both given, or the user has no running systemd.
    """
    if not user:
        return Places(root)
    if root != Path("/"):
        raise UsageError("--root is for an image and --user for your own systemd: use only one of them")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if not runtime:
        raise UsageError(
            "XDG_RUNTIME_DIR is not set, so your own systemd is not running: log in directly (not with su or sudo); "
            "libpam-systemd starts it then"
        )
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Places(home=Home(config=Path(config), data=Path(data), runtime=Path(runtime)))


def clock_and_job(which: str) -> tuple[str, str]:
    """Split `CLOCK` or `CLOCK/JOB`; the job is "" if only the clock is named.

    Raises:
        UsageError: it is neither.
    """
    clock, slash, job = which.partition("/")
    if not NAME.fullmatch(clock) or (slash and not NAME.fullmatch(job)):
        raise UsageError(f"{which!r} is neither CLOCK nor CLOCK/JOB: see 'clocks list'")
    return clock, job


def one_job(which: str) -> tuple[str, str]:
    """Split `CLOCK/JOB`.

    Raises:
        UsageError: it names no job.
    """
    clock, job = clock_and_job(which)
    if not job:
        raise UsageError(f"{which!r} names no job: write CLOCK/JOB, see 'clocks list'")
    return clock, job


def require_known(known: Collection[tuple[str, str]], clock: str | None, job: str | None, *, nobody: str) -> None:
    """Require that a clock or a job exists, so that a misspelt name is never taken for one with nothing to show.

    Args:
        known: (clock, job) of every job there is.
        clock: what is named; empty for everything.
        job: empty for the whole clock.
        nobody: who lacks an unknown clock, for the message: "no host has", for example.

    Raises:
        UsageError: it is none of them; with the nearest names.
    """
    if not clock:
        return
    jobs = {name for known_clock, name in known if known_clock == clock}
    if not jobs:
        of_that_name = [f"{known_clock}/{name}" for known_clock, name in known if name == clock]
        near = f"did you mean {of_that_name[0]}?" if of_that_name else _nearest(clock, {pair[0] for pair in known})
        raise UsageError(f"{nobody} a clock {clock}; {near}")
    if job and job not in jobs:
        raise UsageError(f"the clock {clock} has no job {job}; {_nearest(job, jobs)}")


def require_known_host(known: Collection[str], host: str | None) -> None:
    """Require that a host exists.

    Raises:
        UsageError: it doesn't; with the nearest names.
    """
    if host and host not in known:
        raise UsageError(f"no host {host} has ever had a job; {_nearest(host, known)}")


def _nearest(name: str, known: Collection[str]) -> str:
    if near := get_close_matches(name, known, n=2):
        return f"did you mean {' or '.join(near)}?"
    return (
        f"there are {', '.join(sorted(known)[:MAX_NAMES])}" if known else "nothing is deployed; 'clocks apply' does it"
    )


def instant(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: an instant of any time."""
    return _read(value, 0, parameter)


def past_instant(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: an instant in the past, or the time since then (`2h`)."""
    return _read(value, -1, parameter)


def future_instant(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: an instant in the future, or the time until then (`2h`)."""
    return _read(value, 1, parameter)


def require_future(until: datetime, now: datetime) -> None:
    """Check that `--until` is an instant of the future.

    Raises:
        UsageError: it is past.
    """
    if until <= now:
        raise UsageError(f"--until {rfc3339(until)} is in the past")


def stated_reason(reason: str, what: str) -> str:
    """The text of `--reason`, for colleagues who find what a person did.

    Raises:
        UsageError: it is empty.
    """
    if not reason.strip():
        raise UsageError(f"--reason is empty: say why, for colleagues who find the {what}")
    return reason.strip()


def _read(value: str | None, direction: int, parameter: click.Parameter) -> datetime | None:
    if value is None:
        return None
    try:
        return LocalTimes.of_command().read(value, direction=direction)
    except AmbiguousTimeError as error:
        raise click.BadParameter(str(error), param=parameter) from None
    except ValueError:
        day = "tomorrow" if direction > 0 else "yesterday"
        forms = f"02:50, {day}, '{day} 18:00', 2h, 7d, 2026-11-24T06:00 or 2026-11-24T06:00Z"
        raise click.BadParameter(f"{value!r} is not an instant; write for example {forms}", param=parameter) from None


start_option = click.option(
    "--from", "start", callback=instant, metavar="T", default="now", help="Instant from which dates are computed."
)
