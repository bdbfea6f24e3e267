"""What the machine's journal keeps of the jobs' lines: over a reboot or not, since when, and what it dropped.

journald says all of it itself, in messages that have an identity of their own (systemd.journal-fields(7)); so what is
judged is what is in force, not what a configuration file asks for. Reads only.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_USAGE = "ec387f577b844b8fa948f33cad9a75e6"  # "System Journal (…) is 8.0M, max 1.1G, 1.1G free."
_DROPPED = "a596d6fe7bfa4994828e72309e95d61e"  # "Suppressed 127 messages from clock-booking-x.service"
_HEAD = re.compile(r"^Head realtime timestamp: .*\(([0-9a-f]+)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Journal:
    """The journal, as far as jobs depend on it.

    Attributes:
        persistent: whether it is kept when the machine is switched off.
        used: bytes that it takes.
        limit: bytes from which on it drops its oldest lines; 0 where journald doesn't say.
        disk_free: bytes free where it lies.
        keep_free: bytes that it leaves free there, and gives back to keep them so.
        since: its oldest line, in seconds since the epoch; 0 where it has none.
        dropped: services of clocks that wrote faster than they may, with how many lines were dropped in a day.
    """

    persistent: bool = True
    used: int = 0
    limit: int = 0
    disk_free: int = 0
    keep_free: int = 0
    since: float = 0
    dropped: Counter[str] = field(default_factory=Counter)


def read_journal() -> Journal | None:
    """The journal of this machine; None where there is none, or this user may not read it."""
    usage = _messages(_USAGE, "--lines=1", "--reverse")
    if not usage:
        return None
    path = Path(str(usage[0]["JOURNAL_PATH"]))
    heads = [int(head, 16) for head in _HEAD.findall(_journalctl("--header"))]
    dropped: Counter[str] = Counter()
    for message in _messages(_DROPPED, "--since=-1day"):
        found = re.fullmatch(r"Suppressed (\d+) messages from (clock-\S+\.service)", str(message.get("MESSAGE")))
        if found:
            dropped[found[2]] += int(found[1])
    disk = os.statvfs(path) if path.is_dir() else None
    return Journal(
        persistent=path.is_relative_to("/var/log"),
        used=sum(file.stat().st_blocks * 512 for file in path.glob("*.journal*")),
        limit=int(usage[0]["LIMIT"]),
        disk_free=disk.f_bavail * disk.f_frsize if disk else 0,
        keep_free=int(usage[0]["DISK_KEEP_FREE"]),
        since=min(heads, default=0) / 1e6,
        dropped=dropped,
    )


def _messages(identity: str, *options: str) -> list[dict[str, Any]]:
    printed = _journalctl("--output=json", *options, f"MESSAGE_ID={identity}")
    return [json.loads(line) for line in printed.splitlines()]


def _journalctl(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["journalctl", "--quiet", "--no-pager", *arguments],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
    except OSError:
        return ""
