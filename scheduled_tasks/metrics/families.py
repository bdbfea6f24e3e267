"""The metrics: the name, type, labels and meaning of each. Documentation and tests take them from here.

Named as Prometheus and OpenMetrics ask: base units, `_total` for counters, `_timestamp_seconds` for instants. An
instant in a gauge is right however old the sample is: `time()` less the gauge is the age.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

PREFIX = "scheduled_tasks_"


class Kind(StrEnum):
    """The types of metrics, as Prometheus names them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(NamedTuple):
    """A metric with its labels.

    Attributes:
        name: with the unit, and of a counter with `_total`.
        kind: its type.
        labels: their names, in order.
        help: what it is, in one line.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


# Not `job`: Prometheus gives each sample a label of that name, of its scrape. `host` only if each host has its own
# slots (per_host); a label without a value is left out.
_JOB = ("clock", "job_name", "host")


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Family:
    return Family(PREFIX + name, Kind.GAUGE, labels, meaning)


SLOTS = Family(
    f"{PREFIX}slots_total",
    Kind.COUNTER,
    ("clock", "status"),
    "Results recorded for slots. A slot that was missed and ran later counts as both.",
)
RUN_DURATION = Family(
    f"{PREFIX}run_duration_seconds", Kind.HISTOGRAM, ("clock",), "How long runs took, each attempt for itself."
)
LAST_SUCCESS = _gauge(
    "job_last_success_timestamp_seconds",
    _JOB,
    "When a run of the job last ended well.",
)
LAST_SLOT_BAD = _gauge(
    "job_last_slot_bad", _JOB, "1 from a slot that failed, was missed or was lost until a run ends well, otherwise 0."
)
BAD_IN_A_ROW = _gauge(
    "job_bad_slots_in_a_row",
    _JOB,
    "Bad slots since the last good run, as alerts count them: not while systemd retries, and none started by hand.",
)
MISSED_IN_A_ROW = _gauge(
    "job_missed_slots_in_a_row", _JOB, "How many of the bad slots in a row no host began; only while there are some."
)
LOST_IN_A_ROW = _gauge(
    "job_lost_slots_in_a_row", _JOB, "Of how many of the bad slots in a row the end is unknown; only if there are some."
)
ALERT_AFTER = _gauge("job_alert_after", _JOB, "From how many bad slots in a row the clock file asks for an alert.")
NEXT_DEADLINE = _gauge(
    "job_next_deadline_timestamp_seconds",
    _JOB,
    "When the earliest slot without a row is overdue: its nominal time, jitter, grace and a minute. None while the job"
    " is paused or its feature flag is off.",
)
RUNNING_SINCE = _gauge(
    "job_running_since_timestamp_seconds",
    _JOB,
    "When the longest current run began, unless a person started it; only while there is one.",
)
EXPECTED_DURATION = _gauge(
    "job_expected_duration_seconds",
    _JOB,
    "How long a run may take: expected_duration, or while one runs three times the usual, at least 300.",
)
PAUSED = _gauge("job_paused", _JOB, "1 while the job is paused on all of its hosts, otherwise 0.")
INFO = _gauge(
    "job_info",
    (*_JOB, "owner", "flag", "zone", "every", "runbook", "told"),
    'Always 1; its labels describe the job. told="no": its clock file asks for no alert.',
)
HEARTBEAT = _gauge("host_heartbeat_timestamp_seconds", ("host",), "When the host's watch last reported to the ledger.")
PENDING_RESULTS = _gauge(
    "host_pending_results", ("host",), "Results and reports on the host's disk that the ledger does not have yet."
)
ACCOUNTED_UNTIL = _gauge(
    "accounted_until_timestamp_seconds", (), "Until when all slots are accounted for, of the host that waits longest."
)
UNSENT_NOTICES = _gauge("unsent_notices", (), "Notices that have been due for five minutes and are not sent yet.")
FEATURE_ACTIVE = _gauge("feature_active", ("name",), "1 if the feature flag is active, otherwise 0.")
BUILD_INFO = _gauge("build_info", ("version",), "Always 1; the version of scheduled_tasks that wrote this.")
LEDGER_UP = _gauge("ledger_up", (), "1 if the ledger could be read for this, otherwise 0 and nothing of it is here.")
READ_AT = _gauge("read_timestamp_seconds", (), "When this was read from the ledger, or could not be.")

OF_CLOCKS = (SLOTS, RUN_DURATION)
OF_JOBS = (
    LAST_SUCCESS, LAST_SLOT_BAD, BAD_IN_A_ROW, MISSED_IN_A_ROW, LOST_IN_A_ROW, ALERT_AFTER, NEXT_DEADLINE,
    RUNNING_SINCE, EXPECTED_DURATION, PAUSED, INFO,
)  # fmt: skip
OF_HOSTS = (HEARTBEAT, PENDING_RESULTS)
OF_FLEET = (ACCOUNTED_UNTIL, UNSENT_NOTICES, FEATURE_ACTIVE, BUILD_INFO, LEDGER_UP, READ_AT)
FAMILIES = (*OF_CLOCKS, *OF_JOBS, *OF_HOSTS, *OF_FLEET)
