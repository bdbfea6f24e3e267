"""Run `systemd-analyze calendar` of this machine or of Debian 13 for many lines at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

FEW = 4  # instants


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
        """The instants in [start, end) at which a timer with these lines elapses, and until when they are known.

        For a line with a time zone systemd starts a process for each instant, so this asks for a few at first: they are
        enough for all lines but the frequent ones.
        """
        instants: set[datetime] = set()
        left = list(lines)
        for few in (min(FEW, count), count):
            asked, left = left, []
            for n in range(0, len(asked), 200):
                some = asked[n : n + 200]
                for line, elapses in zip(some, self.elapses(some, start - timedelta(seconds=1), few), strict=True):
                    if few < count and len(elapses) == few and elapses[-1] < end:
                        left.append(line)
                        continue
                    end = min(end, elapses[-1]) if len(elapses) == count else end
                    instants.update(elapses)
        return sorted(at for at in instants if start <= at < end), end
