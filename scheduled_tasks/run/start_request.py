"""Environment variables that request a slot for one start of a job's service, which reads them as EnvironmentFile=.

deploy/start_requests.py writes that file, run/slot.py reads the variables.
"""

from __future__ import annotations

AT = "SCHEDULED_TASKS_AT"  # the slot to run, RFC 3339
TRIGGER = "SCHEDULED_TASKS_TRIGGER"  # one of TRIGGERS
FORCE = "SCHEDULED_TASKS_FORCE"  # 1: run it even if it is paused or has run
REQUESTED_AT = "SCHEDULED_TASKS_REQUESTED_AT"  # in seconds of CLOCK_MONOTONIC
VALID_UNTIL = "SCHEDULED_TASKS_REQUEST_VALID_UNTIL"  # in seconds since the epoch

TRIGGERS = ("timer", "manual", "backfill", "watch")
