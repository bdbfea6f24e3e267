"""What is wrong with a deployment, and the command that mends it: pure, from the facts of a machine to findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduled_tasks.deploy.journal import Journal, namespaces
from scheduled_tasks.deploy.plan import Facts, plan
from scheduled_tasks.render.names import service_of
from scheduled_tasks.render.unit_set import UnitSet

LEAST_HORIZON = timedelta(days=2 * 365)  # what remains of the years that a timer's corrections are written for
LEAST_DISK = 0.05
LEAST_JOURNAL = timedelta(days=7)  # who looks after a weekend finds the run that failed before it


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be: where and what.

    Attributes:
        mend: the command that mends it, as a shell takes it, or that shows what to mend; "" where there is none.
        advice: what a person has to do, where no command can.
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
    """How the commands that mend are written: for the system's systemd, or with --user for one's own."""

    option: str = ""

    def clocks(self, rest: str) -> str:
        """A command of ours."""
        return f"clocks {rest}{self.option}"

    def systemctl(self, rest: str) -> str:
        """One of systemd's."""
        return f"systemctl{self.option} {rest}"


SYSTEMS = ManagerCommands()


def machine_findings(
    facts: Facts, failed: Iterable[str], stamps: Iterable[str] = (), *, commands: ManagerCommands = SYSTEMS
) -> Iterator[Finding]:
    """What differs between the set in force and the machine.

    Args:
        facts: the machine, as it was read for the set in force.
        failed: the units that systemd calls failed.
        stamps: the paths of stamps of clocks' timers that no kept set has.
        commands: how the commands that mend are written.
    """
    if not facts.units:
        yield Finding("units", "no set is in force", commands.clocks("apply"))
    yield from _of_the_files(facts, commands)
    failed = frozenset(failed)
    yield from _orphans(facts, failed, stamps, commands)
    yield from _of_the_units(facts, failed, commands)


def _of_the_files(facts: Facts, commands: ManagerCommands) -> Iterator[Finding]:
    todo = plan(facts.units, facts)
    for conflict in facts.conflicts:
        if conflict.command:
            yield Finding(conflict.path, conflict.problem, f"{conflict.command}; {commands.clocks('apply')}")
        else:
            yield Finding(conflict.path, conflict.problem, advice=conflict.instead)
    if todo.unfinished:
        yield Finding("units", "an apply did not come to its end", commands.clocks("apply"))
    if any(unit.outdated for unit in facts.loaded.values()):
        yield Finding("units", "systemd has not read the units that are in force", commands.clocks("apply"))
    for service in todo.stale_overrides:
        yield Finding(service, "has the limits of a run that is over", commands.clocks("apply"))
    in_the_way = {conflict.path.rpartition("/")[2] for conflict in facts.conflicts}
    for link in todo.missing_links:
        if link.rpartition("/")[2] not in in_the_way:
            yield Finding(link, "the link to it is missing", commands.clocks("apply"))


def _orphans(
    facts: Facts, failed: frozenset[str], stamps: Iterable[str], commands: ManagerCommands
) -> Iterator[Finding]:
    links = sorted(facts.links.keys() - facts.units.links)
    for link in links:
        yield Finding(link, "a link to a unit that is no more", commands.clocks("apply"))
    for unit, loaded in sorted(facts.loaded.items()):
        if not loaded.without_file or unit in facts.units or unit in links:
            continue
        if unit in failed:  # what systemd makes of a timer that is started when its file goes
            yield Finding(unit, "its file went while it was started", commands.systemctl(f"reset-failed {unit}"))
        elif loaded.active:
            yield Finding(unit, "still started, and its file is gone", commands.systemctl(f"stop {unit}"))
    for stamp in stamps:
        yield Finding(stamp, "the stamp of a timer that is no more, in no set that is kept", f"rm {stamp}")


def _of_the_units(facts: Facts, failed: frozenset[str], commands: ManagerCommands) -> Iterator[Finding]:
    elsewhere = " --namespace='*'" if namespaces(facts.units) != [""] else ""
    in_the_way = {conflict.path.rpartition("/")[2] for conflict in facts.conflicts}
    for unit in sorted((failed & facts.units.keys()) - in_the_way):
        if unit.endswith(".timer"):
            yield Finding(unit, "failed: its job is not run", commands.systemctl(f"restart {unit}"))
        else:
            log = f"journalctl{elsewhere}{commands.option} --unit={unit}".replace("--user --unit", "--user-unit")
            yield Finding(unit, "failed", f"{log}; {commands.systemctl(f'reset-failed {unit}')}")
    for unit in sorted(set(plan(facts.units, facts).start) - failed - in_the_way):
        yield Finding(unit, "not started: its jobs are not run", commands.systemctl(f"start {unit}"))
    for unit, loaded in sorted(facts.loaded.items()):
        due = loaded.next_run or service_of(unit) in facts.running  # a timer waits while its job runs
        if unit.endswith(".timer") and unit in facts.units and loaded.active and not due:
            advice = f"mend the clock file, then {commands.clocks('apply')}"
            yield Finding(unit, "has no next run", commands.systemctl(f"cat {unit}"), advice)


def horizon_findings(units: UnitSet, now: datetime, *, commands: ManagerCommands = SYSTEMS) -> Iterator[Finding]:
    """The timers in force that are to be rendered anew before the corrections for their nights of change end."""
    for timer in sorted(units):
        for date in units.file(timer).values("X-ExactUntil") if timer.endswith(".timer") else ():
            if datetime.fromisoformat(date).replace(tzinfo=UTC) - now < LEAST_HORIZON:
                yield Finding(timer, f"its due times are exact until {date} only", commands.clocks("apply"))


def clock_findings(shown: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with the machine's clock, by what `timedatectl show` says."""
    if shown.get("NTPSynchronized") == "no":
        # What is installed and doesn't reach its servers is another fault than what isn't there.
        enabled, possible = shown.get("NTP") == "yes", shown.get("CanNTP") == "yes"
        mend = "timedatectl timesync-status" if enabled else "timedatectl set-ntp true"
        if not possible:
            mend = "apt-get install systemd-timesyncd; timedatectl set-ntp true"
        yield Finding("clock", "not synchronised: runs come too early or too late", mend)


def journal_findings(journal: Journal | None, now: datetime) -> Iterator[Finding]:
    """What the journal loses of the jobs' lines."""
    if journal is None:
        return
    name, of_it = (f"journal {journal.namespace}", f"@{journal.namespace}") if journal.namespace else ("journal", "")
    restart = f"systemctl restart systemd-journald{of_it}"
    if not journal.persistent:
        flush = f"journalctl{f' --namespace={journal.namespace}' if of_it else ''} --flush"
        mend = f"mkdir -p /var/log/journal; {restart}; {flush}"
        yield Finding(name, "kept in memory only: a reboot takes all that the jobs wrote", mend)
    for unit, lines in sorted(journal.dropped.items()):
        advice = "write LogRateLimitBurst=20000 into [Service] there, or have the task write less"
        dropped = f"wrote too fast: {lines} of its lines were dropped in the last 24 hours"
        yield Finding(unit, dropped, f"systemctl edit {unit}", advice)
    if journal.disk_free < LEAST_DISK:
        free = f"{100 * journal.disk_free:.1f} % are free"
        yield Finding(name, f"its disk is nearly full ({free}): its oldest lines go", "du -xh / | sort -h | tail")
    elif journal.has_lost and (age := now - datetime.fromtimestamp(journal.since, UTC)) < LEAST_JOURNAL:
        size, hours = journal.used // 2**20, age.total_seconds() / 3600
        file = f"/etc/systemd/journald{of_it}.conf.d/size.conf"
        write = f"printf '[Journal]\nSystemMaxUse={4 * size + 1}M\n' >{file}"
        problem = f"full: its {size} MiB reach back {hours:.1f} hours"
        yield Finding(name, problem, f"mkdir -p {file.rpartition('/')[0]}; {write}; {restart}")
