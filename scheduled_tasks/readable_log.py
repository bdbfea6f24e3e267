"""Log lines for people: from the fields of one line to time, level, message, other fields and traceback.

`clocks` shows a journal with it, and `run-task --readable` its own lines. Control characters are escaped.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from scheduled_tasks import instants
from scheduled_tasks.terminal import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, timedelta, tzinfo

# A piece of a line and what it means, which a terminal can show as a colour: "" (text), bad, warning, good or faint.
Piece = tuple[str, str]

WIDTH = 8  # of the column with a level or a status; the time before it has as many characters
MEANINGS = {
    "critical": "bad", "error": "bad", "failed": "bad", "warning": "warning", "skipped": "warning", "ended": "good",
    "debug": "faint",
}  # fmt: skip
# Shown elsewhere in the line, or the same on every line of a run.
NOT_LISTED = frozenset({
    "timestamp", "level", "message", "type", "name", "task", "status", "run_id", "host", "clock", "job",
    "invocation_id", "scheduled_at", "attempt", "lag", "duration", "feature", "reason", "exit_code", "exception",
})  # fmt: skip


class ReadableLog:
    """The lines of a log, in order; a line with the date and the zone precedes the first one of each day.

    Args:
        zone: in which times are shown.
        zone_name: its name.
        with_job: whether each line names its job, because lines of several jobs follow each other.
    """

    def __init__(self, zone: tzinfo, zone_name: str, *, with_job: bool = False) -> None:
        self._zone, self._zone_name, self._with_job = zone, zone_name, with_job
        self._day: tuple[date, timedelta | None] | None = None

    def lines(self, fields: Mapping[str, Any]) -> Iterator[list[Piece]]:
        """The lines for the fields of one log line, as log_line.schema.json describes them; any may be missing."""
        at = self._local(fields.get("timestamp"))
        # The offset is compared too: it changes in the night of a shift.
        if at is not None and (day := (at.date(), at.utcoffset())) != self._day:
            self._day = day
            yield [(f"{at:%a %Y-%m-%d}, {self._zone_name} ({at:%z})", "faint")]
        time = f"{at:%H:%M:%S}" if at else "--:--:--"
        status = str(fields.get("status") or "")
        word = one_line(status or fields.get("level", ""))
        first, *more = printable(self._sentence(status, fields) or _text(fields.get("message"))).split("\n")
        pieces = [(f"{time} ", "faint"), (f"{word:{WIDTH}} ", MEANINGS.get(word, ""))]
        if self._with_job and "job" in fields:
            pieces.append((one_line(f"{fields.get('clock')}/{fields['job']}  "), "faint"))
        pieces.append((first, ""))
        listed = " ".join(f"{one_line(key)}={_value(fields[key])}" for key in fields if _is_listed(key, fields))
        if listed and not more:
            pieces.append((f"  {listed}", "faint"))
        yield pieces
        more += [listed] if listed and more else []
        exception = fields.get("exception")
        if isinstance(exception, Mapping):
            more += printable(_text(exception.get("traceback"))).rstrip("\n").split("\n")
        for line in more:
            yield [(" " * (len(time) + WIDTH + 2) + line, "")]

    def text(self, fields: Mapping[str, Any]) -> str:
        """The lines as plain text, each with its line break."""
        return "".join("".join(text for text, _ in line) + "\n" for line in self.lines(fields))

    def _sentence(self, status: str, fields: Mapping[str, Any]) -> str:
        """What one of the run's own lines says, in words; "" for a line of the task."""
        if not status:
            return ""
        if status == "started":
            due = f"due {self._due(fields['scheduled_at'])}" if "scheduled_at" in fields else ""
            attempt = f"attempt {fields['attempt']}" if "attempt" in fields else ""
            return ", ".join(filter(None, (f"run {_text(fields.get('run_id'))[:8]}", due, attempt)))
        took = f"after {fields['duration']} s" if "duration" in fields else ""
        code = f"exit code {fields['exit_code']}" if "exit_code" in fields else ""
        reason, exception = _text(fields.get("reason")), fields.get("exception")
        if not reason and isinstance(exception, Mapping):  # the traceback has the whole message
            reason = f"{exception.get('type')}: {exception.get('message')}".partition("\n")[0]
        return ": ".join(filter(None, (", ".join(filter(None, (took, code))), reason)))

    def _local(self, timestamp: object) -> datetime | None:
        try:
            return instants.parse(str(timestamp)).astimezone(self._zone)
        except (ValueError, OverflowError):
            return None

    def _due(self, scheduled_at: object) -> str:
        at = self._local(scheduled_at)
        if at is None:
            return str(scheduled_at)
        return f"{at:%H:%M:%S}" if self._day and at.date() == self._day[0] else f"{at:%Y-%m-%d %H:%M:%S}"


def _is_listed(key: str, fields: Mapping[str, Any]) -> bool:
    """Whether a field is shown as KEY=VALUE after the message; the run's own lines always have the same logger."""
    return key not in NOT_LISTED and not (key == "logger" and (fields.get("status") or fields[key] == "root"))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _value(value: object) -> str:
    """A field's value in one line, quoted if it would not be seen as one word."""
    text = str(value)
    is_word = not isinstance(value, str) or (text and not set(text) & set(" \t\n\"'="))
    return one_line(text if is_word else f'"{text}"')


def in_zone(name: str, *, with_job: bool = False) -> ReadableLog:
    """A log in a zone of the tz database; in UTC without a name, or if there is no such zone."""
    try:
        return ReadableLog(ZoneInfo(name), name, with_job=with_job)
    except (ValueError, KeyError, OSError):  # no name, an unknown one, a file that is no zone
        return ReadableLog(UTC, "UTC", with_job=with_job)


class ReadableFormatter(logging.Formatter):
    """Write the lines that another formatter writes as JSON for people."""

    def __init__(self, formatter: logging.Formatter, log: ReadableLog) -> None:
        super().__init__()
        self._formatter, self._log = formatter, log

    def format(self, record: logging.LogRecord) -> str:
        """The lines for one record, without the last line break."""
        return self._log.text(json.loads(self._formatter.format(record))).removesuffix("\n")
