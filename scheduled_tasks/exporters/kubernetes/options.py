"""Which options a CronJob keeps, and what the report says of the others: no option is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from scheduled_tasks.clock import Job
from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.exporters.cron_words import CronWords
from scheduled_tasks.options import Options

# The manifest of the jobs keeps those that decide who is told: the watch reads it.
KEPT_OPTIONS = {
    "timeout", "memory_max", "cpu_quota", "retries", "environment", "on_database_error", "working_directory", "overlap",
    "owner", "notify", "alert_after", "expected_duration", "expected_at_least", "quiet", "runbook", "ping",
}  # fmt: skip
# All other options, with what happens instead; the report names those that are given.
LEFT_OUT = {
    "memory_high": "there is no soft limit", "cpu_weight": "set requests.cpu instead",
    "io_weight": "there is no such limit", "tasks_max": "the node's podPidsLimit applies",
    "nice": "there is no such setting",
    "retry_delay": "the delay is ten seconds, doubled each time", "retry_delay_max": "it is six minutes",
    "user": "the image's user runs it", "read_write_paths": "mount a volume there",
    "allow_network": "write a NetworkPolicy",
    "after": "an init container could wait", "requires": "an init container could wait",
    "log_namespace": "there is no such setting", "relax": "the container stays restricted; change its securityContext",
    "per_host": "each run starts once in the cluster",
    "catch_up_after_pause": "the watch can't start a pod, so a slot that a pause held back stays skipped",
    "concurrency": "all of the clock's jobs may run at once",
}  # fmt: skip
SECOND_START = "Kubernetes may start it a second time that night; that pod finds no slot and runs nothing"
MORE_STARTS = "the CronJob starts on more days than it is due; the other pods find no slot and run nothing"
MISSED = "its time doesn't exist that night: Kubernetes doesn't start it, and the ledger records the slot as missed"
WHEN_RESUMED = "when suspend becomes false, Kubernetes starts the last slot at once; here it waits for the next one"


def differences(job: Job, given: Options, words: CronWords) -> Iterator[Difference]:
    """What a job loses as a CronJob, and remarks; `given` are its options and its clock's."""
    for difference in words.differences:
        if difference.kind == "fold":
            yield replace(difference, text=SECOND_START, weight="remark")
        elif difference.kind == "gap":
            yield replace(difference, text=MISSED)
        else:
            yield difference
    for name in given.by_name:
        if name in LEFT_OUT:
            yield Difference(name, f"{name} is not kept: {LEFT_OUT[name]}")
    if given.text("memory_max").endswith("%"):
        text = "a container's limit can't be a share of the machine's memory: no limit is written"
        yield Difference("memory_max", text)
    if words.guard:
        yield Difference("guard", MORE_STARTS, "remark")
    if job.paused:
        yield Difference("paused", WHEN_RESUMED, "remark")
