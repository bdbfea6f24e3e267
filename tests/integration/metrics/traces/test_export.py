"""Each attempt has one span, whatever became of it, and the receiver has it as the ledger does."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from scheduled_tasks.metrics.traces import export
from scheduled_tasks.metrics.traces.export import Exported
from scheduled_tasks.operate.prune import prune
from tests.integration.alert.outside.shop import Runs, minutes
from tests.integration.metrics.traces.shop import Database, Shop, ids
from tests.integration.operate.roles import NOTIFIERS, OPERATORS, as_role, granted
from tests.integration.operate.shop import ask, clocks
from tests.outside.otlp import attributes


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
