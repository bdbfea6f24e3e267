#!/usr/bin/env python
from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from apscheduler.schedulers.blocking import BlockingScheduler

FOLDER = Path(__file__).parent
NAMES: dict[str, str] = {}
NAMES["a"] = "A"
UNUSED = 3


@dataclass
class Row:
    name: str


def read() -> list[Row]:
    return [Row(name) for name in NAMES.values()]


def write_rows(folder: str = str(FOLDER)) -> None:
    """Write the rows down."""
    (Path(folder) / "rows.json").write_text(json.dumps([row.name for row in read()]))


def unused() -> None:
    sys.exit(os.environ["NOTHING"])


scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(write_rows, "cron", minute=10)
scheduler.add_job(write_rows, "cron", args=["/srv/rows"], hour=4, id="at_night")
scheduler.start()
