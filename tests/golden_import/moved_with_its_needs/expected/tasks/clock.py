"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from scheduled_tasks import log_cron

FOLDER = Path(__file__).parent

NAMES: dict[str, str] = {}

NAMES["a"] = "A"


@dataclass
class Row:
    name: str


def read() -> list[Row]:
    return [Row(name) for name in NAMES.values()]


@log_cron
def write_rows(folder: str = str(FOLDER)) -> None:
    """Write the rows down."""
    (Path(folder) / "rows.json").write_text(json.dumps([row.name for row in read()]))
