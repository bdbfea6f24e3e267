"""What failed in a trial of a sandbox, for which jobs, and what to write instead."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from scheduled_tasks.deploy.sandboxes.sandbox import Sandbox

RESOLVER = Path("/etc/resolv.conf")
# systemd.exec(5), "Process Exit Codes".
STATUS = {
    200: "its working_directory can't be entered",
    203: "its command can't be executed",
    216: "its group doesn't exist",
    217: "its user doesn't exist",
    226: "its file system can't be set up",
    243: "its credentials can't be loaded",
}


def problem_of(sandbox: Sandbox, answer: Mapping[str, str], status: str, command: str) -> str:
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
    elif problem == STATUS[243]:
        missing = ", ".join(path for path in sandbox.credential_files if not Path(path).exists())
        yield f"these files must exist: {missing}" if missing else "see 'systemd-creds' for the encrypted ones"
    elif problem == STATUS[226]:
        paths = [path for value in sandbox.values.get("ReadWritePaths", ()) for path in shlex.split(value)]
        gone = [path for path in paths if not path.startswith("-") and not Path(path).exists()]
        yield f"create {', '.join(gone)}, or correct read_write_paths" if gone else "see the journal of the trial"
    elif problem == STATUS[203] or "Permission denied" in problem or not failed:
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
        yield f"write {allow(*blocked)}"
    if '"/tmp' in problem or '"/var/tmp' in problem:
        yield "a job has a /tmp of its own: put PostgreSQL's socket elsewhere"


def allow(*addresses: str) -> str:
    """The option that lets jobs reach addresses."""
    written = ", ".join(f'"{address}/{ipaddress.ip_address(address).max_prefixlen}"' for address in addresses)
    return f"allow_network=[{written}] in the clock or job, or allow_network of the configuration for all jobs"
