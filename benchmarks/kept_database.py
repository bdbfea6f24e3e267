"""A PostgreSQL whose data a folder keeps, since filling it takes longer than what is measured."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg


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
