"""What stands before run-task in a service: it counts a run's attempts, and takes turns with the clock's other jobs.

Both are a few words of sh that end in `exec`: the task is the service's main process, and nothing stays behind. The
turns are for a systemd without ConcurrencySoftMax= (before 258): a lock belongs to an open file, so that the kernel
gives it back however a run ends.
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
# Who waits first is first: one at a time looks for a free slot, the others wait at the door. Files are opened to
# read, which locks them as well, so that a service writes nowhere.
_TURN = (
    'cd {folder}; exec 8<door; flock 8; while :; do for slot in {slots}; do exec 9<"$slot"; flock -n 9 && break 2; '
    'done; sleep 0.2; done; exec 8<&-; cd "$OLDPWD"; systemd-notify --ready; unset NOTIFY_SOCKET; '
)


class Turns(NamedTuple):
    """The turns that a clock's jobs take: how many at once (0: all), and below which folder their locks are."""

    clock: str
    at_once: int
    below: Path

    @property
    def folder(self) -> str:
        """Where the locks are, as a shell takes it."""
        return quote(str(self.below / self.clock))

    @property
    def slots(self) -> str:
        """The locks' names."""
        return " ".join(map(str, range(1, self.at_once + 1)))

    def makes(self) -> list[str]:
        """The command that makes the locks, where they aren't there yet; as root."""
        script = f"umask 022; mkdir -p {self.folder}; cd {self.folder}; touch door {self.slots}"
        return ["/bin/sh", "-ec", script]


def wrapped(command: list[str], *, retries: int, turns: Turns) -> list[str]:
    """A command that counts its attempts (retries > 0), and waits for its turn, where there are turns."""
    script = _COUNT.format(retries=retries, gave_up=GAVE_UP) if retries else ""
    if turns.at_once:
        script += _TURN.format(folder=turns.folder, slots=turns.slots)
    return ["/bin/sh", "-ec", f'{script}exec "$@"', "sh", *command] if script else command
