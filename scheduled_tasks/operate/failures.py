"""How a service ended that couldn't say it itself: the failure hook's note, read.

Pure: in comes the text of a note (render/failure_note.py writes it), out go the words that the ledger has for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scheduled_tasks.deploy import systemd
from scheduled_tasks.run.nominal import nominal_time
from scheduled_tasks.schedule.trigger import Trigger

# systemd.exec(5), "Process Exit Codes": with these the service's process could not be made.
NEVER_BEGAN = range(200, 246)
WORDS = {
    "oom-kill": "the kernel's OOM killer ended it: it took more memory than memory_max, or the machine had none left",
    "timeout": "its time limit ended it",
    "watchdog": "its watchdog ended it",
    "start-limit-hit": "systemd refused to start it so often",
    "resources": "systemd lacked what it needs to start it",
    "protocol": "it did not say that it was ready",
}
SIGNALLED = {"killed", "dumped"}


@dataclass(frozen=True)
class Failure:
    """A failed start of a job's service.

    Attributes:
        clock, job: whose.
        invocation_id: systemd's.
        result: `$SERVICE_RESULT` (systemd.exec(5)).
        code, status: how its process ended: `exited`, `killed` or `dumped`, and with what.
        started_at, ended_at: its process; the latter is None where there was none.
        elapsed_at: when its timer had elapsed last; None for never.
        cpu_seconds, memory_peak: what it took, where systemd knows.
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
        """The ledger's word for it."""
        if self.never_began:
            return "exec"
        if self.result in WORDS:
            return self.result
        return "signal" if self.code in SIGNALLED else "exit-code"

    @property
    def error_message(self) -> str:
        """The same in a sentence."""
        if self.never_began:
            return f"systemd could not execute its command (exit code {self.status}): see its unit's journal"
        if self.result in WORDS:
            return WORDS[self.result]
        if self.code in SIGNALLED:
            return f"a signal ended it: SIG{self.status}"
        return f"its process ended with exit code {self.status} and said no more"

    def row(self) -> dict[str, object]:
        """What the ledger is told."""
        return {
            "clock": self.clock,
            "job": self.job,
            "invocation_id": self.invocation_id,
            "exit_code": int(self.status) if self.status.isdecimal() else None,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "cpu_seconds": self.cpu_seconds,
            "memory_peak": self.memory_peak,
            "was_stopped": self.result in {"timeout", "oom-kill", "watchdog"},
        }

    def slot(self, job: Mapping[str, Any]) -> datetime | None:
        """The nominal time that its timer started it for; None where its timer never elapsed."""
        if self.elapsed_at is None:
            return None
        return nominal_time(Trigger.from_json(job["schedule"]), self.elapsed_at)


def read_failure(note: str) -> Failure:
    """Reads a note.

    Raises:
        ValueError, KeyError: it isn't one.
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
        cpu_seconds=int(cpu) / 1e9 if cpu.isdecimal() and int(cpu) < 1 << 63 else None,  # else: [not set]
        memory_peak=int(memory) if memory.isdecimal() and int(memory) < 1 << 63 else None,
    )


def _instant(shown: str) -> datetime | None:
    """An instant as `systemctl show` has it: @ and the epoch's seconds, or (LastTriggerUSec=) in words, in UTC."""
    at = systemd.timestamp(shown)
    return datetime.fromtimestamp(at, UTC) if at else None
