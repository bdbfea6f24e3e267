"""Wrap run-task in a service: count a run's attempts, and take one of the clock's concurrency locks.

Both are short shell scripts that end in `exec`: the task becomes the service's main process, and no shell stays. The
locks are for a systemd without ConcurrencySoftMax= (before 258). The kernel releases a lock however the run ends.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import NamedTuple

from scheduled_tasks.render.directives import GAVE_UP

_COUNT = (
    'n=$(cat "$RUNTIME_DIRECTORY/attempts" 2>/dev/null || echo 0); [ "$n" -le {retries} ] || exit {gave_up}; '
    'echo $((n + 1)) >"$RUNTIME_DIRECTORY/attempts"; '
)
# First come, first served: one process at a time looks for a free lock, the others wait for `door`. Files are opened
# for reading, which is enough to lock them, so that a service needs no right to write.
_LOCK = (
    'cd {folder}; exec 8<door; flock 8; while :; do for slot in {slots}; do exec 9<"$slot"; flock -n 9 && break 2; '
    'done; sleep 0.2; done; exec 8<&-; cd "$OLDPWD"; systemd-notify --ready; unset NOTIFY_SOCKET; '
)


class ConcurrencyLocks(NamedTuple):
    """The locks that limit how many jobs of a clock run at once.

    Attributes:
        clock: the clock.
        limit: how many run at once; 0 for no limit.
        parent: the directory with a directory of locks for each clock.
    """

    clock: str
    limit: int
    parent: Path

    @property
    def folder(self) -> str:
        """The directory of the locks, quoted for a shell."""
        return quote(str(self.parent / self.clock))

    @property
    def slots(self) -> str:
        """The names of the locks."""
        return " ".join(map(str, range(1, self.limit + 1)))

    @property
    def create_command(self) -> list[str]:
        """The command that creates missing locks; it needs root."""
        return ["/bin/sh", "-ec", f"umask 022; mkdir -p {self.folder}; cd {self.folder}; touch door {self.slots}"]


def wrap_command(command: list[str], *, retries: int, locks: ConcurrencyLocks) -> list[str]:
    """Add to a command the count of attempts if it is retried, and the wait for a lock if the clock has a limit."""
    script = _COUNT.format(retries=retries, gave_up=GAVE_UP) if retries else ""
    if locks.limit:
        script += _LOCK.format(folder=locks.folder, slots=locks.slots)
    return ["/bin/sh", "-ec", f'{script}exec "$@"', "sh", *command] if script else command
