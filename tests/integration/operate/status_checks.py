"""Checks with `clocks status --check`, for its tests: their results, and failures for them to find."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.operate.shop import clocks, ran

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

HEALTHY = (
    "CLOCKS OK - 3 jobs, none bad | jobs=3;;;0 bad=0;0;0;0;3 hosts=1;;;0 dead_hosts=0;;0;0;1 faults=0;;0;0"
    " incidents=0;0;;0"
)


class Checked(NamedTuple):
    """The result of a check."""

    code: int
    line: str
    more: list[str]

    @property
    def text(self) -> str:
        """The first line without its performance data."""
        return self.line.partition(" | ")[0]

    @property
    def data(self) -> str:
        return self.line.partition(" | ")[2]


def checked(*arguments: str) -> Checked:
    """A check in this process; whatever happens, standard output has the answer."""
    done = clocks("status", "--check", *arguments, check=False)
    first, *more = done.stdout.splitlines()
    return Checked(done.exit_code, first, more)


def fail(connection: Database, job: str, at: datetime, clock: str = "shop", error: str = "the disk is full") -> None:
    ran(connection, job, at, "failed", clock=clock, error_type="OSError", error_message=error)
