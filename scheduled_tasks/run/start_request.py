"""The environment variables with which a start is requested: deploy/start_requests.py writes them, run/slot.py reads.

They stand in a file that is part of the service's environment, and are for one start.
"""

from __future__ import annotations

AT = "SCHEDULED_TASKS_AT"  # the slot to run, RFC 3339
TRIGGER = "SCHEDULED_TASKS_TRIGGER"  # one of TRIGGERS
FORCE = "SCHEDULED_TASKS_FORCE"  # 1: run it even while it is paused, or although it has run
REQUESTED_AT = "SCHEDULED_TASKS_REQUESTED_AT"  # in seconds of CLOCK_MONOTONIC
VALID_UNTIL = "SCHEDULED_TASKS_REQUEST_VALID_UNTIL"  # in seconds since the epoch

TRIGGERS = ("timer", "manual", "backfill", "watch")
