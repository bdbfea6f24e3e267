"""Run `systemd-analyze calendar` of this machine or of Debian 13 for many lines at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta


class Systemd:
    """`systemd-analyze calendar` of one version."""

    def __init__(self, prefix: Sequence[str]) -> None:
        self.prefix = tuple(prefix)

    def __repr__(self) -> str:
        return " ".join((*self.prefix, "systemd-analyze"))

    def elapses(self, lines: Sequence[str], base: datetime, count: int) -> list[list[datetime]]:
        """The next `count` instants of each line strictly after `base`."""
        done = subprocess.run(
            [
                *self.prefix, "systemd-analyze", "calendar", f"--iterations={count}",
                f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", "--", *lines,
            ],
            capture_output=True, text=True, check=False,
            env={"TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
        assert not done.returncode, done.stderr
        blocks = done.stdout.strip().split("\n\n")
        assert len(blocks) == len(lines)
        stamp = re.compile(r"(?:elapse|#\d+): \w+ (\S+ \S+) UTC")
        return [[datetime.fromisoformat(at).replace(tzinfo=UTC) for at in stamp.findall(block)] for block in blocks]

    def fires(
        self, lines: Sequence[str], start: datetime, end: datetime, count: int
    ) -> tuple[list[datetime], datetime]:
        """The instants in [start, end) at which a timer with these lines elapses, and until when they are known."""
        instants: set[datetime] = set()
        for n in range(0, len(lines), 200):
            for elapses in self.elapses(lines[n : n + 200], start - timedelta(seconds=1), count):
                end = min(end, elapses[-1]) if len(elapses) == count else end
                instants.update(elapses)
        return sorted(at for at in instants if start <= at < end), end
