"""Every fault that the hostile suite causes on a machine, what the ledger must say afterwards, and where it shows.

The suite causes and checks these faults, and the tables in docs/explanation/faults.md are generated from the list. A
fault that another test shows names that test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Shown(Enum):
    """Where a fault shows."""

    STATUS = "`clocks status`; the failed unit; an error line in its journal"
    LEDGER = "`clocks status`"
    DOCTOR = "`clocks doctor`, the journal of the watch"
    CALLER = "the output of the command"
    NOWHERE = "nowhere: nothing went wrong"


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        what: what happens.
        ledger: what the ledger says.
        where: where it shows.
        shown_by: the test that shows it, `MODULE::TEST` below tests/.
    """

    what: str
    ledger: str
    where: Shown
    shown_by: str


@dataclass(frozen=True)
class JobFault:
    """A fault that a job of the hostile project does; its slot's row must have these values.

    Attributes:
        what: what the job does.
        call: its task and arguments, as in `add_job`.
        status, error_type, exit_code, message: of its row; of the message, a part.
        shown: where it shows, if not where its status does.
        options: its options, as in `add_job`.
    """

    what: str
    call: str
    status: str
    error_type: str | None = None
    exit_code: int | None = None
    message: str = ""
    shown: Shown | None = None
    options: str = ""

    @property
    def ledger(self) -> str:
        """What the ledger says, for the table."""
        values = ", ".join(str(value) for value in (self.error_type, self.exit_code) if value)
        said = f": “{self.message}”" if self.message else ""
        return f"`{self.status}`" + (f" ({values})" if values else "") + said

    @property
    def is_bad(self) -> bool:
        """Whether the job is bad afterwards."""
        return self.status in {"failed", "lost"}

    @property
    def where(self) -> Shown:
        """Where it shows; by default as the status says."""
        return self.shown or {"failed": Shown.STATUS, "lost": Shown.LEDGER}.get(self.status, Shown.NOWHERE)


ENDED = "ended"
DENIED = ("failed", "InsufficientPrivilege", 1, "permission denied")
REFUSED = ("failed", "CheckViolation", 1)

# job → its fault, in the order in which they are due
DISK = {
    "sticky": JobFault("makes its results folder sticky, with a valid result in it", "sticky", ENDED, exit_code=0),
    "lease": JobFault("holds a lease on one of its results", "lease", ENDED, exit_code=0),
    "forges": JobFault(
        "leaves results with infinite, far or ancient instants, wrong types, another job's name, 200 KB of text,"
        " or no JSON at all",
        "forges",
        ENDED,
        exit_code=0,
        shown=Shown.DOCTOR,
    ),
    "litters": JobFault(
        "leaves a FIFO, links, a folder, an unreadable file and odd names among its results",
        "litters",
        ENDED,
        exit_code=0,
        shown=Shown.DOCTOR,
    ),
}
DATABASE = {
    "inserts": JobFault(
        "inserts a row into the ledger itself", "sql, 'cron', [\"INSERT INTO task_run DEFAULT VALUES\"]", *DENIED
    ),
    "overwrites": JobFault(
        "turns failed rows to `ended`", "sql, 'cron', [\"UPDATE task_run SET status = 'ended'\"]", *DENIED
    ),
    "deletes": JobFault("deletes rows", "sql, 'cron', ['DELETE FROM task_run']", *DENIED),
    "reads": JobFault("looks for other runs' ids", "sql, 'cron', ['SELECT run_id FROM task_run']", *DENIED),
    "locks": JobFault("locks the ledger", "sql, 'cron', ['DO $$ BEGIN LOCK TABLE task_run; END $$']", *DENIED),
    "creates": JobFault("puts a table in the ledger's schema", "sql, 'cron', ['CREATE TABLE task_run_2 ()']", *DENIED),
    "switches": JobFault("switches all flags on", "sql, 'cron', ['UPDATE feature SET is_active = true']", *DENIED),
    "counts_up": JobFault(
        "uses a sequence of the ledger", "sql, 'cron', [\"SELECT nextval('feature_id_seq')\"]", *DENIED
    ),
    "terminates": JobFault(
        "ends other roles' connections",
        "sql, 'cron', ['SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user']",
        *DENIED,
    ),
    "claims_others": JobFault(
        "claims another clock's slot before its run does (with `clock_roles`)",
        "attempt, 'cron', [{'clock': 'honest', 'job': 'tick', 'scheduled_at': HONEST_SLOT}]",
        "failed",
        "InsufficientPrivilege",
        1,
        "cannot record runs of the clock honest",
    ),
    "claims_future": JobFault(
        "claims its own slot in 2031", "attempt, 'cron', [{'scheduled_at': '2031-01-01Z'}]", *REFUSED
    ),
    "claims_infinity": JobFault(
        "claims its own slot at infinity",
        "attempt, 'cron', [{'scheduled_at': '-infinity'}]",
        *REFUSED,
    ),
    "writes_megabytes": JobFault(
        "writes 20 MB into a row",
        "writes_megabytes",
        *REFUSED,
    ),
    "transaction": JobFault(
        "stays in a transaction with every lock that it can get", "stays_in_a_transaction", ENDED, exit_code=0
    ),
}
ENDS = {
    "secrets": JobFault(
        "raises an exception with passwords in it", "quotes_secrets", "failed", "OSError", 1, "can't reach"
    ),
    "escapes": JobFault(
        "raises an exception with terminal escapes in it", "sends_escapes", "failed", "RuntimeError", 1
    ),
    "thread": JobFault(
        "leaves a thread that never ends",
        "leaves_a_thread",
        "failed",
        "timeout",
        None,
        "it exceeded its time limit",
        options="timeout=30",
    ),
    "exits_at_exit": JobFault("calls `os._exit(3)` in an exit handler", "exits_at_exit", "failed", "exit-code", 3),
    "exits_badly": JobFault("calls `os._exit(3)`", "exits_badly", "failed", "exit-code", 3),
    "exits_well": JobFault(
        "calls `os._exit(0)`",
        "exits_well",
        "lost",
        message="its process is gone, and how it ended is unknown",
    ),
    "stops_itself": JobFault(
        "sends itself SIGSTOP",
        "stops_itself",
        "failed",
        "timeout",
        143,
        "it exceeded its time limit",
        options="timeout=30",
    ),
    "floods": JobFault("logs 20,000 lines at once", "floods", ENDED, exit_code=0, options="timeout=1800"),
}
# Each in a clock of its own: they would disturb the others that run as the same user or with the same role.
KILLER = {"kills": JobFault("kills every process that it can: `kill(-1, SIGKILL)`", "kills_all", ENDED, exit_code=0)}
NOSY = {"peeks": JobFault("looks for other jobs' processes and credentials", "peeks", ENDED, exit_code=0)}
GREEDY = {
    "takes_connections": JobFault(
        "opens connections until PostgreSQL refuses it one (with a `CONNECTION LIMIT`)",
        "takes_connections",
        "failed",
        "OperationalError",
        1,
        "too many connections for role",
    )
}
CLOCKS = {"hostile": DISK | DATABASE | ENDS, "killer": KILLER, "nosy": NOSY, "greedy": GREEDY}
SUITE, WINDOW = "machine/test_hostile.py", "machine/test_stopped_timers.py"
NETWORK = Fault(
    "sends to an address that is not allowed",
    "`failed` (PermissionError, 1): the kernel refuses it, on control groups v2",
    Shown.STATUS,
    "machine/test_ledger_in_a_vm.py::test_every_way_to_end_is_recorded_in_the_slots_only_row",
)
AROUND = (
    Fault(
        "a folder, a dangling link, a foreign user's file, odd names and no JSON among the pauses",
        "each pauses the jobs that its name says; its reason says what is odd about it",
        Shown.DOCTOR,
        f"{SUITE}::test_odd_entries_among_the_pauses_stop_nothing",
    ),
    Fault(
        "a second machine with the name of a host",
        "nothing about the second machine: it is refused before it reports, applies or accounts for anything",
        Shown.CALLER,
        f"{SUITE}::test_every_command_refuses_a_second_machine_of_the_name",
    ),
    Fault(
        "the watch is stopped or masked",
        "the slots of this host once the watch is back, or from another host's watch",
        Shown.CALLER,
        f"{SUITE}::test_a_watch_that_is_stopped_is_named_by_status",
    ),
    Fault(
        "a clock file that ends the process that reads it",
        "nothing changed: the deployed jobs go on",
        Shown.CALLER,
        f"{SUITE}::test_a_clock_file_that_ends_its_process_changes_nothing",
    ),
    Fault(
        "a failed slot runs again by hand",
        "the last attempt in the slot's row, the failed one in `past_attempt`",
        Shown.LEDGER,
        f"{SUITE}::test_a_failed_attempt_is_kept_when_its_slot_runs_again",
    ),
    Fault(
        "an administrator locks the ledger for longer than a run waits",
        "`failed` (ServiceUnavailableError, 75), attempt 0; the claim is not made later",
        Shown.STATUS,
        f"{SUITE}::test_a_claim_that_waited_too_long_for_a_lock_never_comes_into_being",
    ),
    Fault(
        "`kill -9` of an apply that has timers stopped",
        "every slot: the watch finishes the apply within a minute",
        Shown.NOWHERE,
        f"{WINDOW}::test_an_apply_killed_at_any_operation_with_its_timers_stopped_is_completed_by_the_next",
    ),
    Fault(
        "a full disk while an apply has timers stopped",
        "every slot: the timers run again, with the old set or the new one",
        Shown.CALLER,
        f"{WINDOW}::test_disks_that_are_full_at_any_operation_with_the_timers_stopped_leave_no_timer_stopped",
    ),
    Fault(
        "a power cut while an apply has timers stopped",
        "`lost` for what was running, `missed` for what was due while the machine was off",
        Shown.LEDGER,
        f"{SUITE}::test_a_power_cut_with_the_timers_stopped_leaves_no_slot_without_a_row",
    ),
)

SECTIONS: dict[str, tuple[Fault | JobFault, ...]] = {
    "What a job leaves on disk": (*DISK.values(),),
    "What a job does to the database": (*DATABASE.values(), *GREEDY.values()),
    "How a job ends, and what it does to other jobs": (*ENDS.values(), *KILLER.values(), *NOSY.values(), NETWORK),
    "What happens around the jobs": AROUND,
}


def table() -> str:
    """The tables of docs/explanation/faults.md."""
    lines: list[str] = []
    for title, faults in SECTIONS.items():
        lines += [f"## {title}", "", "| fault | the ledger says | where it shows |", "|---|---|---|"]
        lines += [f"| {fault.what} | {fault.ledger} | {fault.where.value} |" for fault in faults]
        lines.append("")
    return "\n".join(lines)
