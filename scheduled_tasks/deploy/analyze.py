"""What systemd-analyze says: of a whole set, whether it is sound; of OnCalendar lines, when they elapse next.

systemd itself is asked, because the units are for it; nothing here changes the machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from scheduled_tasks.deploy.service_groups import shapes
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.render.names import Places, service_of
from scheduled_tasks.render.release import as_installed_here

LINES_AT_ONCE = 500  # a command line holds two megabytes


class UnsoundUnitError(ScheduledTasksError):
    """systemd finds fault with a unit."""

    exit_code = 65


def verify(files: Mapping[str, str], places: Places) -> None:
    """Has systemd read a complete set, in a folder of its own before all others.

    Raises:
        UnsoundUnitError: it has something to say; all that it said.
        ServiceUnavailableError: there is no systemd-analyze.
    """
    units = _named(files)
    if not units:
        return
    with tempfile.TemporaryDirectory(prefix="clocks-verify-") as scratch:
        for path, text in as_installed_here(files).items():
            (Path(scratch) / path).parent.mkdir(exist_ok=True)
            (Path(scratch) / path).write_text(text)
        paths = [f"{scratch}/{path}" for path in units]
        own = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
        done = analyze("verify", *places.manager, "--man=no", *paths, SYSTEMD_UNIT_PATH=f"{scratch}:", **own)
        # The exit code says nothing: it is 0 for unknown keys too. What is said of the host's own units, that ours
        # come after, is none of our faults.
        said = [line.replace(f"{scratch}/", "") for line in done.stderr.splitlines() if not _of_another(line, scratch)]
    if not places.is_running:  # it looked for the commands here, and not in the image
        said = [line for line in said if not re.search(r"Command \S+ is not executable", line)]
    if said:
        raise UnsoundUnitError("\n".join(("systemd-analyze verify finds fault, nothing was changed:", *said)))


def _named(files: Mapping[str, str]) -> list[str]:
    """The units that systemd is asked about by name.

    It reads all that these need, a target's timers and their services, and tells every line that it doesn't understand.
    What it looks at of a unit that is named alone (is the program there, can it be started) is a question of seconds
    for each hundred, and has the same answer for services that are alike.
    """
    wanted = {
        unit
        for path, text in files.items()
        for line in text.splitlines()
        if path.endswith(".target") and line.startswith("Wants=")
        for unit in line.removeprefix("Wants=").split()
    }
    read = wanted | {service_of(unit) for unit in wanted}
    first = {units[0] for units in shapes(files).values()}
    kinds = (".service", ".timer", ".target", ".slice")
    return [path for path in files if path.endswith(kinds) and (path in first or path not in read)]


def _of_another(line: str, scratch: str) -> bool:
    place = re.match(r"(/\S+?):\d+: ", line)
    return bool(place) and not line.startswith(scratch) and not Path(place[1] if place else "").name.startswith("clock")


def next_runs(calendars: Mapping[str, Sequence[str]], after: float) -> dict[str, datetime | None]:
    """When each of some calendars elapses next, strictly after an instant; None for never.

    Raises:
        UnsoundUnitError: one of the lines isn't OnCalendar's.
    """
    lines = [(name, line) for name, calendar in calendars.items() for line in calendar]
    found: dict[str, list[datetime]] = {name: [] for name in calendars}
    for start in range(0, len(lines), LINES_AT_ONCE):
        some = lines[start : start + LINES_AT_ONCE]
        done = analyze("calendar", f"--base-time=@{after:.6f}", "--iterations=1", "--", *(line for _, line in some))
        said = re.findall(r"^ *Next elapse: (.*)$", done.stdout, re.MULTILINE)
        if done.returncode != 0 or len(said) != len(some):
            raise UnsoundUnitError(f"systemd-analyze calendar: {done.stderr.strip()}")
        for (name, _), instant in zip(some, said, strict=True):
            if instant != "never":
                at = datetime.strptime(instant.partition(" ")[2], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
                found[name].append(at)
    return {name: min(runs, default=None) for name, runs in found.items()}


def analyze(verb: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze in UTC, and returns what it said.

    Raises:
        ServiceUnavailableError: this machine has none.
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
