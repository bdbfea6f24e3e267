"""Ask systemd-analyze whether a set is sound, and when OnCalendar= lines elapse next. Changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.instants import parse_systemd
from scheduled_tasks.render.escape import quote_in_command_line
from scheduled_tasks.render.names import Places, service_of
from scheduled_tasks.render.service_groups import group_services
from scheduled_tasks.render.unit_set import UnitSet

MAX_LINES = 500  # OnCalendar= values in one command line, which holds two megabytes


class UnsoundUnitError(ScheduledTasksError):
    """systemd complains about a unit."""

    exit_code = 65


def verify(units: UnitSet, places: Places) -> None:
    """Let systemd read a complete set, from a temporary directory that takes precedence over all others.

    Raises:
        UnsoundUnitError: it complains; with all complaints.
        ServiceUnavailableError: systemd-analyze is missing.
    """
    named = _units_to_name(units)
    if not named:
        return
    with temporary_folder(with_installed_commands(units)) as scratch:
        paths = [f"{scratch}/{path}" for path in named]
        user = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
        finished = analyze("verify", *places.manager, "--man=no", *paths, SYSTEMD_UNIT_PATH=f"{scratch}:", **user)
        # The exit code is of no use: it is 0 even for unknown keys. Complaints about the host's own units, after which
        # ours are ordered, don't count.
        lines = [line for line in finished.stderr.splitlines() if not _is_about_another_unit(line, scratch)]
        complaints = [line.replace(f"{scratch}/", "") for line in lines]
    if not places.is_running:  # it looked for the commands on this machine, not in the image
        complaints = [line for line in complaints if not re.search(r"Command \S+ is not executable", line)]
    if complaints:
        raise UnsoundUnitError("\n".join(("systemd-analyze verify finds fault, nothing was changed:", *complaints)))


@contextmanager
def temporary_folder(files: Mapping[str, str]) -> Iterator[str]:
    """A directory with some files, for systemd-analyze to read."""
    with TemporaryDirectory(prefix="clocks-") as folder:
        for path, text in files.items():
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_text(text)
        yield folder


def with_installed_commands(units: UnitSet) -> UnitSet:
    """Name commands by the release that runs this, since only services see a release at its mount."""
    if units.release is None:
        return units
    mount, here = (f"{quote_in_command_line(path)}/bin/" for path in (str(units.release.mount), sys.prefix))
    return UnitSet({path: text.replace(mount, here) for path, text in units.items()})


def _units_to_name(units: UnitSet) -> list[str]:
    """The units that `systemd-analyze verify` is given by name.

    It also reads all units that these need, a target's timers and their services, and reports each line that it doesn't
    understand. Its further checks of a named unit (does the program exist, can it be started) take seconds for each
    hundred units, and have the same result for all services of a group.
    """
    targets = [units.file(path) for path in units if path.endswith(".target")]
    wanted = {unit for target in targets for value in target.values("Wants") for unit in value.split()}
    reached = wanted | {service_of(unit) for unit in wanted}
    first = {group[0] for group in group_services(units)}
    kinds = (".service", ".timer", ".target", ".slice")
    return [path for path in units if path.endswith(kinds) and (path in first or path not in reached)]


def _is_about_another_unit(line: str, scratch: str) -> bool:
    place = re.match(r"(/\S+?):\d+: ", line)
    return place is not None and not line.startswith(scratch) and not Path(place[1]).name.startswith("clock")


def next_runs(calendars: Mapping[str, Sequence[str]], after: float) -> dict[str, datetime | None]:
    """When each calendar elapses next, strictly after an instant; None for never.

    Raises:
        UnsoundUnitError: a line isn't valid for OnCalendar=.
    """
    lines = [(name, line) for name, calendar in calendars.items() for line in calendar]
    runs: dict[str, list[datetime]] = {name: [] for name in calendars}
    for start in range(0, len(lines), MAX_LINES):
        chunk = lines[start : start + MAX_LINES]
        values = (line for _, line in chunk)
        finished = analyze("calendar", f"--base-time=@{after:.6f}", "--iterations=1", "--", *values)
        instants = re.findall(r"^ *Next elapse: (.*)$", finished.stdout, re.MULTILINE)
        if finished.returncode != 0 or len(instants) != len(chunk):
            raise UnsoundUnitError(f"systemd-analyze calendar: {finished.stderr.strip()}")
        for (name, _), instant in zip(chunk, instants, strict=True):
            if instant != "never" and (at := parse_systemd(instant)):
                runs[name].append(at)
    return {name: min(instants, default=None) for name, instants in runs.items()}


def analyze(verb: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze in UTC.

    Raises:
        ServiceUnavailableError: it is missing on this machine.
    """
    try:
        return subprocess.run(
            ["systemd-analyze", verb, *arguments],
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC", "LC_ALL": "C.UTF-8", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ServiceUnavailableError(f"systemd-analyze can't be run: {error.strerror}") from error
