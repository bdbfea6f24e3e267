"""The statuses of a run, as the ledger and the log lines have them."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run or a slot. A run's log lines have only the first four."""

    STARTED = "started"
    ENDED = "ended"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSED = "missed"  # it was due, and no host ran it
    LOST = "lost"  # it started, and how it ended is unknown


BAD = (RunStatus.FAILED, RunStatus.MISSED, RunStatus.LOST)
