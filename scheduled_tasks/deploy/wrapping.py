"""What stands before run-task in a service: it counts a run's attempts, and takes turns with the clock's other jobs.

Both are a few words of sh that end in `exec`: the task is the service's main process, and nothing stays behind. The
turns are for a systemd without ConcurrencySoftMax= (before 258): a lock belongs to an open file, so that the kernel
gives it back however a run ends.
"""

from __future__ import annotations

from scheduled_tasks.deploy.option_lines import GAVE_UP

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


def turns_folder(clock: str) -> str:
    """Where a clock's locks are."""
    return f"/run/scheduled-tasks/{clock}"


def makes_turns(clock: str, concurrency: int) -> list[str]:
    """The command that makes a clock's locks, where they aren't there yet; as root."""
    folder = turns_folder(clock)
    return ["/bin/sh", "-ec", f"umask 022; mkdir -p {folder}; cd {folder}; touch door {_slots(concurrency)}"]


def wrapped(command: list[str], *, clock: str, retries: int, concurrency: int) -> list[str]:
    """A command that counts its attempts (retries > 0), and waits for its turn (concurrency > 0)."""
    script = _COUNT.format(retries=retries, gave_up=GAVE_UP) if retries else ""
    if concurrency:
        script += _TURN.format(folder=turns_folder(clock), slots=_slots(concurrency))
    return ["/bin/sh", "-ec", f'{script}exec "$@"', "sh", *command] if script else command


def _slots(concurrency: int) -> str:
    return " ".join(map(str, range(1, concurrency + 1)))
