"""Read the results that runs spooled to disk (run/spool.py). A job can write them, so nothing in them is trusted.

Input is a job's folder below results/; output is its files and, of one file, the values for `task_run`, each checked
for its type and its bounds. The folder's name, not the file, says which job it is.
"""

from __future__ import annotations

import json
import math
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from scheduled_tasks.instants import EARLIEST, iso8601, parse
from scheduled_tasks.run.columns import END, START
from scheduled_tasks.run.current import parse_traceparent
from scheduled_tasks.run.slot import TRIGGERS
from scheduled_tasks.run.status import RunStatus

SUFFIX = ".json"
FOLDER = re.compile(r"clock-(?P<clock>[a-z0-9_]+)-(?P<job>[a-z0-9_]+)")
# How much of one job is read at once, so that a job that floods its folder delays no other; the rest is read later.
MAX_FILES = 200
MAX_ENTRIES = 20_000
# A result's texts are cut (record.MAX_MESSAGE), and JSON may need twelve bytes for a character.
MAX_BYTES = 1 << 17
CLOCK_TOLERANCE = timedelta(days=1)  # by which a host's clock may be ahead of the database's
MAX_NAME, MAX_TEXT = 255, 4_000  # characters, as the table's constraints have them
LONG_TEXTS = {"reason", "error_message"}
REQUIRED = {"run_id", "task", "trigger", "attempt", "status", "duration", "started_at"}
COLUMNS = {**START, **END, "started_at": "timestamptz"}
CHOICES: dict[str, set[str]] = {
    "trigger": set(TRIGGERS),
    "status": {RunStatus.ENDED.value, RunStatus.FAILED.value, RunStatus.SKIPPED.value},
}
MIN_NUMBER = {"lag": -1e10, "exit_code": -(1 << 31)}
MAX_NUMBER = {"integer": (1 << 31) - 1, "bigint": (1 << 63) - 1, "double precision": 1e10}
MAX_ATTEMPT = 1_000_000


@dataclass(frozen=True)
class Spooled:
    """A job's folder, and the files in it that are to be read now."""

    clock: str
    job: str
    paths: tuple[Path, ...]
    has_more: bool


def list_results(folder: Path, skip: Callable[[Path], bool]) -> Spooled | None:
    """List the results in a job's folder; None if it isn't one.

    Args:
        folder: results/UNIT in the state folder, or a link to it (DynamicUser=).
        skip: says which files can wait, because they could not be removed the last time.

    Raises:
        OSError: it can't be read.
    """
    unit = FOLDER.fullmatch(folder.name)
    if not unit or not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in islice(entries, MAX_ENTRIES)
            if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
        ]
        has_more = len(names) > MAX_FILES or next(entries, None) is not None
    paths = sorted((folder / name for name in names), key=lambda path: (skip(path), path.name))
    return Spooled(unit["clock"], unit["job"], tuple(paths[:MAX_FILES]), has_more)


def parse_result(text: str, *, clock: str, job: str, host: str, now: datetime) -> dict[str, Any]:
    """Read a result of a job: the values of its columns, each checked, and `is_open`.

    Raises:
        ValueError, KeyError, TypeError: it isn't one; names the column.
    """
    result = json.loads(text)
    if not isinstance(result, dict) or (result["clock"], result["job"]) != (clock, job):
        raise ValueError("the folder belongs to another job")
    values = {column: _checked(column, kind, result) for column, kind in COLUMNS.items()}
    if values["slot_host"] not in {None, "", host} or (values["slot_host"] is not None and not values["scheduled_at"]):
        raise ValueError(f"slot_host: {values['slot_host']!r} is not a slot of this host")
    for column, extra in (("scheduled_at", 0.0), ("started_at", values["duration"])):
        at = values[column]
        if at and not EARLIEST <= at <= now + CLOCK_TOLERANCE - timedelta(seconds=extra):
            raise ValueError(f"{column}: {iso8601(at)} is out of bounds")
    return {**values, "is_open": result.get("is_open") is True}


def _checked(column: str, kind: str, result: Mapping[str, Any]) -> Any:
    value = result.get(column)
    if value is None:
        if column in REQUIRED:
            raise ValueError(f"{column}: it is missing")
        return None
    try:
        checked = _READERS[kind](column, value)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{column}: {error}") from None
    if column == "traceparent" and not parse_traceparent(checked):
        raise ValueError(f"{column}: it is not one of W3C Trace Context")
    if column in CHOICES and checked not in CHOICES[column]:
        raise ValueError(f"{column}: it is not one of {', '.join(sorted(CHOICES[column]))}")
    return checked


def _text(column: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it is not a text")
    if len(value) > (MAX_TEXT if column in LONG_TEXTS else MAX_NAME):
        raise ValueError("it is too long")
    value.encode()  # PostgreSQL's text can hold neither lone surrogates nor NUL
    if "\0" in value:
        raise ValueError("it contains NUL")
    return value


def _number(column: str, value: object, kind: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int if kind != "double precision" else (int, float)):
        raise TypeError(f"it is not a number ({kind})")
    maximum = MAX_ATTEMPT if column == "attempt" else MAX_NUMBER[kind]
    if not math.isfinite(value) or not MIN_NUMBER.get(column, 0) <= value <= maximum:
        raise ValueError("it is out of bounds")
    return value


def _instant(_column: str, value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("it is not an instant")
    return parse(value)


def _uuid(_column: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it is not a UUID")
    return str(uuid.UUID(value))


_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "uuid": _uuid,
    "text": _text,
    "timestamptz": _instant,
    "integer": lambda column, value: _number(column, value, "integer"),
    "bigint": lambda column, value: _number(column, value, "bigint"),
    "double precision": lambda column, value: _number(column, value, "double precision"),
}
