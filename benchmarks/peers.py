"""What the benchmarks of other dashboards share: their arguments, a database that a folder keeps, and their server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.screens import wait_for
from scheduled_tasks.operate import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def arguments() -> tuple[Path, float, int]:
    """FOLDER [MILLIONS] [JOBS] of the command line; without them 10 million rows and 10,000 jobs."""
    folder, *numbers = sys.argv[1:]
    millions, jobs = (*numbers, *("10", "10000")[len(numbers) :])
    return Path(folder).resolve(), float(millions), int(jobs)


@contextmanager
def kept_database(folder: Path) -> Iterator[str]:
    """A PostgreSQL whose data are kept in a folder, until the end of the block; its URL."""
    server = embedded.import_pgserver()(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def make_folder(folder: Path) -> None:
    """Make a folder that PostgreSQL's user can enter."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def has_table(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether a table is there, so that nothing has to be filled."""
    [(found,)] = connection.execute("SELECT to_regclass(%s)", [name]).fetchall()
    return found is not None


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], port: int, path: str
) -> Iterator[str]:
    """A server that listens on a port, until the end of the block; its URL, once it answers at a path."""
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            yield wait_for(f"http://127.0.0.1:{port}", path)
        finally:
            process.terminate()
