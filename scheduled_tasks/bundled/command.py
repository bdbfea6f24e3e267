"""Commands as tasks: the commands of a crontab, with run-task's log, limits and record.

Each line that the command writes becomes a log line, and its exit status becomes the run's.
"""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO

from scheduled_tasks.decorators import log_cron
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

logger = logging.getLogger(__name__)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAST_LINES = 20  # of standard error, in which to look for what the sandbox denied
KILL_DELAY = 5  # seconds from SIGTERM to SIGKILL when the run is stopped


class CommandFailedError(ScheduledTasksError):
    """A command ended with an exit status other than 0.

    Attributes:
        status: its exit status; -N for signal N.
        stderr: the last lines that it wrote to standard error.
    """

    def __init__(self, command: str, status: int, stderr: str = "") -> None:
        self.status, self.stderr = status, stderr
        self.exit_code = status if status > 0 else 128 - status  # subprocess returns -N for signal N
        how = f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"
        super().__init__(f"{command} {how}")


@log_cron
def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    directory: str | None = None,
) -> None:
    """Run a command.

    It gets cron's environment (HOME, LOGNAME, SHELL, PATH) and the given variables, and nothing of the run's: no
    credential, no DATABASE_URL. Each line that it writes becomes a log line with the field `stream`.

    Args:
        argv: the program and its arguments; no shell reads them. For a shell: ["/bin/sh", "-c", "…"].
        environment: variables by name.
        stdin: its standard input.
        directory: its working directory; by default the run's.

    Raises:
        CommandFailedError: it ended with a status other than 0, which becomes the run's exit code (128+N for signal N).
        ConfigurationError: it can't be started.
    """
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=_cron_environment() | dict(environment or {}), cwd=directory,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{argv[0] if argv else 'an empty argv'} can't be started: {error}") from error
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:  # from here on a stop of the run can interrupt anything
        assert process.stdin is not None  # noqa: S101 - it is PIPE
        writer = threading.Thread(target=_feed, args=(process.stdin, stdin.encode()), daemon=True)
        readers = [
            threading.Thread(target=_log, args=(process.stdout, "stdout", deque(maxlen=0)), daemon=True),
            threading.Thread(target=_log, args=(process.stderr, "stderr", last), daemon=True),
        ]
        for thread in (writer, *readers):
            thread.start()
        status = process.wait()
        for reader in readers:
            reader.join()
    finally:
        if process.poll() is None:
            _end(process)
    if status:
        raise CommandFailedError(argv[0], status, "\n".join(last))


def _cron_environment() -> dict[str, str]:
    """Cron's environment, crontab(5)."""
    try:
        user = pwd.getpwuid(os.getuid())
        name, home = user.pw_name, user.pw_dir
    except KeyError:
        name, home = str(os.getuid()), "/"
    if home == "/" or not os.path.isdir(home):  # noqa: PTH112 - a user that systemd makes has no home, but its job has
        home = os.environ.get("HOME", home)
    return {"HOME": home, "LOGNAME": name, "USER": name, "SHELL": "/bin/sh", "PATH": PATH}


def _feed(stream: IO[bytes], text: bytes) -> None:
    try:
        stream.write(text)
        stream.close()
    except OSError:
        return  # a command need not read all of its input


def _log(stream: IO[bytes] | None, name: str, last: deque[str]) -> None:
    assert stream is not None  # noqa: S101 - it is PIPE
    for line in stream:
        text = line.decode(errors="replace").rstrip("\n")
        last.append(text)
        logger.info("%s", text, extra={"stream": name})


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_DELAY)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
