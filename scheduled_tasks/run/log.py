"""Log lines: one JSON object per line on the process's standard output, and nothing else there.

Everything that the run and its task log through `logging` becomes a line as log_line.schema.json describes it, without
secrets, and short enough for journald, which splits at 48 KiB and would break the JSON. The stream has a descriptor of
its own, so a task can print to its standard output, or close it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from scheduled_tasks import masking
from scheduled_tasks.instants import from_epoch, rfc3339
from scheduled_tasks.run import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from scheduled_tasks.run.status import RunStatus

MAX_LINE = 40_000  # bytes; journald's LineMax= is 48 KiB, and the priority prefix and UTF-8 need room
MAX_FIELD = 8_000  # characters of one field, if the line is too long
MAX_NAME = 100  # characters of a name in the classic form; monitors match its first words
# journald drops what a unit writes beyond so many lines in so many seconds; units/all-services.conf.j2 sets both.
RATE_LIMIT_BURST, RATE_LIMIT_INTERVAL = 1_000, 1.0
MAX_BACKLOG_SECONDS = 20.0  # in which journald reads what a run has written
PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}

ExcInfo = tuple[type[BaseException], BaseException, "TracebackType | None"]

cron_logger = logging.getLogger("scheduled_tasks.cron")


def cron_message(name: str, status: RunStatus, **more: object) -> str:
    """The classic form that monitors match: `type=cron name=… status=… duration=…`."""
    name = "_".join(name.split())[:MAX_NAME] or "?"  # the name of an unknown task can be anything
    pairs = {"type": "cron", "name": name, "status": status, **more}
    return " ".join(f"{key}={value}" for key, value in pairs.items())


class _Encoder(JsonEncoder):
    """Mask secrets in the texts of objects that only the encoder turns into text, such as exceptions."""

    def default(self, o: Any) -> Any:
        return masking.mask_value(super().default(o))


class LineFormatter(JsonFormatter):
    """Turn a log record into one JSON line of at most `MAX_LINE` bytes, with secrets masked."""

    def __init__(self, *, host: str) -> None:
        super().__init__(
            json_ensure_ascii=False,
            json_encoder=_Encoder,
            json_serializer=partial(json.dumps, allow_nan=False),  # NaN is not JSON
            reserved_attrs=[*RESERVED_ATTRS, "taskName"],
        )
        self._host = host

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put the contract's fields first, then everything else that was logged."""
        extra: dict[str, Any] = {}
        super().add_fields(extra, record, message_dict)
        for key in ("exc_info", "message"):
            extra.pop(key, None)
        log_data["timestamp"] = rfc3339(from_epoch(record.created), "milliseconds")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["message"] = masking.mask(record.getMessage())
        log_data["type"] = "cron"
        run = current.current
        if run is not None:
            log_data |= run.fields()
        log_data["host"] = self._host
        if record.exc_info and record.exc_info[0] is not None and record.exc_info[1] is not None:
            log_data["exception"] = describe_exception((record.exc_info[0], record.exc_info[1], record.exc_info[2]))
        for key, value in extra.items():
            # Otherwise monitors would mistake a line with a task's extra={"status": …} for the run's own.
            name = key if record.name == cron_logger.name or key not in RUN_FIELDS else f"extra_{key}"
            log_data[name] = _masked(value, key)

    def formatException(self, ei: Any) -> str:  # noqa: N802, ARG002 - logging's own name
        """Return nothing: `add_fields` describes the exception."""
        return ""

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return the line; fields that make it too long are cut, and values that JSON can't express become text."""
        for limit in (None, MAX_FIELD, MAX_FIELD // 4, MAX_FIELD // 40):
            line = self._dump({key: _cut(value, limit) for key, value in log_data.items()} if limit else log_data)
            if len(line.encode(errors="backslashreplace")) <= MAX_LINE:
                return line
        # Too many long fields: keep only the contract's, cut shortest, and name those that were left out.
        kept = {key: _cut(value, MAX_FIELD // 40) for key, value in log_data.items() if key in RUN_FIELDS}
        left_out = sorted(text_of(key)[:50] for key in log_data if key not in kept)
        return self._dump(kept | {"left_out": left_out[:50]})

    def _dump(self, data: dict[str, Any]) -> str:
        try:
            return super().jsonify_log_record(data)
        except Exception:  # noqa: BLE001 - keys that aren't text, circular values, NaN, an object whose methods raise
            return super().jsonify_log_record({text_of(key): self._plain(value) for key, value in data.items()})

    def _plain(self, value: Any) -> Any:
        try:
            super().jsonify_log_record({"value": value})
        except Exception:  # noqa: BLE001 - as above; the other fields stay unchanged
            return masking.mask(text_of(value, repr))
        return value


# The fields that the contract gives a meaning; see log_line.schema.json.
RUN_FIELDS = frozenset({
    "timestamp", "level", "logger", "message", "type", "name", "task", "status", "run_id", "host", "clock", "job",
    "invocation_id", "scheduled_at", "lag", "duration", "feature", "reason", "exception", "exit_code", "attempt",
})  # fmt: skip


def describe_exception(exc_info: ExcInfo) -> dict[str, str]:
    """An exception as log lines carry it; a long traceback is cut at its start, because its end names the error."""
    kind, error, where = exc_info
    try:
        text = "".join(traceback.format_exception(kind, error, where))
    except Exception as problem:  # noqa: BLE001 - an exception can be any object, and the end line must come out
        text = f"[no traceback: {text_of(problem)}]"
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    message, text = masking.mask(text_of(error)), masking.mask(text)  # before the cut: a half secret isn't recognised
    return {"type": name, "message": _cut(message, MAX_FIELD), "traceback": _cut_start(text, MAX_FIELD)}


def text_of(value: object, convert: Callable[[object], str] = str) -> str:
    """The text of any object, even one that raises when it is converted: an end line must come out."""
    try:
        return convert(value)
    except Exception:  # noqa: BLE001 - the task's object can raise anything
        return f"<no text: its __{convert.__name__}__ raises>"


def _masked(value: Any, key: str) -> Any:
    try:
        return masking.mask_value(value, key)
    except Exception:  # noqa: BLE001 - a circular value, a mapping whose methods raise
        return masking.mask(text_of(value, repr))


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, dict) and set(value) == {"type", "message", "traceback"}:  # see describe_exception
        return {key: (_cut_start if key == "traceback" else _cut)(part, limit) for key, part in value.items()}
    text = value if isinstance(value, str) else masking.mask(text_of(value, repr))
    return value if len(text) <= limit else f"{text[:limit]}… [cut, {len(text)} characters]"


def _cut_start(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"[cut, {len(text)} characters] …{text[-limit:]}"


class LineHandler(logging.Handler):
    """Write formatted lines to a descriptor, each in one write.

    A reader that is gone (a closed pipe, a restarted journald) must not fail the task: the line is lost, the run goes
    on, and its row in PostgreSQL still has the result.
    """

    def __init__(self, descriptor: int, *, host: str, with_priority: bool) -> None:
        super().__init__()
        self.setFormatter(LineFormatter(host=host))
        self._descriptor = descriptor
        self._stream = _identity(descriptor)
        self._with_priority = with_priority
        self._lines = self._bytes = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; report errors on standard error."""
        try:
            line = self.format(record)
            if self._with_priority:
                line = f"<{PRIORITIES.get(record.levelname, 6)}>{line}"
            data = f"{line}\n".encode(errors="backslashreplace")
            run = current.current
            with run.uninterruptible() if run is not None else nullcontext():
                # A task may close all descriptors (os.closerange) and then open a file of its own at this number.
                # Under systemd standard error is the same stream.
                descriptor = self._descriptor if _identity(self._descriptor) == self._stream else 2
                self._lines, self._bytes = self._lines + 1, self._bytes + len(data)
                while data:
                    data = data[os.write(descriptor, data) :]
        except OSError:
            pass
        except Exception:  # noqa: BLE001 - logging's own convention: a log call never raises
            self.handleError(record)

    def wait_out_rate_limit(self) -> None:
        """Before the run's end line, wait until journald no longer drops lines, if the run has written very many.

        The handler can't count the lines that the task or its children write themselves, so it takes the kernel's count
        of the bytes that they have written, less those to disks. A line has at least two bytes.
        """
        others = _bytes_written() - self._bytes
        if not self._with_priority or self._lines + others // 2 < RATE_LIMIT_BURST:
            return
        import fcntl

        deadline = time.monotonic() + MAX_BACKLOG_SECONDS
        with suppress(OSError):
            while any(fcntl.ioctl(self._descriptor, SIOCOUTQ, bytes(4))) and time.monotonic() < deadline:
                time.sleep(0.01)
        time.sleep(RATE_LIMIT_INTERVAL * 1.1)


SIOCOUTQ = 0x5411  # unix(7): the bytes that the other end has not read


def _bytes_written() -> int:
    """What this process and its children wrote, except to disks."""
    try:
        with open("/proc/self/io", "rb") as file:  # noqa: PTH123 - cheaper
            counts = dict(line.split(b": ") for line in file)
    except OSError:  # a kernel that does not count
        return 0
    return int(counts[b"wchar"]) - int(counts[b"write_bytes"])


def wait_out_rate_limit() -> None:
    """Make sure that journald keeps the next lines of this run; see `LineHandler`."""
    if _handler is not None:
        _handler.wait_out_rate_limit()


def writes_to_journal(descriptor: int) -> bool:
    """Whether the descriptor is the journal's stream that systemd passed.

    `$JOURNAL_STREAM` alone isn't enough: a child whose output goes elsewhere inherits it as well (systemd.exec(5)).
    """
    return os.environ.get("JOURNAL_STREAM") == _identity(descriptor)


def _identity(descriptor: int) -> str:
    """What a descriptor refers to, as `$JOURNAL_STREAM` writes it; empty if it is closed."""
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return ""
    return f"{stat.st_dev}:{stat.st_ino}"


_handler: LineHandler | None = None


def take_over_stdout(*, host: str, formatter: logging.Formatter | None = None) -> None:
    """Reserve standard output for log lines; other output of the task and its children goes to standard error."""
    global _handler  # noqa: PLW0603 - one process has one standard output
    sys.stdout.flush()
    descriptor = os.dup(1)  # programs that the task starts don't inherit it (PEP 446)
    os.dup2(2, 1)
    _handler = LineHandler(descriptor, host=host, with_priority=writes_to_journal(descriptor))
    if formatter is not None:
        _handler.setFormatter(formatter)
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_exception
    _take_over_root()


def _log_thread_exception(ended: threading.ExceptHookArgs) -> None:
    """Log what ended a thread of the task, as one line; Python would print a traceback to standard error."""
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):  # by which a thread may end
        name = ended.thread.name if ended.thread else "?"
        exc_info = ended.exc_type, ended.exc_value, ended.exc_traceback
        logging.getLogger("scheduled_tasks.run").error("the thread %s of the task failed", name, exc_info=exc_info)


@contextmanager
def keep_logging() -> Iterator[None]:
    """Keep the run's log lines across a block in which an application is made and may configure logging.

    `dictConfig` disables existing loggers by default, such as those of the task's module, which run-task imports before
    it makes the application.
    """
    loggers = logging.root.manager.loggerDict.values()
    enabled = [logger for logger in loggers if isinstance(logger, logging.Logger) and not logger.disabled]
    try:
        yield
    finally:
        for logger in enabled:
            logger.disabled = False
        _take_over_root()


def _take_over_root() -> None:
    root = logging.getLogger()
    if _handler is not None:
        others = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]
        root.handlers = [_handler, *(handler for handler in others if handler is not _handler)]
        root.setLevel(min(root.level or logging.INFO, logging.INFO))


def announce(run_name: str, status: RunStatus, level: int, exc_info: ExcInfo | None = None, **fields: object) -> None:
    """Write one of the run's own lines.

    It bypasses the logger tree, because an application may disable existing loggers (`disable_existing_loggers`).
    """
    message = cron_message(run_name, status, **{key: fields[key] for key in fields if key in {"duration", "feature"}})
    extra = {"status": status, **fields}
    record = cron_logger.makeRecord(cron_logger.name, level, "", 0, message, (), exc_info, extra=extra)
    if _handler is not None:
        _handler.handle(record)
    elif cron_logger.isEnabledFor(level):
        cron_logger.handle(record)
