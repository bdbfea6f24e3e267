"""Each attempt has one span, whatever became of it, and the receiver has it as the ledger does."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.metrics.traces import export
from scheduled_tasks.metrics.traces.export import Exported
from scheduled_tasks.metrics.traces.trace_settings import TraceSettings
from scheduled_tasks.operate.prune import prune
from scheduled_tasks.run.settings import Settings
from tests.integration.alert.outside.shop import Runs, configuration, minutes
from tests.integration.operate.roles import NOTIFIERS, OPERATORS, as_role, granted
from tests.integration.operate.shop import ask, clocks
from tests.outside.otlp import Receiver, attributes, otlp_receiver

Database = psycopg.Connection[Any]
LATER = timedelta(seconds=11)  # when a span that is queued now is exported


@dataclass
class Shop:
    """A ledger, its exporter, and the receiver."""

    connection: Database
    settings: Settings
    receiver: Receiver
    sell: Runs
    slot: datetime

    @property
    def traces(self) -> TraceSettings:
        return TraceSettings(Endpoint(self.receiver.url), service="shop")

    @property
    def now(self) -> datetime:
        [(now,)] = self.connection.execute("SELECT clock_timestamp()").fetchall()
        assert isinstance(now, datetime)
        return now

    def export(self, after: timedelta = LATER, connection: Database | None = None) -> Exported:
        return export.export_spans(connection or self.connection, self.settings, self.traces, self.now + after)

    def queued(self) -> int:
        return self.connection.execute("SELECT FROM span_outbox").rowcount

    def row(self) -> tuple[Any, ...]:
        columns = "exported, dropped, dropped_at IS NOT NULL, tries, coalesce(error, '')"
        [row] = self.connection.execute(f"SELECT {columns} FROM trace_export").fetchall()
        return tuple(row)


@pytest.fixture
def shop(connection: Database, tmp_path: Path) -> Iterator[Shop]:
    with otlp_receiver() as receiver:
        [(hour,)] = connection.execute("SELECT date_trunc('hour', clock_timestamp())").fetchall()
        shop = Shop(connection, configuration(tmp_path), receiver, Runs(connection, "sell"), hour)
        export.record_wanted(connection, shop.now)
        yield shop


def ids(run_id: object, attempt: int = 1) -> tuple[str, str]:
    octets = str(run_id).replace("-", "")
    return octets, f"{int(octets[:8], 16) ^ (attempt - 1):08x}{octets[8:16]}"


def test_a_run_that_ended_well_has_a_span_with_its_facts(shop: Shop) -> None:
    known: dict[str, Any] = {"release": "7", "lag": 0.25, "exit_code": 0, "cpu_seconds": 0.5, "memory_peak": 1 << 20}
    run = shop.sell.start(shop.slot)
    shop.sell.end(run, **known)
    assert shop.export() == Exported(1)
    [(key, span)] = shop.receiver.spans.items()
    assert key == ids(run)
    assert (span.name, span.kind, span.status.code) == (
        "sales.sell",
        span.SPAN_KIND_INTERNAL,
        span.status.STATUS_CODE_UNSET,
    )
    assert span.parent_span_id == b""
    began = int(shop.slot.timestamp()) * 10**9
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (began, began + 3 * 10**9)
    assert attributes(span.attributes) == {
        "scheduled_tasks.task": "sales.sell", "scheduled_tasks.clock": "shop", "scheduled_tasks.job": "sell",
        "scheduled_tasks.slot": f"{shop.slot:%Y-%m-%dT%H:00:00Z}", "scheduled_tasks.run_id": run,
        "scheduled_tasks.attempt": 1, "scheduled_tasks.host": "app1", "scheduled_tasks.trigger": "timer",
        "scheduled_tasks.outcome": "ended", "scheduled_tasks.release": "7", "scheduled_tasks.lag": 0.25,
        "scheduled_tasks.cpu_seconds": 0.5, "scheduled_tasks.memory_peak": 1 << 20, "process.exit.code": 0,
    }  # fmt: skip
    assert shop.receiver.resources[key] == {"service.name": "shop", "service.version": "7", "host.name": "app1"}


def test_a_failure_is_an_error_with_its_exception_and_without_secrets(shop: Shop) -> None:
    error = {"error_type": "OSError", "error_message": "no answer from https://anna:hunter2secret@api.example.org"}
    shop.sell.end(shop.sell.start(shop.slot), "failed", exit_code=1, **error)
    shop.export()
    [span] = shop.receiver.spans.values()
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert span.status.message.startswith("OSError: no answer from")
    [event] = span.events
    assert (event.name, event.time_unix_nano) == ("exception", span.end_time_unix_nano)
    assert attributes(event.attributes)["exception.type"] == "OSError"
    assert attributes(span.attributes)["error.type"] == "OSError"
    assert attributes(span.attributes)["process.exit.code"] == 1
    assert "hunter2secret" not in shop.receiver.requests[-1].body


@pytest.mark.parametrize("status", ["missed", "lost"])
def test_what_no_run_can_report_has_a_span_that_is_an_error(shop: Shop, status: str) -> None:
    reason = "its process is gone, and how it ended is unknown"
    run = shop.sell.start(shop.slot, status=status, trigger="watch", attempt=0, reason=reason)
    shop.export()
    [(key, span)] = shop.receiver.spans.items()
    assert key == ids(run)
    assert (span.status.code, span.status.message) == (span.status.STATUS_CODE_ERROR, reason)
    assert span.end_time_unix_nano == span.start_time_unix_nano
    assert attributes(span.attributes)["scheduled_tasks.outcome"] == status
    assert attributes(span.attributes)["error.type"] == status
    assert not span.events


def test_a_skip_is_no_error(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot), "skipped", reason="paused: stocktaking (anna)")
    shop.export()
    [span] = shop.receiver.spans.values()
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert attributes(span.attributes)["scheduled_tasks.reason"] == "paused: stocktaking (anna)"


def test_a_killed_attempt_whose_slot_runs_again_has_a_span_of_its_own(shop: Shop) -> None:
    run = shop.sell.start(shop.slot)
    shop.connection.execute("UPDATE task_run SET attempt = 2, started_at = started_at + interval '1 minute'")  # a retry
    shop.sell.end(run)
    other = str(uuid4())
    shop.connection.execute("UPDATE task_run SET run_id = %s, host = 'app2', attempt = 3, status = 'started'", [other])
    shop.export()
    assert set(shop.receiver.spans) == {ids(run), ids(run, 2)}
    assert shop.receiver.attribute("scheduled_tasks.outcome") == ["ended", "lost"]
    killed = shop.receiver.spans[ids(run)]
    assert killed.status.message == "another run took its slot over"
    shop.sell.end(other)
    shop.export()
    assert shop.receiver.resources[ids(other, 3)]["host.name"] == "app2"


def test_the_trace_in_which_it_was_started_is_a_link(shop: Shop) -> None:
    started_in = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    shop.sell.end(shop.sell.start(shop.slot, traceparent=started_in))
    shop.export()
    [span] = shop.receiver.spans.values()
    [link] = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_the_start_of_a_run_and_what_concerns_no_span_queue_nothing(shop: Shop) -> None:
    run = shop.sell.start(shop.slot)
    assert shop.queued() == 0
    shop.sell.end(run, "failed")
    assert shop.queued() == 1
    shop.connection.execute("UPDATE task_run SET is_resolved = true, expires_at = NULL")
    assert shop.queued() == 1


def test_where_no_host_exports_nothing_is_queued(connection: Database, shop: Shop) -> None:
    connection.execute("UPDATE trace_export SET wanted_at = wanted_at - interval '25 hours'")
    shop.sell.end(shop.sell.start(shop.slot))
    assert shop.queued() == 0
    export.record_wanted(connection, shop.now)
    shop.sell.end(shop.sell.start(shop.slot + minutes(1)))
    assert shop.queued() == 1
    connection.execute("DELETE FROM trace_export")
    shop.sell.end(shop.sell.start(shop.slot + minutes(2)))
    assert shop.queued() == 1
    connection.execute("UPDATE span_outbox SET queued_at = queued_at - interval '3 days'")
    prune(connection, 400)
    assert shop.queued() == 0


def test_exporting_again_adds_none(shop: Shop) -> None:
    for number, status in enumerate(["ended", "failed", "skipped"]):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)), status)
    shop.sell.start(shop.slot + minutes(3), status="missed", attempt=0)
    assert shop.export().spans == 4
    before = dict(shop.receiver.spans)
    assert shop.export() == Exported()
    shop.connection.execute("INSERT INTO span_outbox (run_id, attempt) SELECT run_id, attempt FROM task_run")
    assert shop.export().spans == 4
    assert shop.receiver.spans == before


def test_a_late_result_changes_the_span_and_adds_none(shop: Shop) -> None:
    run = shop.sell.start(shop.slot, status="lost", reason="its process is gone")
    shop.export()
    shop.sell.end(run)
    shop.export()
    assert list(shop.receiver.spans) == [ids(run)]
    assert shop.receiver.attribute("scheduled_tasks.outcome") == ["ended"]


def test_a_change_while_its_span_is_exported_is_exported_too(shop: Shop, database_url: str) -> None:
    run = shop.sell.start(shop.slot, status="lost")
    with psycopg.connect(database_url, autocommit=True) as other:
        shop.receiver.on_request = lambda: Runs(other, "sell").end(run)
        assert shop.export().spans == 2
    assert [outcome in request.body for request, outcome in zip(shop.receiver.requests, ("lost", "ended"), strict=True)]
    assert shop.receiver.attribute("scheduled_tasks.outcome") == ["ended"]
    assert shop.queued() == 0


def test_a_sender_that_was_killed_after_a_request_exports_the_same_spans_again(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shop.sell.start(shop.slot)
    shop.sell.end(run)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, psycopg.connect(database_url, autocommit=True) as killed:
        patched.setattr(export, "_delete", die)
        with pytest.raises(KeyboardInterrupt):
            shop.export(connection=killed)
    assert shop.export().spans == 1
    assert (len(shop.receiver.requests), list(shop.receiver.spans)) == (2, [ids(run)])


def test_one_sender_exports_at_a_time(shop: Shop, database_url: str) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    with psycopg.connect(database_url, autocommit=True) as other:
        shop.receiver.on_request = lambda: results.append(shop.export(connection=other))
        results: list[Exported] = []
        shop.export()
    assert results == [Exported()]


def test_a_receiver_that_is_away_is_tried_again_after_growing_pauses(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    after = LATER
    tried_at: list[int] = []
    while len(tried_at) < 7:
        shop.receiver.answers = [(503, "later")]
        if (done := shop.export(after)).problems:
            assert done.problems == (
                f"can't export traces: {shop.receiver.url} answered 503 Service Unavailable: later",
            )
            tried_at.append(round((after - LATER).total_seconds()))
        after += timedelta(seconds=30)
    assert tried_at == [0, 60, 180, 420, 900, 1800, 2700]
    assert shop.row()[3] == 7
    assert shop.export(after + timedelta(minutes=15)).spans == 1
    assert shop.row() == (1, 0, False, 0, "")


def test_what_has_waited_for_a_day_is_dropped_and_that_is_said(shop: Shop) -> None:
    for number in range(3):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    shop.connection.execute("UPDATE span_outbox SET queued_at = queued_at - interval '25 hours' WHERE id <= 2")
    assert shop.export() == Exported(1, ("dropped 2 spans: they could not be exported in time",))
    assert shop.row()[:3] == (1, 2, True)


def test_of_a_long_backlog_the_newest_spans_are_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_WAITING", 2)
    for number in range(5):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    assert shop.export() == Exported(2, ("dropped 3 spans: they could not be exported in time",))


def test_a_backlog_goes_out_in_batches_and_what_is_urgent_between_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    for number in range(5):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    urgent: list[int] = []
    done = export.export_spans(
        shop.connection, shop.settings, shop.traces, shop.now + LATER, lambda: urgent.append(len(shop.receiver.spans))
    )
    assert (done, urgent) == (Exported(5), [2, 4, 5])


def test_of_a_batch_that_is_refused_only_the_span_is_dropped_that_the_receiver_refuses(shop: Shop) -> None:
    runs = [shop.sell.start(shop.slot + timedelta(seconds=number)) for number in range(100)]
    for number, run in enumerate(runs):
        shop.sell.end(run, reason="bad" if number == 70 else None)
    shop.receiver.refuses = '"bad"'
    done = shop.export()
    assert (done.spans, [problem[:15] for problem in done.problems]) == (99, ["dropped 1 span:"])
    assert set(shop.receiver.spans) == {ids(run) for number, run in enumerate(runs) if number != 70}
    assert shop.row()[:2] == (99, 1)


@pytest.mark.parametrize(("run_id", "attempt"), [("0" * 32, 1), ("00000001-0000-0000-8000-000000000000", 2)])
def test_a_run_whose_id_makes_no_span_spoils_no_request(shop: Shop, run_id: str, attempt: int) -> None:
    shop.sell.start(shop.slot, run_id=run_id, attempt=attempt, status="missed")
    run = shop.sell.start(shop.slot + minutes(1), status="missed")
    assert shop.export() == Exported(1)
    assert (list(shop.receiver.spans), shop.queued()) == ([ids(run)], 0)


def test_what_the_receiver_refuses_is_dropped_and_that_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 1)
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(400, "a span of 1970")]
    said = f"{shop.receiver.url} answered 400 Bad Request: a span of 1970"
    assert shop.export() == Exported(0, (f"dropped 1 span: {said}",))
    assert shop.row() == (0, 1, True, 0, said)
    assert shop.queued() == 0


def test_a_wrong_key_drops_nothing(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(401, "who are you?")]
    assert len(shop.export().problems) == 1
    assert shop.export(LATER + minutes(2)) == Exported(1)


def test_what_the_receiver_takes_in_part_is_not_sent_again_and_that_is_said(shop: Shop) -> None:
    for number in range(2):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    shop.receiver.answers = [(200, {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}})]
    assert shop.export().problems == ("the receiver of traces has dropped 1 span: too old",)
    assert shop.row()[:3] == (1, 1, True)
    assert shop.queued() == 0


@pytest.mark.parametrize("answer", ["", "ok", "[1]", '{"partialSuccess": null}', '{"partialSuccess": {}}'])
def test_any_other_answer_of_200_is_a_success(shop: Shop, answer: str) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(200, answer)]
    assert shop.export() == Exported(1)


def test_the_headers_of_the_credential_are_sent(shop: Shop, tmp_path: Path) -> None:
    settings = configuration(tmp_path, otlp="X-API-Key: s3cret\n\nX-Tenant: shop:eu\n")
    traces = TraceSettings(Endpoint(shop.receiver.url), "otlp")
    shop.sell.end(shop.sell.start(shop.slot))
    assert export.export_spans(shop.connection, settings, traces, shop.now + LATER).spans == 1
    sent = shop.receiver.requests[-1].headers
    assert (sent["X-API-Key"], sent["X-Tenant"]) == ("s3cret", "shop:eu")


def test_headers_that_can_not_be_read_drop_nothing_and_show_nothing(shop: Shop, tmp_path: Path) -> None:
    settings = configuration(tmp_path, otlp="s3cret")
    shop.sell.end(shop.sell.start(shop.slot))
    traces = TraceSettings(Endpoint(shop.receiver.url), "otlp")
    [problem] = export.export_spans(shop.connection, settings, traces, shop.now + LATER).problems
    assert problem.endswith("the credential notify.otlp has a line that is not a header: write NAME: VALUE")
    assert shop.queued() == 1


def test_a_row_that_was_pruned_meanwhile_is_forgotten(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    shop.connection.execute("DELETE FROM task_run")
    assert shop.export() == Exported()
    assert (shop.queued(), shop.receiver.requests) == (0, [])


STATUSES = ("ended", "failed", "skipped", "lost")


@pytest.mark.parametrize("seed", range(5))
def test_after_any_history_the_receiver_has_each_attempt_as_the_ledger_does(
    shop: Shop, database_url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(seed)
    monkeypatch.setattr(export, "BATCH", 7)
    runs: list[str] = []

    def change() -> None:
        match choose.randrange(6) if runs else 0:
            case 0:
                at = shop.slot + timedelta(seconds=len(runs))
                status = choose.choice(["started", "started", "missed"])
                runs.append(shop.sell.start(at, status=status, attempt=int(status == "started")))
            case 1 | 2:
                shop.sell.end(choose.choice(runs), choose.choice(STATUSES), error_type=choose.choice([None, "OSError"]))
            case 3:  # a retry of the same run: the attempt that could not start was its first one
                shop.connection.execute(
                    "UPDATE task_run SET attempt = greatest(attempt, 1) + 1, status = 'started', ended_at = NULL"
                    " WHERE run_id = %s",
                    [choose.choice(runs)],
                )
            case 4:  # another run
                old, new = choose.choice(runs), str(choose.randbytes(16).hex())
                shop.connection.execute(
                    "UPDATE task_run SET run_id = %s, attempt = attempt + 1, status = 'started', ended_at = NULL"
                    " WHERE run_id = %s", [new, old],
                )  # fmt: skip
                runs[runs.index(old)] = new
            case _:
                try_to_export(choose.randrange(4))

    def try_to_export(fate: int) -> None:
        with monkeypatch.context() as patched, psycopg.connect(database_url, autocommit=True) as sender:
            if fate == 0:  # killed after a request
                patched.setattr(export, "_delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            shop.receiver.answers = [(503, "later")] if fate == 1 else []
            with suppress(KeyboardInterrupt):
                shop.export(minutes(60), sender)
        shop.connection.execute("UPDATE trace_export SET retry_at = NULL")

    for _ in range(120):
        change()
    try_to_export(2)
    assert shop.queued() == 0
    ledger = shop.connection.execute(
        "SELECT run_id, attempt, status, error_type FROM task_run WHERE status <> 'started' UNION ALL"
        " SELECT run_id, attempt, CASE status WHEN 'started' THEN 'lost' ELSE status END, error_type FROM past_attempt"
    ).fetchall()
    assert len(ledger) > 30
    expected = {
        ids(run_id, max(attempt, 1)): (status, (error or status) if status in {"failed", "lost", "missed"} else None)
        for run_id, attempt, status, error in ledger
    }
    received = {
        key: (attributes(span.attributes)["scheduled_tasks.outcome"], attributes(span.attributes).get("error.type"))
        for key, span in shop.receiver.spans.items()
    }
    assert received == expected


def test_a_request_is_json_of_otlp(shop: Shop) -> None:
    """Integers of 64 bits are text, and ids are in hexadecimal."""
    shop.sell.end(shop.sell.start(shop.slot), exit_code=0)
    shop.export()
    [resource] = json.loads(shop.receiver.requests[0].body)["resourceSpans"]
    [span] = resource["scopeSpans"][0]["spans"]
    assert {"key": "process.exit.code", "value": {"intValue": "0"}} in span["attributes"]
    assert (len(span["traceId"]), len(span["spanId"]), span["kind"]) == (32, 16, 1)
    assert span["endTimeUnixNano"].isdecimal()


def test_how_the_export_goes_is_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    [(folder,)] = shop.connection.execute("SELECT current_setting('unix_socket_directories')").fetchall()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/{shop.connection.info.dbname}?host={folder}")
    for number in range(3):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    shop.connection.execute("UPDATE span_outbox SET queued_at = '2026-01-01' WHERE id = 1")
    shop.receiver.answers = [(503, "later")]
    shop.export()
    done = clocks("traces")
    assert done.exit_code == 3
    exported, waiting, dropped, error = done.stdout.splitlines()
    assert exported == "exported  0 spans"
    assert waiting.startswith("waiting   2 spans, the oldest since 20")
    assert dropped.startswith("dropped   1 span, the last at 20")
    assert error.startswith(
        f"error     {shop.receiver.url} answered 503 Service Unavailable: later (1 try in a row failed"
    )
    assert shop.export(minutes(2)).spans == 2
    done = clocks("traces")
    assert (done.exit_code, done.stdout.splitlines()[1:2]) == (0, ["waiting   0 spans"])
    assert ask("traces")["exported"] == 2
    shop.connection.execute("DELETE FROM trace_export")
    assert clocks("traces").stdout == "no host exports traces: write [traces] into the configuration, and apply\n"


def test_the_senders_role_exports_and_the_operators_wants_it(shop: Shop) -> None:
    with granted(shop.connection):
        with as_role(shop.connection, OPERATORS) as watch:
            shop.connection.execute("DELETE FROM trace_export")
            export.record_wanted(watch, shop.now)
            Runs(watch, "sell").start(shop.slot, status="missed", attempt=0)
        with as_role(shop.connection, NOTIFIERS) as sender:
            assert shop.export(connection=sender) == Exported(1)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                sender.execute("INSERT INTO span_outbox (run_id, attempt) SELECT run_id, 1 FROM task_run")


def test_the_command_that_sends_notices_exports(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [(url,)] = shop.connection.execute("SELECT current_setting('unix_socket_directories')").fetchall()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/{shop.connection.info.dbname}?host={url}")
    file = tmp_path / "pyproject.toml"
    file.write_text(f'[tool.scheduled_tasks.traces]\nurl = "{shop.receiver.url}"\n')
    shop.sell.end(shop.sell.start(shop.slot))
    shop.connection.execute("UPDATE span_outbox SET queued_at = queued_at - interval '11 s'")
    shop.receiver.answers = [(502, "")]
    done = clocks("notify", "send", check=False, configuration=file)
    said = f"clocks: can't export traces: {shop.receiver.url} answered 502 Bad Gateway\n"
    assert (done.exit_code, done.stderr) == (75, said)
    shop.connection.execute("UPDATE trace_export SET retry_at = now()")
    assert clocks("notify", "send", configuration=file).stdout == "exported 1 span\n"
    assert clocks("notify", "send", configuration=file).stdout == "nothing is due\n"
    assert next(iter(shop.receiver.resources.values()))["service.name"] == "scheduled-tasks"
