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
from scheduled_tasks.render.names import OWN_SERVICES, Places
from scheduled_tasks.render.service_groups import group_services
from scheduled_tasks.render.unit_file import section_text
from scheduled_tasks.render.unit_set import UnitSet

NOTHING = UnitSet()
MASK = ""  # an empty file hides those of its name in later directories (systemd.unit(5))
ALL_JOBS = "clock-.target"  # no clock has this name
FEW_JOBS = 20  # so few cost less than a second call, which looks at all links of the machine
MAX_LINES = 500  # OnCalendar= values in one command line, which holds two megabytes


class UnsoundUnitError(ScheduledTasksError):
    """systemd complains about a unit."""

    exit_code = 65


def verify(units: UnitSet, places: Places, sound: UnitSet = NOTHING) -> None:
    """Let systemd read a set, from temporary directories that take precedence over all others.

    One service of each group is read with all that it inherits, and what belongs to no job; without what services
    inherit, which takes most of the time, the files of all jobs. Each line is read, and each kind of service as it
    will be loaded. A few jobs are read with all that they inherit, too: one call costs less than two.

    Args:
        units: the set.
        places: where it is to be applied.
        sound: the set that this systemd has found sound: jobs with the same files are not read again.

    Raises:
        UnsoundUnitError: it complains; with all complaints.
        ServiceUnavailableError: systemd-analyze is missing.
    """
    jobs = [service.removesuffix(".service") for service in units.services if service not in OWN_SERVICES]
    of_jobs = {path: stem for stem in jobs for path in (*units.of_unit(f"{stem}.service"), f"{stem}.timer")}
    changed = {stem for path, stem in of_jobs.items() if units.get(path) != sound.get(path)}
    units = with_installed_commands(units)
    first = {group[0] for group in group_services(units)}
    installed = dict.fromkeys((path.name for path in places.systemd.glob("clock-*.target")), MASK)
    # The jobs are named below, and their timers are not in the first folder.
    targets = {path: units.file(path).without({"Wants"}).text for path in units if path.endswith(".target")}
    general = {path: text for path, text in units.items() if path not in of_jobs}
    files = {path: units[path] for path, stem in of_jobs.items() if stem in changed and path in units}
    typical = {path: units[path] for service in first for path in units.of_unit(service)}
    if len(changed) <= FEW_JOBS:
        typical, files = typical | files, {}
    named = [path for path in general | typical if path.endswith((".service", ".timer", ".target", ".slice"))]
    if not named:
        return
    complaints = _complaints(installed | general | typical | targets, named, places)
    if files:
        # A timer's service is read with it; wanted as well, it would be planned to start, which takes longer.
        wanted = " ".join(stem + (".timer" if f"{stem}.timer" in files else ".service") for stem in sorted(changed))
        alone = {ALL_JOBS: section_text("Unit", [("Wants", wanted)])}
        masked = {path: MASK for path in general if path.endswith(".conf")}
        complaints += _complaints(installed | masked | targets | files | alone, [ALL_JOBS], places)
    if complaints:
        lines = dict.fromkeys(complaints)
        raise UnsoundUnitError("\n".join(("systemd-analyze verify finds fault, nothing was changed:", *lines)))


def _complaints(files: Mapping[str, str], named: Sequence[str], places: Places) -> list[str]:
    """What `systemd-analyze verify` says of units and of those that they want."""
    with temporary_folder(files) as scratch:
        paths = [f"{scratch}/{path}" for path in named]
        user = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
        finished = analyze("verify", *places.manager, "--man=no", *paths, SYSTEMD_UNIT_PATH=f"{scratch}:", **user)
        # The exit code is of no use: it is 0 even for unknown keys. Complaints about the host's own units, after which
        # ours are ordered, don't count.
        lines = [line for line in finished.stderr.splitlines() if not _is_about_another_unit(line, scratch)]
        complaints = [line.replace(f"{scratch}/", "") for line in lines]
    if not places.is_running:  # it looked for the commands on this machine, not in the image
        complaints = [line for line in complaints if not re.search(r"Command \S+ is not executable", line)]
    return complaints


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
