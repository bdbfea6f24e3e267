"""What the machine's journal keeps of the jobs' lines: over a reboot or not, since when, and what it dropped.

Judged by the journal's own files and messages, not by what a configuration file asks for. Reads only.
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
    """The journal, as far as jobs depend on it.

    Attributes:
        namespace: which of the machine's journals it is (LogNamespace=); "" for the machine's own.
        persistent: whether it is kept when the machine is switched off.
        used: bytes that it takes.
        since: its oldest line, in seconds since the epoch; 0 where it has none.
        has_lost: whether it had older lines, and dropped them for want of room.
        disk_free: how much of the disk that it lies on is free, 0 to 1.
        dropped: services of clocks that wrote faster than they may, with how many lines were dropped in a day.
    """

    namespace: str = ""
    persistent: bool = True
    used: int = 0
    since: float = 0
    has_lost: bool = False
    disk_free: float = 1
    dropped: Counter[str] = field(default_factory=Counter)


def namespaces(units: UnitSet) -> list[str]:
    """The journals that a set's services write to: the machine's own, "", and those of its LogNamespace= lines."""
    return sorted({"", *(name for path in units for name in units.file(path).values("LogNamespace"))})


def read_journal(namespace: str = "") -> Journal | None:
    """A journal of this machine; None where there is none, or this user may not read it."""
    # journald numbers its lines; of those that it dropped the numbers are missing at the beginning.
    heads, numbers, tails = {}, {}, {}
    for block in _journalctl(namespace, "--header").split("\n\n"):
        said = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "Tail realtime timestamp" in said:
            path = Path(said["File path"])
            heads[path] = _number(said["Head realtime timestamp"]) / 1e6
            tails[path] = _number(said["Tail realtime timestamp"])
            numbers[path] = _number(said["Head sequential number"])
    if not tails:
        return None
    written = max(tails, key=lambda path: tails[path])
    kept = [path for path in heads if path.is_relative_to(PERSISTENT) == written.is_relative_to(PERSISTENT)]
    disk = os.statvfs(written.parent)
    return Journal(
        namespace=namespace,
        persistent=written.is_relative_to(PERSISTENT),
        used=sum(path.stat().st_blocks * 512 for path in kept if path.exists()),
        since=min(heads[path] for path in kept),
        # Room is made by whole files that were put aside, NAME@….journal; one that was begun anew has lost nothing.
        has_lost=min(numbers[path] for path in kept) > 1 and any("@" in path.name for path in kept),
        disk_free=disk.f_bavail / disk.f_blocks,
        dropped=_dropped(namespace),
    )


def _dropped(namespace: str) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for line in _journalctl(namespace, "--output=json", "--since=-1day", f"MESSAGE_ID={_DROPPED}").splitlines():
        text = str(json.loads(line).get("MESSAGE"))
        if found := re.fullmatch(r"Suppressed (\d+) messages from (clock-\S+\.service)", text):
            dropped[found[2]] += int(found[1])
    return dropped


def _number(shown: str) -> int:
    """The number in parentheses, which is hexadecimal, behind one for people."""
    return int(shown.rpartition("(")[2].rstrip(")"), 16)


def _journalctl(namespace: str, *arguments: str) -> str:
    which = [f"--namespace={namespace}"] if namespace else []
    try:
        return subprocess.run(
            ["journalctl", "--quiet", "--no-pager", *which, *arguments],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
    except OSError:
        return ""
