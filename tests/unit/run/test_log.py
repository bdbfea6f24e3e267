"""Whatever is logged, a record is one JSON line that fits the schema and that journald does not split."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.run import current, log
from scheduled_tasks.run.status import RunStatus
from tests.integration.run.support import SCHEMA

JOURNAL = 48 * 1024  # bytes: journald's LineMax=


class Inexpressible:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class InexpressibleError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture(autouse=True, scope="module")
def _run() -> Iterator[None]:
    current.current = current.Run(task="booking.cancel", name="cancel", clock="night", job="tidy")
    yield
    current.current = None


def _line(record: logging.LogRecord) -> dict[str, Any]:
    """The line that the handler writes for a record, parsed as a reader of logs would."""
    read, write = os.pipe()
    try:
        log.LineHandler(write, host="web1", with_priority=False).emit(record)
        data = os.read(read, 1 << 16)  # a pipe holds this much
    finally:
        os.close(read)
        os.close(write)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    assert len(data) <= 40_001 < JOURNAL
    line: dict[str, Any] = json.loads(data.decode(), parse_constant=pytest.fail)
    jsonschema.validate(line, SCHEMA)
    return line


def _record(message: object = "sold", exc_info: Any = None, **extra: object) -> logging.LogRecord:
    return logging.getLogger("shop").makeRecord("shop", logging.INFO, "shop.py", 1, message, (), exc_info, extra=extra)


def _own(**fields: Any) -> logging.LogRecord:
    message = log.cron_message("cancel", fields["status"])
    return log.cron_logger.makeRecord(log.cron_logger.name, logging.INFO, "", 0, message, (), None, extra=fields)


def test_a_line_carries_the_runs_fields() -> None:
    line = _line(_record(number=3))
    assert {key: line[key] for key in line if key not in {"timestamp", "run_id"}} == {
        "level": "info",
        "logger": "shop",
        "message": "sold",
        "type": "cron",
        "name": "cancel",
        "task": "booking.cancel",
        "clock": "night",
        "job": "tidy",
        "host": "web1",
        "number": 3,
    }


def test_the_timestamp_is_utc_to_the_millisecond() -> None:
    record = _record()
    record.created = 1_700_000_000.0004
    assert _line(record)["timestamp"] == "2023-11-14T22:13:20.000Z"


def test_a_tasks_extra_fields_do_not_overwrite_the_runs_fields() -> None:
    line = _line(_record(status="ended", task="mine", reason="none", duration="long"))
    assert (line["task"], line["extra_task"]) == ("booking.cancel", "mine")
    assert "status" not in line
    assert (line["extra_status"], line["extra_reason"], line["extra_duration"]) == ("ended", "none", "long")


def test_a_dictionary_as_the_message_does_not_overwrite_them_either() -> None:
    line = _line(_record({"status": "ended", "message": "x", "number": 1}))
    assert "status" not in line
    assert (line["extra_status"], line["number"]) == ("ended", 1)


class WithSecretError(Exception):
    pass


def test_no_secret_gets_into_any_field_of_a_line() -> None:
    error = WithSecretError("password=hunter2")
    error.add_note("-H 'Authorization: Bearer hunter2'")
    line = _line(
        _record(
            "https://hunter2@host",
            exc_info=(type(error), error, None),
            answer={"token": "hunter2", "rows": [{"url": "ftp://x:hunter2@y"}]},
            api_key="hunter2",
            error=error,
            odd={1: "password=hunter2"},
            bytes_=b"x",
        )
    )
    assert "hunter2" not in json.dumps(line)
    assert line["answer"] == {"token": "***", "rows": [{"url": "ftp://x:***@y"}]}
    assert line["exception"]["message"] == "password=***"
    assert line["exception"]["traceback"].endswith("WithSecretError: password=***\n-H 'Authorization: Bearer ***'\n")


def test_a_secret_that_a_cut_would_halve_is_masked_first() -> None:
    line = _line(_record("x" * 7_990 + " password=" + "hunter2" * 6_000))
    assert "hunter2" not in line["message"]


ROUND: list[Any] = []
ROUND.append(ROUND)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ([1, float("nan")], "[1, nan]"),
        ({1: "one", (2, 3): "pair"}, "{1: 'one', (2, 3): 'pair'}"),
        (ROUND, "[[...]]"),
        ("half \udce9 of it", "half \udce9 of it"),
        ("line one\nline two\u2028\0", "line one\nline two\u2028\0"),
        (10**5_000, "<no text: its __repr__ raises>"),
        (2**63, 9_223_372_036_854_775_808),
        ({"a": Inexpressible()}, {"a": "__could_not_encode__"}),
        (b"bytes", "Ynl0ZXM="),
        (None, None),
    ],
    ids=["nan", "infinity", "nan inside", "keys", "circle", "surrogate", "newlines", "digits", "big", "object", "bytes",
         "none"],
)  # fmt: skip
def test_values_that_json_can_not_express_are_written_as_text(value: object, written: object) -> None:
    line = _line(_record(value=value, other=[1, "two"]))
    assert (line["value"], line["other"]) == (written, [1, "two"])


def test_an_exception_that_can_not_be_converted_to_text_is_still_named() -> None:
    error = InexpressibleError()
    line = _line(_record("failed", exc_info=(type(error), error, None)))
    assert line["exception"]["type"] == f"{__name__}.InexpressibleError"
    assert line["exception"]["message"] == "<no text: its __str__ raises>"


def test_a_long_field_is_cut_and_marked() -> None:
    line = _line(_record("x" * 50_000, short="y"))
    assert line["message"] == f"{'x' * 8_000}… [cut, 50000 characters]"
    assert line["short"] == "y"


def test_a_field_that_fits_the_line_is_not_cut() -> None:
    assert _line(_record("x" * 39_000))["message"] == "x" * 39_000


def test_the_end_of_a_long_traceback_is_kept() -> None:
    try:
        exec("raise ValueError('sold out')" + "\n#" * 10)
    except ValueError as error:
        error.add_note("n" * 60_000)
        error.add_note("the last note")
        line = _line(_record("failed", exc_info=(type(error), error, error.__traceback__)))
    assert line["exception"]["traceback"].endswith("the last note\n")
    assert line["exception"]["traceback"].startswith("[cut, ")
    assert line["exception"]["message"] == "sold out"


@pytest.mark.parametrize("character", ["x", "é", "\x01", "\udce9", "😀"])
def test_many_long_fields_fit_a_line(character: str) -> None:
    error = ValueError(character * 60_000)
    extra = {f"{character}{number}" * 3_000: character * 60_000 for number in range(60)}
    line = _line(_record(character * 60_000, exc_info=(type(error), error, None), **extra))
    assert len(line["left_out"]) == 50


def test_the_runs_own_line_fits_whatever_the_reason() -> None:
    line = _line(_own(status="failed", reason="\x01" * 60_000, exit_code=1, duration=0.1))
    assert line["message"] == "type=cron name=cancel status=failed"
    assert line["reason"].endswith("… [cut, 60000 characters]")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cancel", "type=cron name=cancel status=failed"),
        ("cancel now\n", "type=cron name=cancel_now status=failed"),
        ("", "type=cron name=? status=failed"),
        ("x" * 500, f"type=cron name={'x' * 100} status=failed"),
    ],
)
def test_the_classic_form_works_with_any_name(name: str, message: str) -> None:
    assert log.cron_message(name, RunStatus.FAILED) == message


_TEXT = st.text(st.characters(codec=None), max_size=30)
_LONG = st.builds(lambda text, times: text * times, _TEXT, st.sampled_from([1, 1, 1, 3_000]))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _LONG | st.binary(max_size=9) | st.datetimes()
_KEYS = _TEXT | st.integers() | st.floats() | st.none() | st.tuples(st.integers())
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=8
)
_NAMES = st.sampled_from(sorted(log.RUN_FIELDS - {"name", "message"})) | _TEXT


@given(message=_VALUES, extra=st.dictionaries(_NAMES, _VALUES, max_size=6))
def test_any_record_is_one_valid_line(message: object, extra: dict[str, object]) -> None:
    record = _record(message)
    vars(record).update({key: value for key, value in extra.items() if key not in vars(record)})
    line = _line(record)
    assert line["task"] == "booking.cancel"
    assert "status" not in line


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, "<2>"), (logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"), (5, "<6>")],
)
def test_the_priority_is_that_of_the_level(level: int, priority: str) -> None:
    read, write = os.pipe()
    record = logging.getLogger("shop").makeRecord("shop", level, "", 1, "sold", (), None)
    log.LineHandler(write, host="web1", with_priority=True).emit(record)
    assert os.read(read, 1 << 16).decode().startswith(f"{priority}{{")
    os.close(read)
    os.close(write)
