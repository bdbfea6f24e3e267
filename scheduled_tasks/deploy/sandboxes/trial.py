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
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.sandboxes import transient
from scheduled_tasks.deploy.sandboxes.advice import STATUS, allow, problem_of
from scheduled_tasks.deploy.sandboxes.sandbox import Sandbox, sandboxes
from scheduled_tasks.deploy.sandboxes.transient import Service
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.render import names
from scheduled_tasks.render.escape import command_line
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet

MAX_OUTPUT, MAX_TEXT = 1 << 20, 4000  # bytes that a trial can write, characters of a line that are read
MAX_TRIALS = 32  # at once, and in all: a project has a handful of sandboxes
_JOBS_FOLDERS = re.compile(f"%S/{names.JOB_HOME}|%C/{names.JOB_CACHE}")  # a trial has them in /run


class CutOffError(ScheduledTasksError):
    """Jobs can't start, or can't reach their database, from inside their sandbox."""

    exit_code = 65


@dataclass(frozen=True)
class Trial:
    """What a trial found.

    Attributes:
        faults: for which an apply is refused.
        warnings: what it doesn't refuse.
        roles: clocks, each with the PostgreSQL role as which its jobs connect.
    """

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()


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
    # Digest → role, of the sandboxes that passed.
    tried: dict[str, str] = json.loads(places.tried_sandboxes.read_text()) if places.tried_sandboxes.is_file() else {}
    by_digest = {_digest(sandbox, command): sandbox for sandbox in sandboxes(units)}
    waiting = {digest: sandbox for digest, sandbox in by_digest.items() if digest not in tried}
    chosen = dict(list(waiting.items())[:MAX_TRIALS])
    faults: list[str] = []
    warnings = [f"{len(waiting) - MAX_TRIALS} more sandboxes were not tried"] if len(waiting) > MAX_TRIALS else []
    passed = {digest: tried[digest] for digest in by_digest.keys() & tried.keys()}
    for digest, (answer, status) in _run(chosen, command, places, effects).items():
        sandbox = chosen[digest]
        if status or "failed" in answer:
            if answer.get("failed") == "database" and is_reachable() is False:
                why = f"PostgreSQL doesn't answer this host either: {answer['problem']}"
                warnings.append(f"{sandbox.named}: did not check whether the database can be reached: {why}")
            elif answer.get("failed") == "database" and not sandbox.needs_database:
                warnings.append(problem_of(sandbox, answer, status, command))
            else:
                faults.append(problem_of(sandbox, answer, status, command))
            continue
        passed[digest] = answer.get("role", "")
        if (address := answer.get("address")) and not sandbox.allows(address):
            warnings.append(
                f"{sandbox.named}: this machine has no address filter (control groups v2 and BPF), so it can't be tried"
                f" here; on a machine with one, PostgreSQL at {address} can't be reached: write {allow(address)}"
            )
    if keep and chosen and passed != tried:
        effects.folder(places.runtime)
        effects.replace(places.tried_sandboxes, json.dumps(passed, sort_keys=True))
    roles = {(clock, role) for digest, role in passed.items() for clock in by_digest[digest].clocks if role}
    return Trial(tuple(faults), tuple(warnings), tuple(sorted(roles)))


def _digest(sandbox: Sandbox, command: str) -> str:
    """Identify a sandbox with the release and the files of its credentials."""
    paths = sandbox.credential_files
    stats = [(path, os.stat(path).st_mtime_ns) for path in paths if os.path.exists(path)]  # noqa: PTH110, PTH116
    known = [sandbox.directives, sorted(sandbox.tasks), os.path.realpath(command), stats]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _run(
    chosen: Mapping[str, Sandbox], command: str, places: Places, effects: Effects
) -> dict[str, tuple[dict[str, str], str]]:
    """Run the trials at once; return the answer of each, and why it has none ({} and the reason)."""
    if not chosen:
        return {}
    services = {digest: _service(sandbox, command) for digest, sandbox in chosen.items()}
    answers = {}
    for digest, ended in transient.run("trial", services, places, effects).items():
        answer = _read_answer(_last_line(ended.output))
        status = STATUS.get(ended.status) or _last_line(ended.error) or f"it ended without an answer ({ended.result})"
        answers[digest] = ({}, status) if answer is None else (answer, "")
    return answers


def _service(sandbox: Sandbox, command: str) -> Service:
    """The service that tries a sandbox."""
    lines = [(name, _JOBS_FOLDERS.sub("%t/%N", value)) for name, value in sandbox.directives]
    own = [("RuntimeDirectory", "%N"), ("LimitFSIZE", str(MAX_OUTPUT))]
    probe = command_line(command, "--probe", *sandbox.tasks)
    return Service(f"Trial of the sandbox of {sandbox.named}", probe, [*lines, *own])


def _last_line(text: str) -> str:
    return (text.splitlines() or [""])[-1][:MAX_TEXT]


def _read_answer(line: str) -> dict[str, str] | None:
    """Read the answer of a trial, which the project's own modules could have written; None if it isn't one."""
    try:
        answer = {key: str(value) for key, value in json.loads(line).items()}
        for text in (answer.get("address", ""), *answer.get("addresses", "").split()):
            ipaddress.ip_address(text or "::")
    except (ValueError, AttributeError):
        return None
    return answer
