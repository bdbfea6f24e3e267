"""Try from inside the jobs' sandboxes whether they can start and reach their database, before a set becomes current.

Jobs whose sandboxes are alike share a trial: a transient service with their directives and no others, which runs
`run-task --probe`. All trials run at once. No job is started, and no unit of the set is loaded.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.render import names
from scheduled_tasks.render.escape import command_line
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_file import section_text
from scheduled_tasks.render.unit_set import UnitSet

TRIAL_SECONDS = 60
MAX_OUTPUT, MAX_TEXT = 1 << 20, 4000  # bytes that a trial can write, characters of a line that are read
MAX_TRIALS = 32  # at once, and in all: a project has a handful of sandboxes
UNIT = "scheduled-tasks-trial"
RESOLVER = Path("/etc/resolv.conf")
# Directives of a job that are not of its sandbox: what it runs and when, what it keeps on disk, how much it may use.
_NOT_OF_SANDBOX = re.compile(
    "Type|NotifyAccess|Exec.*|Restart.*|RuntimeMax.*|Timeout.*|Slice|EnvironmentFile|Log.*|Standard.*|X-.*"
    "|(State|Runtime|Cache|Logs|Configuration)Directory.*|Memory(Max|High|Low|Min|SwapMax|ZSwapMax)|CPU.*|IO.*|Tasks.*"
    "|Nice|OOM.*"
)
_JOBS_FOLDERS = re.compile(f"%S/{names.JOB_HOME}|%C/{names.JOB_CACHE}")  # a trial has them in /run
_LOCALHOST = ("127.0.0.0/8", "::1/128")
_NAMED = {"localhost": _LOCALHOST, "link-local": ("169.254.0.0/16", "fe80::/64"), "any": ("0.0.0.0/0", "::/0")}


class CutOffError(ScheduledTasksError):
    """Jobs can't start, or can't reach their database, from inside their sandbox."""

    exit_code = 65


@dataclass(frozen=True)
class Sandbox:
    """A sandbox, and the jobs that have it.

    Attributes:
        directives: NAME and value of each line that makes it, in systemd's order.
        jobs: CLOCK/JOB of each.
        tasks: one task for each module that they import.
        needs_database: whether one of them fails without its database.
    """

    directives: tuple[tuple[str, str], ...]
    jobs: tuple[str, ...]
    tasks: tuple[str, ...]
    needs_database: bool

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each directive, as systemd merges them."""
        merged: dict[str, tuple[str, ...]] = {}
        for name, value in self.directives:
            merged[name] = (*merged.get(name, ()), value) if value else ()
        return merged

    @property
    def named(self) -> str:
        """Its jobs, for a message."""
        more = f" and {len(self.jobs) - 3} more" if len(self.jobs) > 3 else ""  # noqa: PLR2004 - enough to find them
        return f"job{'s' * (len(self.jobs) > 1)} {', '.join(self.jobs[:3])}{more}"

    def unit(self, command: str, output: Path) -> str:
        """The text of the service that tries it."""
        own = {
            "Type": "oneshot", "RuntimeDirectory": "%N",
            "ExecStart": command_line(command, "--probe", *self.tasks),
            "TimeoutStartSec": str(TRIAL_SECONDS),
            "LimitFSIZE": str(MAX_OUTPUT),
            "StandardOutput": f"file:{output}",
            "StandardError": f"file:{output.with_suffix('.err')}",
        }  # fmt: skip
        text = section_text("Unit", [("Description", f"Trial of the sandbox of {self.named}")])
        lines = [(name, _JOBS_FOLDERS.sub("%t/%N", value)) for name, value in self.directives]
        return text + section_text("Service", [*lines, *own.items()])

    def allows(self, address: str) -> bool:
        """Whether its address filter lets it reach an address."""
        allowed, denied = (_networks(self.values.get(f"IPAddress{kind}", ())) for kind in ("Allow", "Deny"))
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip in network for network in allowed) or not any(ip in network for network in denied)


def _networks(values: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    words = (word for value in values for word in value.split())
    return [ipaddress.ip_network(text, strict=False) for word in words for text in _NAMED.get(word, (word,))]


def sandboxes(units: UnitSet) -> list[Sandbox]:
    """The different sandboxes of a set's jobs."""
    release = units.release
    groups: dict[tuple[tuple[str, str], ...], list[tuple[str, str, bool]]] = {}
    for job in units.jobs:
        service = names.service_name(job["clock"], job["job"])
        lines = [
            (line.name, line.value)
            for file in units.files_of(service)
            for line in file.section("Service")
            # Its mount point is made by an apply; the trial calls the release where it is installed.
            if not (release and line.name == "BindReadOnlyPaths" and line.value.startswith(str(release.folder)))
            and not _NOT_OF_SANDBOX.fullmatch(line.name)
        ]
        command = " ".join(units.file(service).values("ExecStart"))
        needs_database = "--on-database-error=run" not in command
        groups.setdefault(tuple(lines), []).append((f"{job['clock']}/{job['job']}", job["task"], needs_database))
    return [
        Sandbox(
            directives=lines,
            jobs=tuple(job for job, _, _ in jobs),
            tasks=tuple({task.rpartition(".")[0]: task for _, task, _ in jobs}.values()),
            needs_database=any(needs for _, _, needs in jobs),
        )
        for lines, jobs in groups.items()
    ]


@dataclass(frozen=True)
class Trial:
    """What a trial found: `faults`, for which an apply is refused, and `warnings`."""

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def try_out(
    units: UnitSet, command: str, places: Places, is_reachable: Callable[[], bool | None], *, keep: bool
) -> Trial:
    """Try the sandboxes of a set, except those that passed at an earlier apply.

    Args:
        units: the set.
        command: the path of its run-task.
        places: where units live.
        is_reachable: whether PostgreSQL answers outside of the sandboxes; None if unknown.
        keep: remember the sandboxes that passed, until the next boot.
    """
    effects = Effects()
    tried = set(json.loads(places.tried_sandboxes.read_text())) if places.tried_sandboxes.is_file() else set()
    by_digest = {_digest(sandbox, command): sandbox for sandbox in sandboxes(units)}
    waiting = {digest: sandbox for digest, sandbox in by_digest.items() if digest not in tried}
    chosen = dict(list(waiting.items())[:MAX_TRIALS])
    faults: list[str] = []
    warnings = [f"{len(waiting) - MAX_TRIALS} more sandboxes were not tried"] if len(waiting) > MAX_TRIALS else []
    passed = by_digest.keys() & tried
    for digest, (answer, status) in _run(chosen, command, places, effects).items():
        sandbox = chosen[digest]
        if status or "failed" in answer:
            if answer.get("failed") == "database" and is_reachable() is False:
                why = f"PostgreSQL doesn't answer this host either: {answer['problem']}"
                warnings.append(f"{sandbox.named}: did not check whether the database can be reached: {why}")
            elif answer.get("failed") == "database" and not sandbox.needs_database:
                warnings.append(_problem(sandbox, answer, status, command))
            else:
                faults.append(_problem(sandbox, answer, status, command))
            continue
        passed |= {digest}
        if (address := answer.get("address")) and not sandbox.allows(address):
            warnings.append(
                f"{sandbox.named}: this machine has no address filter (control groups v2 and BPF), so it can't be tried"
                f" here; on a machine with one, PostgreSQL at {address} can't be reached: write {_allow(address)}"
            )
    if keep and chosen and passed != tried:
        effects.folder(places.runtime)
        effects.replace(places.tried_sandboxes, json.dumps(sorted(passed)))
    return Trial(tuple(faults), tuple(warnings))


def _digest(sandbox: Sandbox, command: str) -> str:
    """Identify a sandbox with the release and the files of its credentials."""
    paths = [value.partition(":")[2] for value in sandbox.values.get("LoadCredential", ())]
    stats = [(path, os.stat(path).st_mtime_ns) for path in paths if os.path.exists(path)]  # noqa: PTH110, PTH116
    known = [sandbox.directives, sorted(sandbox.tasks), os.path.realpath(command), stats]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _run(
    chosen: Mapping[str, Sandbox], command: str, places: Places, effects: Effects
) -> dict[str, tuple[dict[str, str], str]]:
    """Run the trials at once; return the answer of each, and why it has none ({} and the reason)."""
    if not chosen:
        return {}
    folder = places.runtime / f"trials-{os.getpid()}"
    units = {digest: f"{UNIT}-{os.getpid()}-{number}.service" for number, digest in enumerate(chosen)}
    _remove_abandoned(places, effects)
    effects.folder(folder)
    try:
        for digest, unit in units.items():
            output = folder / f"{unit}.json"
            effects.write(places.transient / unit, chosen[digest].unit(command, output))
        with suppress(SystemdError):  # the state of each says whether it failed
            effects.systemctl("start", list(units.values()))
        shown = {unit["Id"]: unit for unit in systemd.show("Id,Result,ExecMainStatus", *units.values())}
        failed = [unit for unit in shown if shown[unit]["Result"] != "success"]
        answers = {}
        for digest, unit in units.items():
            answer = _read_answer(_last_line(folder / f"{unit}.json"))
            error = _last_line(folder / f"{unit}.err")
            result = shown[unit]["Result"]
            status = _STATUS.get(shown[unit]["ExecMainStatus"]) or error or f"it ended without an answer ({result})"
            answers[digest] = ({}, status) if answer is None else (answer, "")
        effects.systemctl("reset-failed", failed)
        return answers
    finally:
        for unit in units.values():
            effects.remove(places.transient / unit)
        effects.remove_folder(folder)


def _last_line(path: Path) -> str:
    try:
        return (path.read_text(errors="replace").strip().splitlines() or [""])[-1][:MAX_TEXT]
    except FileNotFoundError:
        return ""


def _read_answer(line: str) -> dict[str, str] | None:
    """Read the answer of a trial, which the project's own modules could have written; None if it isn't one."""
    try:
        answer = {key: str(value) for key, value in json.loads(line).items()}
        for text in (answer.get("address", ""), *answer.get("addresses", "").split()):
            ipaddress.ip_address(text or "::")
    except (ValueError, AttributeError):
        return None
    return answer


def _remove_abandoned(places: Places, effects: Effects) -> None:
    """Remove what is left of trials whose process was killed."""
    for left in (*places.transient.glob(f"{UNIT}-*.service"), *places.runtime.glob("trials-*")):
        if not Path("/proc", left.name.removeprefix(f"{UNIT}-").removeprefix("trials-").partition("-")[0]).exists():
            effects.remove_folder(left) if left.is_dir() else effects.remove(left)


# systemd.exec(5), "Process Exit Codes".
_STATUS = {
    "200": "its working_directory can't be entered",
    "203": "its command can't be executed",
    "216": "its group doesn't exist",
    "217": "its user doesn't exist",
    "226": "its file system can't be set up",
    "243": "its credentials can't be loaded",
}


def _problem(sandbox: Sandbox, answer: Mapping[str, str], status: str, command: str) -> str:
    """What failed in a trial, for whom, and what to write instead."""
    problem = answer.get("problem") or status
    advice = "; ".join(_advice(sandbox, answer, problem, command))
    return f"{sandbox.named}: inside the sandbox, {problem}{f': {advice}' if advice else ''}"


def _advice(sandbox: Sandbox, answer: Mapping[str, str], problem: str, command: str) -> Iterator[str]:
    failed = answer.get("failed")
    if failed == "database" and "no database is configured" in problem:
        yield "write credentials = ['database_url'] in the configuration (Ansible: scheduled_tasks_database_url)"
    elif failed == "database":
        yield from _network_advice(sandbox, problem, answer.get("addresses", "").split())
    elif problem == _STATUS["243"]:
        paths = [value.partition(":")[2] for value in sandbox.values.get("LoadCredential", ())]
        missing = ", ".join(path for path in paths if not Path(path).exists())
        yield f"these files must exist: {missing}" if missing else "see 'systemd-creds' for the encrypted ones"
    elif problem == _STATUS["226"]:
        paths = [path for value in sandbox.values.get("ReadWritePaths", ()) for path in shlex.split(value)]
        gone = [path for path in paths if not path.startswith("-") and not Path(path).exists()]
        yield f"create {', '.join(gone)}, or correct read_write_paths" if gone else "see the journal of the trial"
    elif problem == _STATUS["203"] or "Permission denied" in problem or not failed:
        words = [word.strip("'\":;,") for word in (*problem.split(), command)]
        closed = {folder for word in words if word.startswith("/") for folder in _closed_folders(Path(word))}
        for folder in sorted(closed):
            yield f"its user can't enter {folder}: chmod a+x {folder}, or put what is in it elsewhere"
        if "Read-only file system" in problem:
            yield "name the folder in Clock(read_write_paths=[…])"
        if not closed and not failed:
            yield f"{command} --probe has to print an answer: a run_task of your own passes its arguments to run-task"


def _closed_folders(path: Path) -> Iterator[Path]:
    """The folders above a path that other users can't enter."""
    for folder in (*reversed(path.parents), path):
        try:
            if folder.is_dir() and not folder.stat().st_mode & 0o001:
                yield folder
        except OSError:
            return


def _network_advice(sandbox: Sandbox, problem: str, addresses: Iterable[str]) -> Iterator[str]:
    blocked = [address for address in addresses if not sandbox.allows(address)]
    if "resolve host" in problem or "translate host name" in problem:
        resolvers = re.findall(r"(?m)^nameserver\s+(\S+)", RESOLVER.read_text()) if RESOLVER.exists() else []
        if blocked := [address for address in resolvers if not sandbox.allows(address)]:
            yield f"the resolver of {RESOLVER} is on another machine: allow it, and PostgreSQL's own address as well"
    if blocked:
        yield f"write {_allow(*blocked)}"
    if '"/tmp' in problem or '"/var/tmp' in problem:
        yield "a job has a /tmp of its own: put PostgreSQL's socket elsewhere"


def _allow(*addresses: str) -> str:
    written = ", ".join(f'"{address}/{ipaddress.ip_address(address).max_prefixlen}"' for address in addresses)
    return f"allow_network=[{written}] in the clock or job, or allow_network of the configuration for all jobs"
