"""A PostgreSQL server that a test can stop, restart and fill."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from scheduled_tasks.operate import embedded
from tests.leftovers import DATA


@dataclass
class Server:
    """The server; `running` is the library's handle."""

    running: Any

    @property
    def url(self) -> str:
        """Its URL, over its socket."""
        return str(self.running.get_uri())

    @property
    def socket(self) -> Path:
        """The path of that socket."""
        [(folder,)] = self.query("SHOW unix_socket_directories")
        return Path(folder) / ".s.PGSQL.5432"

    @property
    def processes(self) -> list[psutil.Process]:
        """Its processes, the postmaster first."""
        postmaster = psutil.Process(self.running.get_pid())
        return [postmaster, *postmaster.children(recursive=True)]

    def crash_and_restart(self) -> None:
        """Crash and recover, as after a power cut: all connections are lost at once."""
        processes = self.processes
        processes[0].send_signal(signal.SIGQUIT)
        psutil.wait_procs(processes, timeout=120)
        self.running.ensure_postgres_running()

    def signal(self, signum: int) -> None:
        """Send a signal to all of its processes."""
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signum)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend all processes: connections stay open, and new ones get no answer."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    @contextmanager
    def without_free_connections(self) -> Iterator[None]:
        """Take all of its connections."""
        with ExitStack() as stack:
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(closing(psycopg.connect(self.url)))
            yield

    @property
    def refused_connections(self) -> int:
        """How many connections it has refused because there were too many."""
        return Path(self.running.log).read_text().count("too many clients")

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, on a connection of its own."""
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running_server() -> Iterator[Any]:
    """A server as initdb sets it up, removed at the end of the block: the library's handle.

    It isn't in pytest's folder: under root the server runs as another user, and the path of a socket has to be short.
    """
    data = Path(tempfile.gettempdir(), DATA)  # missing in a benchmark
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir=data.resolve() if data.exists() else None))
    folder.chmod(0o755)
    try:
        running = embedded.import_pgserver()(folder / "data", cleanup_mode="stop")
        try:
            yield running
        finally:
            running.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_server(**settings: object) -> Iterator[Server]:
    """A server with some settings, removed at the end of the block."""
    with running_server() as running:
        server = Server(running)
        # Of a server that crashed nothing stays in /dev/shm.
        for name, value in {"dynamic_shared_memory_type": "mmap", **settings}.items():
            server.query(f"ALTER SYSTEM SET {name} = {value}")
        server.crash_and_restart()
        yield server
