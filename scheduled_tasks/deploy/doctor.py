"""Diagnose a machine: turn its state into findings, each with the command that mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduled_tasks.deploy.journal import Journal, namespaces
from scheduled_tasks.deploy.plan import MachineState, plan
from scheduled_tasks.render.names import service_of

MIN_DISK_FREE = 0.05  # part of the disk
MIN_JOURNAL = timedelta(days=7)  # so that after a weekend, the log of a run that failed before it still exists


@dataclass(frozen=True)
class Finding:
    """Something wrong with a machine.

    Attributes:
        where: the unit, file or part of the machine.
        problem: what is wrong with it.
        mend: the shell command that mends it, or shows what to mend; "" without one.
        advice: what a person has to do that no command can.
    """

    where: str
    problem: str
    mend: str = ""
    advice: str = ""

    def __str__(self) -> str:
        advice = f"advice: {self.advice}" if self.advice else ""
        return "\n    ".join(filter(None, (f"{self.where}: {self.problem}", self.mend, advice)))


@dataclass(frozen=True)
class ManagerCommands:
    """How commands are written: for the system's systemd, or with the option --user for the user's own."""

    option: str = ""

    def clocks(self, rest: str) -> str:
        """A command of this project."""
        return f"clocks {rest}{self.option}"

    def systemctl(self, rest: str) -> str:
        """A command of systemd."""
        return f"systemctl{self.option} {rest}"


SYSTEMS = ManagerCommands()


def machine_findings(
    state: MachineState, failed: Iterable[str], stamps: Iterable[str] = (), *, commands: ManagerCommands = SYSTEMS
) -> Iterator[Finding]:
    """Differences between the current set and the machine.

    Args:
        state: the state of the machine, read for its current set.
        failed: the units in the state failed.
        stamps: the paths of the stamps of clocks' timers that no kept set contains.
        commands: how commands are written.
    """
    if not state.units:
        yield Finding("units", "there is no current set", commands.clocks("apply"))
    yield from _file_findings(state, commands)
    failed = frozenset(failed)
    yield from _orphan_findings(state, failed, stamps, commands)
    yield from _unit_findings(state, failed, commands)


def _file_findings(state: MachineState, commands: ManagerCommands) -> Iterator[Finding]:
    todo = plan(state.units, state)
    for conflict in state.conflicts:
        if conflict.command:
            yield Finding(conflict.path, conflict.problem, f"{conflict.command}; {commands.clocks('apply')}")
        else:
            yield Finding(conflict.path, conflict.problem, advice=conflict.instead)
    if todo.unfinished:
        yield Finding("units", "an apply did not finish", commands.clocks("apply"))
    if any(unit.outdated for unit in state.loaded.values()):
        yield Finding("units", "systemd has not loaded the current units", commands.clocks("apply"))
    for service in todo.stale_overrides:
        yield Finding(service, "has the limits override of a run that is over", commands.clocks("apply"))
    for link in todo.missing_links:
        if link.rpartition("/")[2] not in _in_the_way(state):
            yield Finding(link, "the link to it is missing", commands.clocks("apply"))


def _orphan_findings(
    state: MachineState, failed: frozenset[str], stamps: Iterable[str], commands: ManagerCommands
) -> Iterator[Finding]:
    links = sorted(state.links.keys() - state.units.links)
    for link in links:
        yield Finding(link, "a link to a unit that no longer exists", commands.clocks("apply"))
    for unit, loaded in sorted(state.loaded.items()):
        if not loaded.without_file or unit in state.units or unit in links:
            continue
        if unit in failed:  # systemd marks an active timer as failed when its file is removed
            yield Finding(unit, "its file was removed while it was active", commands.systemctl(f"reset-failed {unit}"))
        elif loaded.active:
            yield Finding(unit, "still active, but its file is gone", commands.systemctl(f"stop {unit}"))
    for stamp in stamps:
        yield Finding(stamp, "the stamp of a timer that no kept set contains", f"rm {stamp}")


def _unit_findings(state: MachineState, failed: frozenset[str], commands: ManagerCommands) -> Iterator[Finding]:
    other_journals = " --namespace='*'" if namespaces(state.units) != [""] else ""
    for unit in sorted((failed & state.units.keys()) - _in_the_way(state)):
        if unit.endswith(".timer"):
            yield Finding(unit, "failed: its job does not run", commands.systemctl(f"restart {unit}"))
        else:
            log = f"journalctl{other_journals}{commands.option} --unit={unit}".replace("--user --unit", "--user-unit")
            yield Finding(unit, "failed", f"{log}; {commands.systemctl(f'reset-failed {unit}')}")
    for unit in sorted(set(plan(state.units, state).start) - failed - _in_the_way(state)):
        yield Finding(unit, "not started: its jobs do not run", commands.systemctl(f"start {unit}"))
    for unit, loaded in sorted(state.loaded.items()):
        due = loaded.next_run or service_of(unit) in state.running  # a timer waits while its job runs
        if unit.endswith(".timer") and unit in state.units and loaded.active and not due:
            advice = f"correct the clock file, then {commands.clocks('apply')}"
            yield Finding(unit, "has no next run", commands.systemctl(f"cat {unit}"), advice)


def _in_the_way(state: MachineState) -> set[str]:
    return {conflict.path.rpartition("/")[2] for conflict in state.conflicts}


def clock_findings(shown: Mapping[str, str]) -> Iterator[Finding]:
    """Faults of the machine's clock, by the properties from `timedatectl show`."""
    if shown.get("NTPSynchronized") == "no":
        # A service that is enabled but can't reach its servers is a different fault from a missing one.
        mend = "timedatectl timesync-status" if shown.get("NTP") == "yes" else "timedatectl set-ntp true"
        if shown.get("CanNTP") != "yes":
            mend = "apt-get install systemd-timesyncd; timedatectl set-ntp true"
        yield Finding("clock", "not synchronised: runs come too early or too late", mend)


def journal_findings(journal: Journal | None, now: datetime) -> Iterator[Finding]:
    """Reasons for which a journal loses lines of jobs."""
    if journal is None:
        return
    name, instance = (f"journal {journal.namespace}", f"@{journal.namespace}") if journal.namespace else ("journal", "")
    restart = f"systemctl restart systemd-journald{instance}"
    if not journal.persistent:
        flush = f"journalctl{f' --namespace={journal.namespace}' if instance else ''} --flush"
        mend = f"mkdir -p /var/log/journal; {restart}; {flush}"
        yield Finding(name, "kept in memory only: a reboot loses all log lines of the jobs", mend)
    for unit, lines in sorted(journal.dropped.items()):
        advice = "add LogRateLimitBurst=20000 to [Service] there, or make the task log less"
        dropped = f"wrote too fast: {lines} of its lines were dropped in the last 24 hours"
        yield Finding(unit, dropped, f"systemctl edit {unit}", advice)
    if journal.disk_free < MIN_DISK_FREE:
        problem = f"its disk is nearly full ({100 * journal.disk_free:.1f} % free): the oldest lines are deleted"
        yield Finding(name, problem, "du -xh / | sort -h | tail")
    elif journal.has_lost and (age := now - datetime.fromtimestamp(journal.since, UTC)) < MIN_JOURNAL:
        size, hours = journal.used // 2**20, age.total_seconds() / 3600
        file = f"/etc/systemd/journald{instance}.conf.d/size.conf"
        write = f"printf '[Journal]\nSystemMaxUse={4 * size + 1}M\n' >{file}"
        problem = f"full: its {size} MiB reach back {hours:.1f} hours"
        yield Finding(name, problem, f"mkdir -p {file.rpartition('/')[0]}; {write}; {restart}")
