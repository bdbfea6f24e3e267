"""Read the failure note of a service, and describe the failure for the ledger. Pure.

A failed service leaves the note (render/failure_note.py), because a run that was killed cannot record how it ended.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scheduled_tasks import sandbox_advice
from scheduled_tasks.deploy import systemd
from scheduled_tasks.instants import from_epoch
from scheduled_tasks.run.nominal import nominal_time
from scheduled_tasks.schedule.trigger import Trigger

# systemd.exec(5), "Process Exit Codes": systemd could not execute the command.
NEVER_BEGAN = range(200, 246)
MESSAGES = {
    "oom-kill": "killed by the kernel's OOM killer: it exceeded memory_max, or the machine had no memory left",
    "timeout": "it exceeded its time limit",
    "watchdog": "its watchdog timed out",
    "start-limit-hit": "it was started too often, and systemd refused",
    "resources": "systemd lacked resources to start it",
    "protocol": "it did not report that it was ready",
}
SIGNALLED = {"killed", "dumped"}
NOT_SET = 1 << 63  # systemd prints a number at least this large for a value that it doesn't know


@dataclass(frozen=True)
class Failure:
    """A failed start of a job's service.

    Attributes:
        clock, job: the job.
        invocation_id: systemd's ID of the start.
        result: `$SERVICE_RESULT` (systemd.exec(5)).
        code, status: how its process ended: `exited`, `killed` or `dumped`, and with which exit code or signal.
        started_at, ended_at: when its process started and ended; `ended_at` is None if there was no process.
        elapsed_at: when its timer last elapsed; None if never.
        cpu_seconds, memory_peak: the resources that it used, in seconds and bytes, if systemd knows.
    """

    clock: str
    job: str
    invocation_id: str
    result: str
    code: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    elapsed_at: datetime | None
    cpu_seconds: float | None
    memory_peak: int | None

    @property
    def never_began(self) -> bool:
        """Whether systemd couldn't even execute the command."""
        return self.code == "exited" and self.status.isdecimal() and int(self.status) in NEVER_BEGAN

    @property
    def error_type(self) -> str:
        """The kind of failure, for `task_run.error_type`."""
        if self.never_began:
            return "exec"
        if self.result in MESSAGES:
            return self.result
        return "signal" if self.code in SIGNALLED else "exit-code"

    @property
    def error_message(self) -> str:
        """The failure in a sentence."""
        if self.never_began:
            return f"systemd could not execute its command (exit code {self.status}): see its unit's journal"
        if self.result in MESSAGES:
            return MESSAGES[self.result]
        if self.code in SIGNALLED:
            number = getattr(signal, f"SIG{self.status}", 0)
            return "; ".join(filter(None, (f"killed by SIG{self.status}", sandbox_advice.of_signal(number))))
        return f"its process exited with code {self.status} and recorded no result"

    @property
    def message_after_end(self) -> str:
        """The same, of a service that failed after its run had recorded that it ended."""
        is_other = self.error_type == "exit-code"  # run-task exited with 0
        cause = "another of its commands did, see its unit's journal" if is_other else self.error_message
        return f"its task ended, and then its service failed: {cause}"

    def row(self) -> dict[str, object]:
        """The values for the ledger's row."""
        return {
            "clock": self.clock,
            "job": self.job,
            "invocation_id": self.invocation_id,
            "exit_code": int(self.status) if self.status.isdecimal() else None,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "message_after_end": self.message_after_end,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "cpu_seconds": self.cpu_seconds,
            "memory_peak": self.memory_peak,
            "was_stopped": self.result in {"timeout", "oom-kill", "watchdog"},
        }

    def slot(self, job: Mapping[str, Any]) -> datetime | None:
        """The nominal time for which its timer started it; None if its timer never elapsed."""
        return nominal_time(Trigger.from_json(job["schedule"]), self.elapsed_at) if self.elapsed_at else None


def read_failure(note: str) -> Failure:
    """Read a failure note.

    Raises:
        ValueError, KeyError: it is not one.
    """
    facts = dict(line.partition("=")[::2] for line in note.splitlines())
    clock, _, job = facts["UNIT"].removeprefix("clock-").removesuffix(".service").partition("-")
    cpu, memory = facts.get("CPUUsageNSec", ""), facts.get("MemoryPeak", "")
    return Failure(
        clock=clock,
        job=job,
        invocation_id=facts["INVOCATION_ID"],
        result=facts.get("SERVICE_RESULT", ""),
        code=facts.get("EXIT_CODE", ""),
        status=facts.get("EXIT_STATUS", ""),
        started_at=_instant(facts.get("ExecMainStartTimestamp", "")) or datetime.now(UTC),
        ended_at=_instant(facts.get("ExecMainExitTimestamp", "")),
        elapsed_at=_instant(facts.get("LastTriggerUSec", "")),
        cpu_seconds=int(cpu) / 1e9 if cpu.isdecimal() and int(cpu) < NOT_SET else None,
        memory_peak=int(memory) if memory.isdecimal() and int(memory) < NOT_SET else None,
    )


def _instant(shown: str) -> datetime | None:
    """Read an instant of `systemctl show`: @ and seconds since the epoch, or (LastTriggerUSec=) a date in UTC."""
    at = systemd.timestamp(shown)
    return from_epoch(at) if at else None
