"""What a reconciliation leaves: the rows of the ledger, and the files of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.operate.shop import Database


def rows(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT job, status, attempt, exit_code, host FROM task_run").fetchall()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
