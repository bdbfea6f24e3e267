"""Commands as tasks: what a crontab ran, under run-task's log, limits and record.

What comes in: an argument list, and what the command gets of environment and standard input. What goes out: each line
that it writes as a log line, and its exit status as the run's.
"""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from scheduled_tasks.decorators import log_cron
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 5  # seconds between the polite and the other end of a command whose run was stopped


class CommandFailedError(ScheduledTasksError):
    """A command ended with another exit status than 0."""

    def __init__(self, command: str, status: int) -> None:
        self.exit_code = status if status > 0 else 128 - status  # subprocess says a signal N as -N
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

    It sees the environment that cron gives (HOME, LOGNAME, SHELL, PATH) and what is named here, and nothing of the
    run's own: no credential, no DATABASE_URL. Each line that it writes becomes a log line with the field `stream`.

    Args:
        argv: the program and its arguments; no shell reads them. For a shell: ["/bin/sh", "-c", "…"].
        environment: variables by name.
        stdin: what it reads on its standard input.
        directory: where it runs; else where the run does.

    Raises:
        CommandFailedError: it ended with another status than 0, which becomes the run's exit code (128+N for signal N).
        ConfigurationError: it can't be started.
    """
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=_plain_environment() | dict(environment or {}), cwd=directory,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{argv[0] if argv else 'an empty argv'} can't be started: {error}") from error
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    feeding = threading.Thread(target=_feed, args=(process.stdin, stdin.encode()), daemon=True)
    readers = [
        threading.Thread(target=_log, args=(stream, name), daemon=True)
        for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"))
    ]
    for thread in (feeding, *readers):
        thread.start()
    try:
        status = process.wait()
        for reader in readers:
            reader.join()
    finally:
        if process.poll() is None:
            _end(process)
    if status:
        raise CommandFailedError(argv[0], status)


def _plain_environment() -> dict[str, str]:
    """What cron gives: crontab(5)."""
    try:
        user = pwd.getpwuid(os.getuid())
        name, home = user.pw_name, user.pw_dir
    except KeyError:
        name, home = str(os.getuid()), "/"
    return {"HOME": home, "LOGNAME": name, "USER": name, "SHELL": "/bin/sh", "PATH": PATH}


def _feed(stream: IO[bytes], text: bytes) -> None:
    try:
        stream.write(text)
        stream.close()
    except OSError:
        return  # it doesn't read to the end: that is its right


def _log(stream: IO[bytes] | None, name: str) -> None:
    assert stream is not None  # noqa: S101 - PIPE was asked for
    for line in stream:
        logger.info("%s", line.decode(errors="replace").rstrip("\n"), extra={"stream": name})


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
