"""Read what the machine's journals keep of the jobs' lines: across a reboot or not, since when, and what they dropped.

The facts come from a journal's files and messages: its configuration may not be what journald does.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scheduled_tasks.render.unit_set import UnitSet

PERSISTENT = Path("/var/log/journal")
# systemd.journal-fields(7), MESSAGE_ID=: "Suppressed 127 messages from clock-booking-x.service"
_DROPPED = "a596d6fe7bfa4994828e72309e95d61e"


@dataclass(frozen=True)
class Journal:
    """What jobs depend on in a journal.

    Attributes:
        namespace: its LogNamespace=; "" for the machine's default journal.
        persistent: whether it survives a reboot.
        used: its size in bytes.
        since: the time of its oldest line, in seconds since the epoch; 0 if it has none.
        has_lost: whether it deleted older lines for lack of space.
        disk_free: the free part of its disk, 0 to 1.
        dropped: for the clocks' services that exceeded the rate limit, the number of lines dropped in 24 hours.
    """

    namespace: str = ""
    persistent: bool = True
    used: int = 0
    since: float = 0
    has_lost: bool = False
    disk_free: float = 1
    dropped: Counter[str] = field(default_factory=Counter)


def namespaces(units: UnitSet) -> list[str]:
    """The journals that a set's services write to: the default one, "", and those of its LogNamespace= lines."""
    return sorted({"", *(name for path in units for name in units.file(path).values("LogNamespace"))})


def read_journal(namespace: str = "") -> Journal | None:
    """Read a journal of this machine; None if it doesn't exist or this user can't read it."""
    # journald numbers its lines: if it deleted some, the numbers don't begin at 1.
    heads, numbers, tails = {}, {}, {}
    for block in _journalctl(namespace, "--header").split("\n\n"):
        header = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "Tail realtime timestamp" in header:
            path = Path(header["File path"])
            heads[path] = _number(header["Head realtime timestamp"]) / 1e6
            tails[path] = _number(header["Tail realtime timestamp"])
            numbers[path] = _number(header["Head sequential number"])
    if not tails:
        return None
    current = max(tails, key=lambda path: tails[path])
    files = [path for path in heads if path.is_relative_to(PERSISTENT) == current.is_relative_to(PERSISTENT)]
    disk = os.statvfs(current.parent)
    return Journal(
        namespace=namespace,
        persistent=current.is_relative_to(PERSISTENT),
        used=sum(path.stat().st_blocks * 512 for path in files if path.exists()),
        since=min(heads[path] for path in files),
        # journald deletes whole archived files, NAME@….journal; without one, a new journal has lost nothing.
        has_lost=min(numbers[path] for path in files) > 1 and any("@" in path.name for path in files),
        disk_free=disk.f_bavail / disk.f_blocks,
        dropped=_dropped(namespace),
    )


def _dropped(namespace: str) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for line in _journalctl(namespace, "--output=json", "--since=-1day", f"MESSAGE_ID={_DROPPED}").splitlines():
        text = str(json.loads(line).get("MESSAGE"))
        if match := re.fullmatch(r"Suppressed (\d+) messages from (clock-\S+\.service)", text):
            dropped[match[2]] += int(match[1])
    return dropped


def _number(shown: str) -> int:
    """Parse the hexadecimal number in parentheses that follows the readable value."""
    return int(shown.rpartition("(")[2].rstrip(")"), 16)


def _journalctl(namespace: str, *arguments: str) -> str:
    journal = [f"--namespace={namespace}"] if namespace else []
    try:
        return subprocess.run(
            ["journalctl", "--quiet", "--no-pager", *journal, *arguments],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
    except OSError:
        return ""
