"""What to do about an alarm: the table of the handbook, and which row of it a run or an incident belongs to. Pure.

The one home of these sentences. docs/how-to/operate.md has the table, which a test holds to this one; messages about
incidents take their row from here, with names in place of the placeholders. Every row is tried on a booted machine
(tests/machine/alarms).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scheduled_tasks.run.status import RunStatus

HEADINGS = ("you see", "incident", "it means", "do")
COMMANDS = ("clocks", "systemctl", "journalctl", "df")  # a text in backticks that begins so is a command


@dataclass(frozen=True)
class Alarm:
    """A row of the handbook's table, in Markdown, with the placeholders CLOCK, JOB, UNIT, RUN, SLOT, FROM, TO, HOST.

    Attributes:
        sees: what a person sees.
        kinds: the kinds of incidents that announce it.
        means: what it means.
        do: what to do.
    """

    sees: str
    kinds: tuple[str, ...]
    means: str
    do: str


class Failed(NamedTuple):
    """What decides the row of a bad run: columns of its row in the ledger."""

    status: str
    exit_code: int | None = None
    error_type: str = ""
    text: str = ""  # its reason and its error's message


_FAILING, _BAD = ("failing",), ("failing", "missed")
_UNIT_FAILED = Alarm(
    "a unit `clock-….service` failed", _FAILING, "the last run failed; the next one starts at its time",
    "`journalctl -u UNIT -n 50`: the last line has the reason; then `systemctl reset-failed UNIT`",
)  # fmt: skip
_RAISED = Alarm(
    "exit code 1 in its last line", _FAILING, "the task raised an exception, which its last log line names",
    '`clocks show RUN`; call the task\'s owner; until then `clocks pause CLOCK/JOB --reason "see the incident"`',
)  # fmt: skip
_NO_TASK = Alarm(
    "exit code 64", _FAILING, "no such task: the code and the clock file don't match",
    "`clocks list`; roll the release back",
)  # fmt: skip
_SANDBOX = Alarm(
    "`likely the sandbox, …` in its reason", _FAILING,
    "the sandbox denied something; its reason names the directive, and the option that helps",
    "`clocks show RUN`; write the option that it names into the clock file, and deploy:"
    " [what a job may do](../reference/sandbox.md)",
)  # fmt: skip
_DISK_FULL = Alarm(
    "`No space left on device`", _FAILING, "the disk is full",
    "`df -h`; `journalctl --vacuum-size=500M`; `systemctl reset-failed UNIT`; `systemctl clean --what=cache UNIT`; then"
    " `clocks run CLOCK/JOB --wait`",
)  # fmt: skip
_RETRIES_FAILED = Alarm(
    "exit code 69", _FAILING, "every retry failed", "`clocks show RUN` has each attempt; then as for exit code 1"
)
_UNREACHABLE = Alarm(
    "`PostgreSQL is unreachable`", (),
    "jobs end with 75 until it answers; `clocks status` shows what this host knows, and still exits 75; runs in"
    " progress keep their results on disk",
    "mend the database; then `systemctl start --wait clock-watch.service` records what was kept, and"
    " `clocks status --bad` says what to do next",
)  # fmt: skip
_NO_DATABASE = Alarm(
    "exit code 75", _BAD, "PostgreSQL was unreachable; the task didn't run",
    "mend the database; then `clocks backfill CLOCK/JOB --from FROM --to TO`",
)  # fmt: skip
_CONFIGURATION = Alarm(
    "exit code 78", _FAILING, "the configuration or the tables don't match the release",
    "`clocks migrate`, `clocks features sync`",
)  # fmt: skip
_TOO_LONG = Alarm(
    "exit code 143, or `stopped by SIGTERM`", _FAILING, "it exceeded its time limit, or somebody stopped it",
    "`journalctl -u UNIT`; a longer `timeout=` in the clock file",
)  # fmt: skip
_MEMORY = Alarm(
    "exit code 137, `oom-kill`", _FAILING, "it exceeded its memory limit",
    "a larger `memory_max=` in the clock file; now, `systemctl edit UNIT` with `MemoryMax=2G`",
)  # fmt: skip
_COMMAND_FAILED = Alarm(
    "a line with another exit code", _FAILING,
    "a command that the task ran with `command.run` failed; the exit code is the command's",
    "`clocks show RUN`; read the command's documentation",
)  # fmt: skip
_KILLED = Alarm(
    "`failed`, `signal` or `exec` in its row", _FAILING,
    "it was killed, or could not start; the unit's failure service recorded that",
    "`clocks show RUN`; `systemctl status UNIT`",
)  # fmt: skip
_MISSED = Alarm(
    "`missed`", ("missed",), "it was due and no host ran it: a host was down, a timer stopped",
    "its reason says which; then `clocks backfill CLOCK/JOB --from FROM --to TO`",
)  # fmt: skip
_LOST = Alarm(
    "`lost`", _FAILING,
    "its host died during the run, or its process ended without recording a result; it does not run again"
    " automatically, because half of its work may be done",
    "look at what it did; then `clocks run CLOCK/JOB --at SLOT`",
)  # fmt: skip
_NOT_RECORDED = Alarm(
    "a unit `clock-failed@….service` failed", (),
    "a failure could not be recorded, because PostgreSQL was unreachable; its note stays on disk",
    "when PostgreSQL answers: `systemctl start --wait clock-watch.service` records it and resets the unit",
)  # fmt: skip
_STALE = Alarm(
    "`the watch of this host last succeeded at …`, or `clock-watch.service` failed", ("stale",),
    "the watch's database or its timer fails; until it works again, slots are not accounted for",
    "`clocks doctor`; `journalctl -u clock-watch -n 50`",
)  # fmt: skip
_SILENT = Alarm(
    "`no heartbeat from HOST`, or a host died", ("silent",),
    "its watch has not reached the database for five minutes; its jobs run on the other hosts that have them, and its"
    " open runs are recorded as lost",
    "check the host and its connection to PostgreSQL; `systemctl status clock-watch.timer` there; when it is back:"
    " `clocks history --status lost --since 1d`, `clocks history --status missed --since 1d`",
)  # fmt: skip
_LATE = Alarm(
    "a run started late", ("late",),
    "its host was busy or down, or the job waited for others (`concurrency`, `overlap`)",
    "`clocks history CLOCK/JOB --limit 10`; `clocks status CLOCK`",
)  # fmt: skip
_SLOW = Alarm(
    "a run takes longer than expected", ("slow",), "it runs, until its time limit at most, or has just ended",
    "`clocks logs CLOCK/JOB --lines 20` shows what it does; to end it, `systemctl stop UNIT`",
)  # fmt: skip
_SHORT = Alarm(
    "a run ended sooner than expected", ("short",), "it ended well, but can hardly have done all its work",
    "`clocks show RUN`; look at what it did; to run it again, `clocks run CLOCK/JOB --wait`",
)  # fmt: skip
_UNSENT = Alarm(
    "a notice is not sent", ("unsent",), "no route takes it: its service is down, or its credential is wrong",
    "`clocks incidents --open`; `journalctl -u clock-notify -n 50`; then `clocks notify test`",
)  # fmt: skip

ALARMS = (
    _UNIT_FAILED,
    _RAISED,
    _NO_TASK,
    _SANDBOX,
    _DISK_FULL,
    _RETRIES_FAILED,
    _UNREACHABLE,
    _NO_DATABASE,
    _CONFIGURATION,
    _TOO_LONG,
    _MEMORY,
    _COMMAND_FAILED,
    _KILLED,
    _MISSED,
    _LOST,
    _LATE,
    _SLOW,
    _SHORT,
    _NOT_RECORDED,
    _UNSENT,
    _STALE,
    _SILENT,
    Alarm(
        "a host no longer exists, or was reinstalled", ("silent",),
        "its jobs are still due there; a reinstalled host is refused, because its machine ID is new",
        "`clocks forget-host HOST`: its open runs and slots are recorded as lost and missed",
    ),
    Alarm(
        "`the name HOST belongs to another machine`", (),
        "two machines have one name, or the host was reinstalled",
        "give one a name of its own; or, if it was reinstalled, `clocks forget-host HOST`",
    ),
    Alarm(
        "`skipped`, `paused: …`", (), "somebody paused it, for the reason given there", "`clocks resume CLOCK/JOB`",
    ),
    Alarm(
        "`skipped`, `feature … is not active`", (), "somebody switched it off", "`clocks features list` says who",
    ),
    Alarm(
        "`skipped`, `… it may start at most … late`", (), "its catch-up came too late for its `misfire_grace_time`",
        "nothing, or run it by hand",
    ),
    Alarm(
        "nothing at all at its time", ("missed",), "the timer doesn't run",
        "`clocks doctor`; `systemctl start clock-CLOCK.target`",
    ),
    Alarm(
        "a deploy ended with an error", (),
        "nothing was switched: the host runs its old release, timers and credentials",
        "`clocks check` says what is wrong; correct it, deploy again",
    ),
    Alarm("an apply was interrupted", (), "the machine has the old set or the new one, complete",
          "`clocks apply` again"),
    Alarm(
        "a credential leaked, or expires", (), "jobs read it at their start; runs in progress keep the old one",
        "see [below](#rotate-a-credential)",
    ),
    Alarm("the new release is bad", (), "", "`clocks rollback`, or `ansible/rollback.yml` on all hosts"),
)  # fmt: skip

_OF_EXIT_CODES = {
    1: _RAISED, 64: _NO_TASK, 69: _RETRIES_FAILED, 75: _NO_DATABASE, 78: _CONFIGURATION, 137: _MEMORY, 143: _TOO_LONG,
}  # fmt: skip
_OF_ERROR_TYPES = {"CommandFailedError": _COMMAND_FAILED, "oom-kill": _MEMORY, "timeout": _TOO_LONG,
                   "Stopped": _TOO_LONG}  # fmt: skip
_KILLED_BY = frozenset({"signal", "exec", "exit-code", "watchdog", "start-limit-hit", "resources", "protocol"})
_OF_KINDS = {"late": _LATE, "slow": _SLOW, "short": _SHORT, "silent": _SILENT, "stale": _STALE, "unsent": _UNSENT}
_OF_TEXTS = {"likely the sandbox, ": _SANDBOX, "No space left on device": _DISK_FULL}


def of_run(failed: Failed) -> Alarm:
    """The row of a run or a slot that failed, was missed or was lost."""
    if failed.status == RunStatus.MISSED:
        return _MISSED
    if failed.status == RunStatus.LOST:
        return _LOST
    for text, alarm in _OF_TEXTS.items():
        if text in failed.text:
            return alarm
    if failed.error_type in _KILLED_BY:
        return _KILLED
    by_code = _OF_EXIT_CODES.get(failed.exit_code or 1, _COMMAND_FAILED)
    return _OF_ERROR_TYPES.get(failed.error_type, by_code)


def of_kind(kind: str) -> Alarm:
    """The row of an incident that is not about results."""
    return _OF_KINDS[kind]


def placed(text: str, names: Mapping[str, str]) -> str:
    """A text of the table, without Markdown's links, and with names in place of the placeholders."""
    without_links = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text)
    return re.sub(rf"\b({'|'.join(names)})\b", lambda match: names[match[0]], without_links) if names else without_links


def commands(text: str) -> list[str]:
    """The commands in a text of the table."""
    return [part for part in re.findall(r"`([^`]+)`", text) if part.split()[0] in COMMANDS]


def steps(text: str) -> list[str]:
    """What to do, one thing after the other, in a text of the table."""
    return [step.strip() for step in re.findall(r"(?:`[^`]*`|[^;`])+", text)]


def markdown() -> str:
    """The table, as docs/how-to/operate.md has it."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    for row in ALARMS:
        cells = row.sees, ", ".join(f"`{kind}`" for kind in row.kinds), row.means, row.do
        lines.append("|" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "".join(f"{line}\n" for line in lines)
